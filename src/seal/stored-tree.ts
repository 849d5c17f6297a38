import { type RawBuilder, sql } from 'kysely';
import type { Execute, Row } from '../database/execute.js';
import { instant } from '../log/entry/instant.js';
import { insertion } from '../log/write/insertion.js';
import { CompactRange, hashesAt, splitHashes, TILE_WIDTH, type Tile } from './compact-range.js';
import { foldHashes, type Node, type ReadNodes } from './merkle.js';

/** A row of reel_log_checkpoints. */
export interface StoredCheckpoint {
  treeSize: number;
  /** Size of the checkpoint before; 0 for the first. */
  previousSize: number;
  rootHash: Buffer;
  /** `2026-01-05T10:00:00.123456Z`. */
  sealedAt: string;
  note: string;
}

interface CheckpointRow extends Row {
  tree_size: string;
  previous_size: string;
  root_hash: Buffer;
  sealed_at: string;
  note: string;
}

export const CHECKPOINT_COLUMNS = sql`tree_size, previous_size, root_hash, sealed_at::text as sealed_at, note`;

export const toCheckpoint = (row: Row): StoredCheckpoint => {
  const { tree_size, previous_size, root_hash, sealed_at, note } = row as CheckpointRow;
  return {
    treeSize: Number(tree_size),
    previousSize: Number(previous_size),
    rootHash: root_hash,
    sealedAt: instant(sealed_at),
    note,
  };
};

export async function newestCheckpoint(execute: Execute, tenantId: string): Promise<StoredCheckpoint | null> {
  const [row] = await execute(sql`
    select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
    where tenant_id = ${tenantId}::uuid order by tree_size desc limit 1`);
  return row ? toCheckpoint(row) : null;
}

/** The smallest checkpoint of a size of at least `sequence`. */
export async function checkpointCovering(
  execute: Execute,
  tenantId: string,
  sequence: number,
): Promise<StoredCheckpoint | null> {
  const [row] = await execute(sql`
    select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
    where tenant_id = ${tenantId}::uuid and tree_size >= ${sequence} order by tree_size limit 1`);
  return row ? toCheckpoint(row) : null;
}

/** The newest checkpoint of each tenant that has one. */
export async function newestCheckpoints(
  execute: Execute,
  tenantIds: readonly string[],
): Promise<Map<string, StoredCheckpoint>> {
  const [tenantId] = tenantIds;
  // Statements over several tenants are not for a cluster.
  if (tenantIds.length === 1 && tenantId !== undefined) {
    const newest = await newestCheckpoint(execute, tenantId);
    return new Map(newest ? [[tenantId, newest]] : []);
  }
  const rows = await execute<Row & { of: string }>(sql`
    select wanted.tenant_id as of, c.* from unnest(${tenantIds}::uuid[]) wanted(tenant_id) cross join lateral (
      select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
      where tenant_id = wanted.tenant_id order by tree_size desc limit 1
    ) c`);
  return new Map(rows.map((row) => [row.of, toCheckpoint(row)]));
}

/** Something of a tenant's log. */
export interface OfTenant<T> {
  readonly tenantId: string;
  readonly value: T;
}

/** In one statement. */
export async function insertCheckpoints(
  execute: Execute,
  checkpoints: readonly OfTenant<StoredCheckpoint>[],
): Promise<void> {
  const columns = ['tenant_id', 'tree_size', 'previous_size', 'root_hash', 'sealed_at', 'note'];
  const rows = checkpoints.map(
    ({ tenantId, value: { treeSize, previousSize, rootHash, sealedAt, note } }) => [
      tenantId,
      treeSize,
      previousSize,
      rootHash,
      sealedAt,
      note,
    ],
  );
  await execute(insertion('reel_log_checkpoints', columns, rows));
}

/** In one statement. */
export async function insertTiles(execute: Execute, tiles: readonly OfTenant<Tile>[]): Promise<void> {
  if (tiles.length === 0) return;
  const columns = ['tenant_id', 'level', 'tile_index', 'hashes', 'root'];
  const rows = tiles.map(({ tenantId, value: { level, index, hashes, root } }) => [
    tenantId,
    level,
    index,
    hashes,
    root,
  ]);
  await execute(insertion('reel_log_tiles', columns, rows));
}

interface HashRow extends Row {
  level: number;
  hash: Buffer;
}

/** The partial tiles of a log of `size`, by level: leaf hashes from the sequence, above them the roots of full tiles. */
export async function readPartialTiles(
  execute: Execute,
  tenantId: string,
  size: number,
): Promise<Buffer[][]> {
  const parts: RawBuilder<unknown>[] = [
    sql`select 0 as level, seq as position, leaf_hash as hash from reel_log_sequence
      where tenant_id = ${tenantId}::uuid and seq > ${size - (size % TILE_WIDTH)} and seq <= ${size}`,
  ];
  for (let level = 1; hashesAt(level, size) > 0; level += 1) {
    const end = hashesAt(level, size);
    parts.push(sql`select ${level} as level, tile_index as position, root as hash from reel_log_tiles
      where tenant_id = ${tenantId}::uuid and level = ${level - 1}
        and tile_index >= ${end - (end % TILE_WIDTH)} and tile_index < ${end}`);
  }
  const rows = await execute<HashRow>(sql`
    select level::integer as level, hash from (${sql.join(parts, sql` union all `)}) p order by level, position`);
  return parts.map((_, level) => rows.filter((row) => row.level === level).map((row) => row.hash));
}

const PAGE_SIZE = 10_240;

/** Recomputes the compact range from every leaf hash; `onTiles` gets the full tiles. Errors: an Error for a gap. */
export async function rebuildCompactRange(
  execute: Execute,
  tenantId: string,
  size: number,
  onTiles: (tiles: readonly Tile[]) => Promise<void> = async () => {},
): Promise<CompactRange> {
  const compactRange = new CompactRange();
  while (compactRange.size < size) {
    const until = Math.min(compactRange.size + PAGE_SIZE, size);
    const rows = await execute<{ leaf_hash: Buffer }>(sql`
      select leaf_hash from reel_log_sequence
      where tenant_id = ${tenantId}::uuid and seq > ${compactRange.size} and seq <= ${until} order by seq`);
    if (rows.length !== until - compactRange.size)
      throw new Error(
        `expected sequences ${compactRange.size + 1} to ${until} of tenant ${tenantId}, got ${rows.length} of them`,
      );
    await onTiles(compactRange.append(rows.map((row) => row.leaf_hash)));
  }
  return compactRange;
}

interface TileRow extends Row {
  level: number;
  tile_index: string;
  hashes: Buffer;
}

/**
 * Reads nodes of the tree over the first `size` leaves, in two statements at most. A node of level 8 L + r is the root of
 * 2^r hashes of one tile of level L. Errors: an Error for a missing tile.
 */
export const storedNodes =
  (execute: Execute, tenantId: string, size: number): ReadNodes =>
  async (nodes) => {
    const wanted = new Map<number, Set<number>>();
    for (const { level, index } of nodes.map(tileSpanOf)) {
      const indexes = wanted.get(level) ?? new Set();
      wanted.set(level, indexes.add(index));
    }
    if (wanted.size === 0) return [];
    const conditions = [...wanted].map(
      ([level, indexes]) => sql`(level = ${level} and tile_index = any (${[...indexes]}::bigint[]))`,
    );
    const rows = await execute<TileRow>(sql`
      select level, tile_index, hashes from reel_log_tiles
      where tenant_id = ${tenantId}::uuid and (${sql.join(conditions, sql` or `)})`);
    const tiles = new Map(rows.map((row) => [`${row.level}/${row.tile_index}`, splitHashes(row.hashes)]));
    const isPartial = [...wanted].some(([level, indexes]) =>
      indexes.has(Math.floor(hashesAt(level, size) / TILE_WIDTH)),
    );
    const partial = isPartial ? await readPartialTiles(execute, tenantId, size) : [];
    const known = new Map<string, Buffer>();
    return nodes.map((node) => {
      const { level, index, start, width } = tileSpanOf(node);
      const hashes =
        tiles.get(`${level}/${index}`) ??
        (index === Math.floor(hashesAt(level, size) / TILE_WIDTH) ? partial[level] : undefined);
      if (!hashes || hashes.length < start + width)
        throw new Error(`expected tile ${index} of level ${level} of tenant ${tenantId}, got none`);
      return hashSpan(known, `${level}/${index}`, hashes, start, width);
    });
  };

/** The hashes of a tile, from `start`, that a node is the root of. */
function tileSpanOf({ level, index }: Node): { level: number; index: number; start: number; width: number } {
  const width = 2 ** (level % 8);
  const first = index * width;
  return {
    level: Math.floor(level / 8),
    index: Math.floor(first / TILE_WIDTH),
    start: first % TILE_WIDTH,
    width,
  };
}

/** Hashes each subtree of a tile once, however many paths need it. */
function hashSpan(
  known: Map<string, Buffer>,
  tile: string,
  hashes: readonly Buffer[],
  start: number,
  width: number,
): Buffer {
  if (width === 1) return hashes[start]!;
  const name = `${tile}/${start}/${width}`;
  const before = known.get(name);
  if (before) return before;
  const half = width / 2;
  const hash = foldHashes([
    hashSpan(known, tile, hashes, start, half),
    hashSpan(known, tile, hashes, start + half, half),
  ]);
  known.set(name, hash);
  return hash;
}
