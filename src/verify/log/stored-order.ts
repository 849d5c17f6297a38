import { sql } from 'kysely';
import { FixedColumn } from '../../database/copy-out.js';
import type { Run, Snapshot } from '../../database/run.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import type { CheckedRow } from './check-row.js';
import { QuickCheck } from './quick-check.js';
import { checkOthers, findOthers, ID_BYTES, type Order, uuidOf } from './stored-entries.js';
import { readTiles, type StoredTile } from './stored-tiles.js';

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

export async function lastSequence(run: Run, tenantId: string): Promise<number> {
  const [row] = await run<{ last: string | null }>(
    sql`select max(seq) as last from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
  );
  return Number(row?.last ?? 0);
}

/** The first place whose entry is newer than this id; `end` where there is none. */
export async function placeBefore(run: Run, tenantId: string, id: string, end: number): Promise<number> {
  const [row] = await run<{ seq: string }>(sql`
    select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid and entry_id > ${id}::uuid
    order by entry_id limit 1`);
  return row ? Number(row.seq) : end;
}
