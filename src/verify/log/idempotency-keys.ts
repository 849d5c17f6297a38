import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { KEY_DIGEST } from '../../log/write/key-digest.js';
import type { Report } from '../fault.js';

export interface AlteredKey {
  [column: string]: unknown;
  entry_id: string;
  seq: string | null;
  idempotency_key: string | null;
  has_entry: boolean;
  has_digest: boolean;
}

const MAX_REPORTED = 100_000;

/** Idempotency keys that do not match the key_digest of their entry. */
export const readAlteredIdempotencyKeys = (execute: Execute, tenantId: string): Promise<AlteredKey[]> =>
  execute<AlteredKey>(sql`
    select entry_id, idempotency_key, has_digest,
      (select s.seq from reel_log_sequence s where s.tenant_id = ${tenantId}::uuid and s.entry_id = differing.entry_id) as seq,
      exists (select from reel_log_entries e where e.tenant_id = ${tenantId}::uuid and e.id = differing.entry_id) as has_entry
    from (
      select coalesce(e.id, k.entry_id) as entry_id, k.idempotency_key, e.key_digest is not null as has_digest
      from (select * from reel_log_keys where tenant_id = ${tenantId}::uuid) k
      full join (
        select id, key_digest from reel_log_entries where tenant_id = ${tenantId}::uuid and key_digest is not null
      ) e on e.id = k.entry_id
      where e.key_digest is distinct from case when k.entry_id is not null then ${KEY_DIGEST} end
      limit ${MAX_REPORTED}
    ) differing order by seq, entry_id`);

/** `next`: reported as the sequence of entries that have none yet. */
export function reportIdempotencyKeys(rows: readonly AlteredKey[], next: number, report: Report): void {
  for (const row of rows)
    report({
      kind: 'changed',
      sequence: row.seq === null ? next : Number(row.seq),
      detail: `entry ${row.entry_id}: ${problemOf(row)}`,
    });
}

function problemOf({ idempotency_key: key, has_entry, has_digest }: AlteredKey): string {
  if (key === null) return 'its idempotency key is missing';
  const named = `idempotency key ${JSON.stringify(key.slice(0, 100))}`;
  if (!has_entry) return `${named} refers to it, but its row is missing`;
  return has_digest
    ? `${named} does not match its key_digest`
    : `${named} refers to it, but it was written without one`;
}
