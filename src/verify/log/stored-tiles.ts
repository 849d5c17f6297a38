import { sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';

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
