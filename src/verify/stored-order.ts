import { sql } from 'kysely';
import { type CopiedRow, FixedColumn } from '../database/copy-out.js';
import type { Row, Run, Snapshot } from '../database/run.js';
import { TILE_WIDTH } from '../seal/frontier.js';
import { HASH_BYTES } from '../seal/merkle.js';
import { CHECKPOINT_COLUMNS, type StoredCheckpoint, toCheckpoint } from '../seal/stored-tree.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './check-row.js';
import { isHexOf } from './hex.js';
import { QUICK_COLUMNS, QUICK_WIDTH, QuickCheck } from './quick-check.js';

/** A place in the tenant's order as it is stored. */
export interface StoredPlace {
  seq: number;
  entryId: string;
  /** As the order has it. */
  leafHash: Buffer;
  /** Null where the entry's row is gone. */
  entry: CheckedRow | null;
}

/** Neighbouring places, with the tiles that are of them. */
export interface StoredPage {
  /** Place before the first one. */
  after: number;
  /** The last one that there may be. */
  until: number;
  tiles: Map<number, StoredTile>;
  /**
   * Leaf hashes of all its places, one after the other, where every place is there, with an entry that is as the order
   * has it and was never erased; otherwise null.
   */
  leaves: Buffer | null;
  /** Those that are there, in order. */
  places(): StoredPlace[];
}

/** Pages that are asked for before their turn, so that the database reads while whoever asks works on one. */
const PAGES_AHEAD = 2;

/** Places 1 to `until`, `width` of them at a time, whole tiles. */
export async function* walkPages(
  run: Snapshot,
  tenantId: string,
  until: number,
  width: number,
): AsyncGenerator<StoredPage> {
  const quick = new QuickCheck(tenantId);
  const ahead: Promise<StoredPage>[] = [];
  let next = 0;
  while (next < until || ahead.length > 0) {
    for (; next < until && ahead.length <= PAGES_AHEAD; next += width) {
      const page = readPage(run, tenantId, next, Math.min(next + width, until), quick);
      // It is awaited, and its fault told, in its turn.
      page.catch(() => {});
      ahead.push(page);
    }
    yield await ahead.shift()!;
  }
}

/** The places of a page that are there, without their entries. */
interface Order {
  seqs: number[];
  ids: FixedColumn;
  leafHashes: FixedColumn;
}

const ID_BYTES = 16;

async function readPage(
  run: Snapshot,
  tenantId: string,
  after: number,
  until: number,
  quick: QuickCheck,
): Promise<StoredPage> {
  const tiles = readTiles(run, tenantId, 0, after / TILE_WIDTH, Math.ceil(until / TILE_WIDTH));
  tiles.catch(() => {});
  const order = await readOrder(run, tenantId, after, until);
  const others = await findOthers(run, tenantId, order, quick);
  const entries = await checkOthers(run, tenantId, order, others);
  const { seqs, ids, leafHashes } = order;
  const isWhole = others.size === 0 && seqs.every((seq, at) => seq === after + at + 1);
  const places = () =>
    seqs.map((seq, at) => {
      const entryId = uuidOf(ids.at(at));
      const leafHash = leafHashes.at(at);
      const entry = others.has(at)
        ? (entries.get(entryId) ?? null)
        : { id: entryId, leaf: leafHash, wrong: [], erasedAt: null };
      return { seq, entryId, leafHash, entry };
    });
  return {
    after,
    until,
    tiles: await tiles,
    leaves: isWhole && seqs.length === until - after ? leafHashes.all() : null,
    places,
  };
}

async function readOrder(run: Snapshot, tenantId: string, after: number, until: number): Promise<Order> {
  const order: Order = {
    seqs: [],
    ids: new FixedColumn(ID_BYTES, until - after),
    leafHashes: new FixedColumn(HASH_BYTES, until - after),
  };
  await run.copy(
    sql`
    select seq::bigint, entry_id::uuid, leaf_hash::bytea from reel_log_sequence
    where tenant_id = ${sql.lit(tenantId)}::uuid and seq > ${sql.lit(after)} and seq <= ${sql.lit(until)} order by seq`,
    3,
    (row) => {
      order.seqs.push(row.bigint(0));
      order.ids.push(row, 1);
      order.leafHashes.push(row, 2);
    },
  );
  return order;
}

/** How many times as many entries as are asked for a range of ids may hold and still be the quickest way. */
const MOST_OTHERS = 3;

/**
 * Places whose entry is not there, or not as the order has it, or not plain (QuickCheck), with the bytes of the entry.
 * Neighbours in the order are mostly neighbours by id, too: a range of ids is read in half the time of the ids one by one.
 */
async function findOthers(
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

const uuidOf = (bytes: Buffer) => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** Read at once: so many, or so many bytes of them. */
const OTHERS_AT_ONCE = { rows: 200, bytes: 4 * 1024 * 1024 };

/** The entries of these places, checked one by one. */
async function checkOthers(
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

export async function lastSequence(run: Run, tenantId: string): Promise<number> {
  const [row] = await run<{ last: string | null }>(
    sql`select max(seq) as last from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
  );
  return Number(row?.last ?? 0);
}

/** Checkpoints by size, from one beyond `after`. */
export async function* walkCheckpoints(run: Run, tenantId: string): AsyncGenerator<StoredCheckpoint> {
  const most = 1_000;
  let after: number | null = null;
  for (;;) {
    const rows: Row[] = await run(sql`
      select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
      where tenant_id = ${tenantId}::uuid and (${after}::bigint is null or tree_size > ${after}::bigint)
      order by tree_size limit ${most}`);
    for (const row of rows) yield toCheckpoint(row);
    if (rows.length < most) return;
    after = toCheckpoint(rows.at(-1)!).treeSize;
  }
}

export async function newestCheckpoints(
  run: Run,
  tenantId: string,
  most: number,
): Promise<StoredCheckpoint[]> {
  const rows = await run(sql`
    select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
    where tenant_id = ${tenantId}::uuid order by tree_size desc limit ${most}`);
  return rows.map(toCheckpoint);
}

export interface StoredTile {
  hashes: Buffer;
  root: Buffer;
}

/** Tiles of a level by index, from `from` to before `end`. */
export async function readTiles(
  run: Run,
  tenantId: string,
  level: number,
  from: number,
  end: number,
): Promise<Map<number, StoredTile>> {
  const rows = await run<{ tile_index: string; hashes: Buffer; root: Buffer }>(sql`
    select tile_index, hashes, root from reel_log_tiles
    where tenant_id = ${tenantId}::uuid and level = ${level} and tile_index >= ${from} and tile_index < ${end}`);
  return new Map(rows.map(({ tile_index, hashes, root }) => [Number(tile_index), { hashes, root }]));
}

/** Tiles that a log of this size has not: beyond its full ones, of no level, or beside another of the same place. */
export async function readStrayTiles(
  run: Run,
  tenantId: string,
  size: number,
): Promise<{ level: number; index: string; copies: string }[]> {
  return run<{ level: number; index: string; copies: string }>(sql`
    select level, tile_index as index, count(*) as copies from reel_log_tiles where tenant_id = ${tenantId}::uuid
    group by level, tile_index having count(*) > 1 or level < 0 or tile_index < 0
      or tile_index >= trunc(${size}::numeric / power(${TILE_WIDTH}::numeric, level + 1))
    order by level, tile_index limit 1000`);
}

/** The first place whose entry is newer than this id; `end` where there is none. */
export async function placeBefore(run: Run, tenantId: string, id: string, end: number): Promise<number> {
  const [row] = await run<{ seq: string }>(sql`
    select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid and entry_id > ${id}::uuid
    order by entry_id limit 1`);
  return row ? Number(row.seq) : end;
}
