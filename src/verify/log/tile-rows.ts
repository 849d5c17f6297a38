import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import type { Report } from '../fault.js';

export interface StoredTile {
  hashes: Buffer;
  root: Buffer;
}

/** Tiles of one level by index, from `from` (inclusive) to `end` (exclusive). */
export async function readTiles(
  execute: Execute,
  tenantId: string,
  level: number,
  from: number,
  end: number,
): Promise<Map<number, StoredTile>> {
  const rows = await execute<{ tile_index: string; hashes: Buffer; root: Buffer }>(sql`
    select tile_index, hashes, root from reel_log_tiles
    where tenant_id = ${tenantId}::uuid and level = ${level} and tile_index >= ${from} and tile_index < ${end}`);
  return new Map(rows.map(({ tile_index, hashes, root }) => [Number(tile_index), { hashes, root }]));
}

/** Reports tiles that a log of this size does not have: past its last full tile, at an impossible level, or stored twice. */
export async function reportExtraTiles(
  execute: Execute,
  tenantId: string,
  size: number,
  report: Report,
): Promise<void> {
  const rows = await execute<{ level: number; index: string; copies: string }>(sql`
    select level, tile_index as index, count(*) as copies from reel_log_tiles where tenant_id = ${tenantId}::uuid
    group by level, tile_index having count(*) > 1 or level < 0 or tile_index < 0
      or tile_index >= trunc(${size}::numeric / power(${TILE_WIDTH}::numeric, level + 1))
    order by level, tile_index limit ${MAX_REPORTED}`);
  for (const { level, index, copies } of rows)
    report({
      kind: 'tile',
      sequence: size + 1,
      detail: `tile ${index} of level ${level} ${copies === '1' ? 'is past the end of the log' : `is stored ${copies} times`}`,
    });
}

const MAX_REPORTED = 1_000;
