import { sql } from 'kysely';
import { type CopiedRow, FixedColumn } from '../../database/copy-out.js';
import type { Snapshot } from '../../database/execute.js';
import { isHexOf } from '../../log/entry/hex.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { FAST_COLUMN_COUNT, FAST_COLUMNS, type FastRowCheck } from './fast-row-check.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './row-check.js';

/** Rows of reel_log_sequence by column, in order of sequence. */
export interface SequenceColumns {
  sequences: number[];
  ids: FixedColumn;
  leafHashes: FixedColumn;
}

export const ID_BYTES = 16;

/** A scan over a range of ids pays as long as it reads at most so many times the entries wanted. */
const MAX_SCAN_RATIO = 3;

/**
 * Runs the fast check over the entries of some sequence rows. Returns the index of each row whose entry is missing, does
 * not have the row's leaf hash or did not pass, with the entry's size in bytes. Entries close in sequence are mostly close
 * in id: scanning a range of ids takes half the time of looking them up.
 */
export async function findRejected(
  execute: Snapshot,
  tenantId: string,
  { ids, leafHashes }: SequenceColumns,
  fastCheck: FastRowCheck,
): Promise<Map<number, number>> {
  const rejected = new Map<number, number>();
  if (ids.count === 0) return rejected;
  const maxRows = MAX_SCAN_RATIO * ids.count;
  const entries = sql`
    select ${FAST_COLUMNS} from reel_log_entries e where e.tenant_id = ${sql.lit(tenantId)}::uuid`;
  const indexOf = indexById(ids);
  const isMet = new Uint8Array(ids.count);
  let rows = 0;
  const check = (row: CopiedRow) => {
    rows += 1;
    const index = indexOf(row);
    if (index === undefined) return;
    const leaf = isMet[index] === 1 ? null : fastCheck.leafHash(row);
    isMet[index] = 1;
    if (leaf === null || !isHexOf(leaf, leafHashes.bytes, index * HASH_BYTES, HASH_BYTES))
      rejected.set(index, (rejected.get(index) ?? 0) + row.size);
  };
  const [first, last] = rangeOf(ids);
  await execute.copy(
    sql`${entries} and e.id >= ${sql.lit(first)}::uuid and e.id <= ${sql.lit(last)}::uuid limit ${sql.lit(maxRows + 1)}`,
    FAST_COLUMN_COUNT,
    check,
  );
  if (rows > maxRows) {
    rejected.clear();
    isMet.fill(0);
    await execute.copy(
      sql`${entries} and e.id in (${sql.join(ids.each().map((id) => sql.lit(uuidOf(id))))})`,
      FAST_COLUMN_COUNT,
      check,
    );
  }
  for (let index = 0; index < ids.count; index += 1) if (isMet[index] === 0) rejected.set(index, 0);
  return rejected;
}

/** Finds the index of a copied row by its id, the first column; it mostly follows the one before. */
function indexById(ids: FixedColumn): (row: CopiedRow) => number | undefined {
  let next = 0;
  let indexes: Map<string, number> | null = null;
  return (row) => {
    if (next < ids.count && row.isAt(0, ids.bytes, next * ID_BYTES)) return next++;
    indexes ??= new Map(ids.each().map((id, index) => [id.toString('latin1'), index]));
    const index = indexes.get(row.latin1(0));
    if (index !== undefined) next = index + 1;
    return index;
  };
}

/** The smallest and the largest id. */
function rangeOf(ids: FixedColumn): [string, string] {
  let [first, last] = [0, 0];
  for (let index = 1; index < ids.count; index += 1) {
    if (ids.compare(index, first) < 0) first = index;
    else if (ids.compare(index, last) > 0) last = index;
  }
  return [uuidOf(ids.at(first)), uuidOf(ids.at(last))];
}

export const uuidOf = (bytes: Buffer) =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** Entries that one query reads, at most; a single larger one is read alone. */
const BATCH = { rows: 200, bytes: 4 * 1024 * 1024 };

/** Runs the full check over the entries that the fast one rejected; by id, without those that are missing. */
export async function checkRejected(
  execute: Snapshot,
  tenantId: string,
  { ids }: SequenceColumns,
  rejected: ReadonlyMap<number, number>,
): Promise<Map<string, CheckedRow>> {
  const entries = new Map<string, CheckedRow>();
  for (const batch of batchesOf(rejected)) {
    const wanted = batch.map((index) => uuidOf(ids.at(index)));
    const rows = await execute<EntryRow>(sql`
      select ${ROW_COLUMNS} from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and e.id = any (${wanted}::uuid[])`);
    for (const row of rows) {
      const entry = checkRow(row);
      // The primary key can have been dropped.
      if (entries.has(entry.id)) entry.problems.push('more than one row has this id');
      entries.set(entry.id, entry);
    }
  }
  return entries;
}

function* batchesOf(sizes: ReadonlyMap<number, number>): Generator<number[]> {
  let batch: number[] = [];
  let bytes = 0;
  for (const [index, size] of sizes) {
    if (batch.length === BATCH.rows || (batch.length > 0 && bytes + size > BATCH.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(index);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
