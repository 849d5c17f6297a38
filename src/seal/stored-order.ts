import { sql } from 'kysely';
import type { Row, Run } from '../database/connect.js';
import { type CheckedRow, checkRow, type EntryRow, ROW_COLUMNS } from './check-row.js';
import { TILE_WIDTH } from './frontier.js';
import { CHECKPOINT_COLUMNS, type StoredCheckpoint, toCheckpoint } from './stored-tree.js';

/** A place in the tenant's order as it is stored. */
export interface StoredPlace {
  seq: number;
  entryId: string;
  /** As the order has it. */
  leafHash: Buffer;
  /** Null where the entry's row is gone. */
  entry: CheckedRow | null;
}

interface OrderRow extends Row {
  seq: string;
  entry_id: string;
  leaf_hash: Buffer;
}

/**
 * Places from `from` (exclusive) to `until`, `page` of them at a time, those that are there, in order. The database
 * reads the next page while whoever asks works on one.
 */
export async function* walkPlaces(
  run: Run,
  tenantId: string,
  from: number,
  until: number,
  page: number,
): AsyncGenerator<StoredPlace[]> {
  let order = await readOrder(run, tenantId, from, Math.min(from + page, until));
  let entries = readEntries(run, tenantId, order);
  entries.catch(() => {});
  for (let after = from; after < until; after += page) {
    const following = readOrder(run, tenantId, after + page, Math.min(after + 2 * page, until));
    following.catch(() => {});
    const rows = new Map((await entries).map((row) => [row.id, row]));
    const places = order;
    order = await following;
    entries = readEntries(run, tenantId, order);
    entries.catch(() => {});
    yield places.map((place) => toPlace(place, rows.get(place.entry_id)));
  }
}

const readOrder = (run: Run, tenantId: string, after: number, until: number): Promise<OrderRow[]> =>
  run<OrderRow>(sql`
    select seq, entry_id, leaf_hash from reel_log_sequence
    where tenant_id = ${tenantId}::uuid and seq > ${after} and seq <= ${until} order by seq`);

/** How many times as many entries as are asked for a range of ids may hold and still be the quickest way. */
const MOST_OTHERS = 3;

/** Neighbours in the order are mostly neighbours by id, too: a range of ids is read in half the time of the ids one by one. */
async function readEntries(run: Run, tenantId: string, order: readonly OrderRow[]): Promise<EntryRow[]> {
  if (order.length === 0) return [];
  const ids = order.map((row) => row.entry_id).sort();
  const most = MOST_OTHERS * ids.length;
  const rows = await run<EntryRow>(sql`
    select ${ROW_COLUMNS} from reel_log_entries e
    where e.tenant_id = ${tenantId}::uuid and e.id >= ${ids[0]}::uuid and e.id <= ${ids.at(-1)}::uuid limit ${most + 1}`);
  if (rows.length <= most) return rows;
  return run<EntryRow>(sql`
    select ${ROW_COLUMNS} from reel_log_entries e
    where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
}

const toPlace = ({ seq, entry_id, leaf_hash }: OrderRow, row: EntryRow | undefined): StoredPlace => ({
  seq: Number(seq),
  entryId: entry_id,
  leafHash: leaf_hash,
  entry: row ? checkRow(row) : null,
});

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

/** Tiles that a log of this size has not: beyond its full ones, or of no level. */
export async function readStrayTiles(
  run: Run,
  tenantId: string,
  size: number,
): Promise<{ level: number; index: string }[]> {
  return run<{ level: number; index: string }>(sql`
    select level, tile_index as index from reel_log_tiles
    where tenant_id = ${tenantId}::uuid and (level < 0 or tile_index < 0
      or tile_index >= trunc(${size}::numeric / power(${TILE_WIDTH}::numeric, level + 1)))
    order by level, tile_index limit 1000`);
}

/** The first place whose entry is newer than this id; `end` where there is none. */
export async function placeBefore(run: Run, tenantId: string, id: string, end: number): Promise<number> {
  const [row] = await run<{ seq: string }>(sql`
    select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid and entry_id > ${id}::uuid
    order by entry_id limit 1`);
  return row ? Number(row.seq) : end;
}
