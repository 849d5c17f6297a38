import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { CHECKPOINT_COLUMNS, type StoredCheckpoint, toCheckpoint } from '../../seal/stored-tree.js';

const PAGE_SIZE = 1_000;

/** All of a tenant's checkpoints, by size. */
export async function* walkCheckpoints(execute: Execute, tenantId: string): AsyncGenerator<StoredCheckpoint> {
  let after: number | null = null;
  for (;;) {
    const rows: Row[] = await execute(sql`
      select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
      where tenant_id = ${tenantId}::uuid and (${after}::bigint is null or tree_size > ${after}::bigint)
      order by tree_size limit ${PAGE_SIZE}`);
    for (const row of rows) yield toCheckpoint(row);
    if (rows.length < PAGE_SIZE) return;
    after = toCheckpoint(rows.at(-1)!).treeSize;
  }
}

export async function newestCheckpoints(
  execute: Execute,
  tenantId: string,
  limit: number,
): Promise<StoredCheckpoint[]> {
  const rows = await execute(sql`
    select ${CHECKPOINT_COLUMNS} from reel_log_checkpoints
    where tenant_id = ${tenantId}::uuid order by tree_size desc limit ${limit}`);
  return rows.map(toCheckpoint);
}
