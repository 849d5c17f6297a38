import { sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './check-row.js';
import type { StoredPlace } from './stored-order.js';

const STRAYS_AT_ONCE = 1_000;

/** Entries that nothing gives a place and that do not wait for one: `most` of them. */
export async function readExtras(run: Run, tenantId: string, most: number): Promise<CheckedRow[]> {
  const extras: CheckedRow[] = [];
  for (let after = FIRST_ID; extras.length < most; after = extras.at(-1)!.id) {
    const rows = await run<EntryRow>(sql`
      select ${ROW_COLUMNS} from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and e.id > ${after}::uuid
        and not exists (select from reel_log_sequence s where s.tenant_id = e.tenant_id and s.entry_id = e.id)
        and not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      order by e.id limit ${STRAYS_AT_ONCE}`);
    extras.push(...rows.map(checkRow));
    if (rows.length < STRAYS_AT_ONCE) break;
  }
  return extras;
}

/** How many places there are, wherever they stand. */
export async function countPlaces(run: Run, tenantId: string): Promise<number> {
  const [row] = await run<{ n: string }>(
    sql`select count(*) as n from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
  );
  return Number(row?.n ?? 0);
}

/** Places after `size`, in order; from one that is there to the next, since somebody may have put one very far off. */
export async function* walkBeyond(run: Run, tenantId: string, size: number): AsyncGenerator<StoredPlace> {
  for (let after = String(size); ; ) {
    const rows: (EntryRow & { seq: string; entry_id: string; leaf_hash: Buffer })[] = await run(sql`
      select s.seq, s.entry_id, s.leaf_hash, ${ROW_COLUMNS} from reel_log_sequence s
      left join reel_log_entries e on e.tenant_id = s.tenant_id and e.id = s.entry_id and e.tenant_id = ${tenantId}::uuid
      where s.tenant_id = ${tenantId}::uuid and s.seq > ${after}::bigint order by s.seq limit ${STRAYS_AT_ONCE}`);
    for (const row of rows)
      yield {
        seq: Number(row.seq),
        entryId: row.entry_id,
        leafHash: row.leaf_hash,
        entry: row.id === null ? null : checkRow(row),
      };
    if (rows.length < STRAYS_AT_ONCE) return;
    after = rows.at(-1)!.seq;
  }
}

export interface WaitingEntry {
  entry: CheckedRow;
  /** The leaf hash that it is to have in the order. */
  leafHash: Buffer;
}

/** Entries that wait for their place. */
export async function* walkInbox(run: Run, tenantId: string): AsyncGenerator<WaitingEntry> {
  for (let after = FIRST_ID; ; ) {
    const rows: (EntryRow & { leaf_hash: Buffer })[] = await run(sql`
      select ${ROW_COLUMNS}, i.leaf_hash from reel_log_inbox i
      join reel_log_entries e on e.tenant_id = i.tenant_id and e.id = i.entry_id and e.tenant_id = ${tenantId}::uuid
      where i.tenant_id = ${tenantId}::uuid and i.entry_id > ${after}::uuid order by i.entry_id limit ${STRAYS_AT_ONCE}`);
    for (const row of rows) yield { entry: checkRow(row), leafHash: row.leaf_hash };
    if (rows.length < STRAYS_AT_ONCE) return;
    after = rows.at(-1)!.id;
  }
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Rows of the inbox without an entry, or whose entry has a place already. */
export async function readWrongInbox(
  run: Run,
  tenantId: string,
): Promise<{ entryId: string; placed: number | null }[]> {
  const rows = await run<{ entry_id: string; seq: string | null }>(sql`
    select i.entry_id, s.seq from reel_log_inbox i
    left join reel_log_sequence s on s.tenant_id = i.tenant_id and s.entry_id = i.entry_id
    where i.tenant_id = ${tenantId}::uuid and (s.seq is not null or not exists (
      select from reel_log_entries e where e.tenant_id = i.tenant_id and e.id = i.entry_id))`);
  return rows.map(({ entry_id, seq }) => ({ entryId: entry_id, placed: seq === null ? null : Number(seq) }));
}
