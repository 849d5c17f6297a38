import { sql } from 'kysely';
import type { Row, Run, Snapshot } from '../database/run.js';
import { type CheckedRow, checkRow, ROW_COLUMNS, readEntryRow } from './check-row.js';
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

/** Neighbouring places, with the tiles that are of them. */
export interface StoredPage {
  /** Place before the first one. */
  after: number;
  /** The last one that there may be. */
  until: number;
  tiles: Map<number, StoredTile>;
  /** Leaf hashes of all its places, one after the other, where somebody else found each of them well. */
  leaves: Buffer | null;
  /** Those that are there, in order; empty where `leaves` is not null. */
  places: StoredPlace[];
}

/** Reads a page and answers its leaf hashes; null where anything is to be said of it (checkPage). */
export type CheckPage = (after: number, until: number) => Promise<Buffer | null>;

/** Others that check pages, in the same snapshot. */
export interface Elsewhere {
  check: CheckPage;
  /** Pages that they have before them at a time. */
  ahead: number;
  /** Entries that a log has at the least for it to pay. */
  least: number;
}

/** Pages that are asked for before their turn, so that the database reads while whoever asks works on one. */
const PAGES_AHEAD = 2;

/** Places 1 to `until`, `width` of them at a time, whole tiles. */
export async function* walkPages(
  run: Snapshot,
  tenantId: string,
  until: number,
  width: number,
  elsewhere: Elsewhere | null,
): AsyncGenerator<StoredPage> {
  const most = elsewhere?.ahead ?? PAGES_AHEAD;
  const ahead: Promise<StoredPage>[] = [];
  let next = 0;
  while (next < until || ahead.length > 0) {
    for (; next < until && ahead.length <= most; next += width) {
      const page = readPage(run, tenantId, next, Math.min(next + width, until), elsewhere?.check);
      // It is awaited, and its fault told, in its turn.
      page.catch(() => {});
      ahead.push(page);
    }
    yield await ahead.shift()!;
  }
}

async function readPage(
  run: Snapshot,
  tenantId: string,
  after: number,
  until: number,
  check: CheckPage = async () => null,
): Promise<StoredPage> {
  const tiles = readTiles(run, tenantId, 0, after / TILE_WIDTH, Math.ceil(until / TILE_WIDTH));
  const leaves = await check(after, until);
  const places = leaves ? [] : await readPlaces(run, tenantId, after, until);
  return { after, until, tiles: await tiles, leaves, places };
}

/** Places after `after` up to `until`, those that are there, in order. */
export async function readPlaces(
  run: Snapshot,
  tenantId: string,
  after: number,
  until: number,
): Promise<StoredPlace[]> {
  const order = await run.copy(
    sql`
    select seq, entry_id, encode(leaf_hash, 'hex') from reel_log_sequence
    where tenant_id = ${sql.lit(tenantId)}::uuid and seq > ${sql.lit(after)} and seq <= ${sql.lit(until)} order by seq`,
    (line) => {
      const [seq, entryId, leafHash] = line.split('\t');
      return { seq: Number(seq), entryId: entryId!, leafHash: Buffer.from(leafHash!, 'hex') };
    },
  );
  const ids = order.map(({ entryId }) => entryId);
  const entries = new Map((await readEntries(run, tenantId, ids)).map((entry) => [entry.id, entry]));
  return order.map((place) => ({ ...place, entry: entries.get(place.entryId) ?? null }));
}

/** Leaf hashes of a page all of whose places are there, each with an entry that is as the order has it and was never erased; otherwise null. */
export async function checkPage(
  run: Snapshot,
  tenantId: string,
  after: number,
  until: number,
): Promise<Buffer | null> {
  const places = await readPlaces(run, tenantId, after, until);
  const isWell = places.every(
    ({ seq, leafHash, entry }, at) =>
      seq === after + at + 1 &&
      entry?.wrong.length === 0 &&
      entry.erasedAt === null &&
      entry.leaf.equals(leafHash),
  );
  return isWell && places.length === until - after
    ? Buffer.concat(places.map(({ leafHash }) => leafHash))
    : null;
}

/** How many times as many entries as are asked for a range of ids may hold and still be the quickest way. */
const MOST_OTHERS = 3;

/** Neighbours in the order are mostly neighbours by id, too: a range of ids is read in half the time of the ids one by one. */
async function readEntries(run: Snapshot, tenantId: string, ids: readonly string[]): Promise<CheckedRow[]> {
  if (ids.length === 0) return [];
  const sorted = ids.toSorted();
  const [first, last] = [sql.lit(sorted[0]!), sql.lit(sorted.at(-1)!)];
  const most = MOST_OTHERS * ids.length;
  const entries = sql`
    select ${ROW_COLUMNS} from reel_log_entries e where e.tenant_id = ${sql.lit(tenantId)}::uuid`;
  const check = (line: string) => checkRow(readEntryRow(line));
  const rows = await run.copy(
    sql`${entries} and e.id >= ${first}::uuid and e.id <= ${last}::uuid limit ${sql.lit(most + 1)}`,
    check,
  );
  if (rows.length <= most) return rows;
  return run.copy(sql`${entries} and e.id in (${sql.join(ids.map((id) => sql.lit(id)))})`, check);
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
