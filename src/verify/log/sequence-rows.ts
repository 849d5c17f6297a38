import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './row-check.js';

/** A row of reel_log_sequence with its entry. */
export interface SequenceRow {
  sequence: number;
  entryId: string;
  /** As the row has it. */
  leafHash: Buffer;
  /** Null if the entry's row is missing. */
  entry: CheckedRow | null;
}

export async function lastSequence(execute: Execute, tenantId: string): Promise<number> {
  const [row] = await execute<{ last: string | null }>(
    sql`select max(seq) as last from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
  );
  return Number(row?.last ?? 0);
}

export async function countSequenced(execute: Execute, tenantId: string): Promise<number> {
  const [row] = await execute<{ n: string }>(
    sql`select count(*) as n from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
  );
  return Number(row?.n ?? 0);
}

/** The lowest sequence of an entry newer than this id; `end` if there is none. */
export async function sequenceAfter(
  execute: Execute,
  tenantId: string,
  id: string,
  end: number,
): Promise<number> {
  const [row] = await execute<{ seq: string }>(sql`
    select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid and entry_id > ${id}::uuid
    order by entry_id limit 1`);
  return row ? Number(row.seq) : end;
}

const PAGE_SIZE = 1_000;

/** Rows past the log's `size`, in order. Goes from row to row, since a changed sequence may be anything. */
export async function* walkPastEnd(
  execute: Execute,
  tenantId: string,
  size: number,
): AsyncGenerator<SequenceRow> {
  for (let after = String(size); ; ) {
    const rows: (EntryRow & { seq: string; entry_id: string; leaf_hash: Buffer })[] = await execute(sql`
      select s.seq, s.entry_id, s.leaf_hash, ${ROW_COLUMNS} from reel_log_sequence s
      left join reel_log_entries e on e.tenant_id = ${tenantId}::uuid and e.id = s.entry_id
      where s.tenant_id = ${tenantId}::uuid and s.seq > ${after}::bigint order by s.seq limit ${PAGE_SIZE}`);
    for (const row of rows)
      yield {
        sequence: Number(row.seq),
        entryId: row.entry_id,
        leafHash: row.leaf_hash,
        entry: row.id === null ? null : checkRow(row),
      };
    if (rows.length < PAGE_SIZE) return;
    after = rows.at(-1)!.seq;
  }
}
