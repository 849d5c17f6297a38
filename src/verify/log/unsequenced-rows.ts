import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './row-check.js';

const PAGE_SIZE = 1_000;
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Entries that are neither sequenced nor in the inbox, some `limit` of them. */
export async function readUnsequenced(
  execute: Execute,
  tenantId: string,
  limit: number,
): Promise<CheckedRow[]> {
  const entries: CheckedRow[] = [];
  for (let after = FIRST_ID; entries.length < limit; after = entries.at(-1)!.id) {
    const rows = await execute<EntryRow>(sql`
      select ${ROW_COLUMNS} from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and e.id > ${after}::uuid
        and not exists (select from reel_log_sequence s where s.tenant_id = ${tenantId}::uuid and s.entry_id = e.id)
        and not exists (select from reel_log_inbox i where i.tenant_id = ${tenantId}::uuid and i.entry_id = e.id)
      order by e.id limit ${PAGE_SIZE}`);
    entries.push(...rows.map(checkRow));
    if (rows.length < PAGE_SIZE) break;
  }
  return entries;
}

export interface InboxEntry {
  entry: CheckedRow;
  /** Leaf hash that it is to be sequenced with. */
  leafHash: Buffer;
}

export async function* walkInbox(execute: Execute, tenantId: string): AsyncGenerator<InboxEntry> {
  for (let after = FIRST_ID; ; ) {
    const rows: (EntryRow & { leaf_hash: Buffer })[] = await execute(sql`
      select ${ROW_COLUMNS}, i.leaf_hash from reel_log_inbox i
      join reel_log_entries e on e.tenant_id = ${tenantId}::uuid and e.id = i.entry_id
      where i.tenant_id = ${tenantId}::uuid and i.entry_id > ${after}::uuid order by i.entry_id limit ${PAGE_SIZE}`);
    for (const row of rows) yield { entry: checkRow(row), leafHash: row.leaf_hash };
    if (rows.length < PAGE_SIZE) return;
    after = rows.at(-1)!.id;
  }
}

/** Rows of the inbox whose entry is missing, or already sequenced. */
export async function readInvalidInbox(
  execute: Execute,
  tenantId: string,
): Promise<{ entryId: string; sequence: number | null }[]> {
  const rows = await execute<{ entry_id: string; seq: string | null }>(sql`
    select i.entry_id, s.seq from reel_log_inbox i
    left join reel_log_sequence s on s.tenant_id = ${tenantId}::uuid and s.entry_id = i.entry_id
    where i.tenant_id = ${tenantId}::uuid and (s.seq is not null or not exists (
      select from reel_log_entries e where e.tenant_id = ${tenantId}::uuid and e.id = i.entry_id))`);
  return rows.map(({ entry_id, seq }) => ({
    entryId: entry_id,
    sequence: seq === null ? null : Number(seq),
  }));
}
