import { sql } from 'kysely';
import { type CopiedRow, FixedColumn } from '../../database/copy-out.js';
import type { Snapshot } from '../../database/run.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { isHexOf } from '../canonical/hex.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './check-row.js';
import { QUICK_COLUMNS, QUICK_WIDTH, QuickCheck } from './quick-check.js';

/** The places of a page that are there, without their entries. */
export interface Order {
  seqs: number[];
  ids: FixedColumn;
  leafHashes: FixedColumn;
}

export const ID_BYTES = 16;

/** How many times as many entries as are asked for a range of ids may hold and still be the quickest way. */
const MOST_OTHERS = 3;

/**
 * Places whose entry is not there, or not as the order has it, or not plain (QuickCheck), with the bytes of the entry.
 * Neighbours in the order are mostly neighbours by id, too: a range of ids is read in half the time of the ids one by one.
 */
export async function findOthers(
  run: Snapshot,
  tenantId: string,
  { ids, leafHashes }: Order,
  quick: QuickCheck,
): Promise<Map<number, number>> {
  const others = new Map<number, number>();
  if (ids.count === 0) return others;
  const most = MOST_OTHERS * ids.count;
  const entries = sql`
    select ${QUICK_COLUMNS} from reel_log_entries e where e.tenant_id = ${sql.lit(tenantId)}::uuid`;
  const placeOf = placesByRow(ids);
  const isMet = new Uint8Array(ids.count);
  let rows = 0;
  const check = (row: CopiedRow) => {
    rows += 1;
    const at = placeOf(row);
    if (at === undefined) return;
    const leaf = isMet[at] === 1 ? null : quick.leafOf(row);
    isMet[at] = 1;
    if (leaf === null || !isHexOf(leaf, leafHashes.bytes, at * HASH_BYTES, HASH_BYTES))
      others.set(at, (others.get(at) ?? 0) + row.size);
  };
  const [first, last] = rangeOf(ids);
  await run.copy(
    sql`${entries} and e.id >= ${sql.lit(first)}::uuid and e.id <= ${sql.lit(last)}::uuid limit ${sql.lit(most + 1)}`,
    QUICK_WIDTH,
    check,
  );
  if (rows > most) {
    others.clear();
    isMet.fill(0);
    await run.copy(
      sql`${entries} and e.id in (${sql.join(ids.each().map((id) => sql.lit(uuidOf(id))))})`,
      QUICK_WIDTH,
      check,
    );
  }
  for (let at = 0; at < ids.count; at += 1) if (isMet[at] === 0) others.set(at, 0);
  return others;
}

/** Finds the place of a row by its first column: mostly the one after that of the row before. */
function placesByRow(ids: FixedColumn): (row: CopiedRow) => number | undefined {
  let next = 0;
  let known: Map<string, number> | null = null;
  return (row) => {
    if (next < ids.count && row.isAt(0, ids.bytes, next * ID_BYTES)) return next++;
    known ??= new Map(ids.each().map((id, at) => [id.toString('latin1'), at]));
    const at = known.get(row.latin1(0));
    if (at !== undefined) next = at + 1;
    return at;
  };
}

/** The smallest and the largest id. */
function rangeOf(ids: FixedColumn): [string, string] {
  let [first, last] = [0, 0];
  for (let at = 1; at < ids.count; at += 1) {
    if (ids.compare(at, first) < 0) first = at;
    else if (ids.compare(at, last) > 0) last = at;
  }
  return [uuidOf(ids.at(first)), uuidOf(ids.at(last))];
}

export const uuidOf = (bytes: Buffer) =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** Read at once: so many, or so many bytes of them. */
const OTHERS_AT_ONCE = { rows: 200, bytes: 4 * 1024 * 1024 };

/** The entries of these places, checked one by one. */
export async function checkOthers(
  run: Snapshot,
  tenantId: string,
  { ids }: Order,
  others: ReadonlyMap<number, number>,
): Promise<Map<string, CheckedRow>> {
  const entries = new Map<string, CheckedRow>();
  for (const batch of batchesOf(others)) {
    const wanted = batch.map((at) => uuidOf(ids.at(at)));
    const rows = await run<EntryRow>(sql`
      select ${ROW_COLUMNS} from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and e.id = any (${wanted}::uuid[])`);
    for (const row of rows) {
      const entry = checkRow(row);
      // The primary key keeps others out, unless somebody took it away.
      if (entries.has(entry.id)) entry.wrong.push('its row, of which there are two');
      entries.set(entry.id, entry);
    }
  }
  return entries;
}

function* batchesOf(others: ReadonlyMap<number, number>): Generator<number[]> {
  let batch: number[] = [];
  let bytes = 0;
  for (const [at, size] of others) {
    if (batch.length === OTHERS_AT_ONCE.rows || (batch.length > 0 && bytes + size > OTHERS_AT_ONCE.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(at);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
