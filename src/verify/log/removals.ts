import { sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { PLACES_DIGEST } from '../../log/retention/removal.js';
import type { Report } from '../fault.js';

/**
 * Compares places whose entries were removed with what the removal noted of them: nothing else tells any more which
 * entry stood there.
 */
export async function verifyRemovals(
  run: Run,
  tenantId: string,
  size: number,
  report: Report,
): Promise<void> {
  const rows = await run<{ first_seq: string; last_seq: string }>(sql`
    select r.first_seq, r.last_seq from reel_log_removals r
    where r.tenant_id = ${tenantId}::uuid and r.places_digest is distinct from (
      select ${PLACES_DIGEST} from reel_log_sequence s
      where s.tenant_id = ${tenantId}::uuid and s.seq >= r.first_seq and s.seq <= r.last_seq)
    order by r.first_seq`);
  for (const { first_seq: first, last_seq: last } of rows)
    report({
      kind: 'changed',
      // Somebody may have put an end of it where the log has no place.
      sequence: [Number(first), Number(last)].find((place) => place >= 1 && place <= size) ?? size,
      detail: `places ${first} to ${last}, whose entries were removed, have other ids than the removal noted`,
    });
}
