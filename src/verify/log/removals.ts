import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { POSITIONS_DIGEST } from '../../log/retention/removal.js';
import type { Report } from '../fault.js';

/** Checks the entry ids of removed sequences against the digest that their removal stored: the leaves are gone. */
export async function verifyRemovals(
  execute: Execute,
  tenantId: string,
  size: number,
  report: Report,
): Promise<void> {
  const rows = await execute<{ first_seq: string; last_seq: string }>(sql`
    select r.first_seq, r.last_seq from reel_log_removals r
    where r.tenant_id = ${tenantId}::uuid and r.places_digest is distinct from (
      select ${POSITIONS_DIGEST} from reel_log_sequence s
      where s.tenant_id = ${tenantId}::uuid and s.seq >= r.first_seq and s.seq <= r.last_seq)
    order by r.first_seq`);
  for (const { first_seq: first, last_seq: last } of rows)
    report({
      kind: 'changed',
      // A changed end may be outside the log.
      sequence: [Number(first), Number(last)].find((sequence) => sequence >= 1 && sequence <= size) ?? size,
      detail: `the entry ids of removed sequences ${first} to ${last} do not match the digest of their removal`,
    });
}
