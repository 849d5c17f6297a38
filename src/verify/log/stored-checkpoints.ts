import { sql } from 'kysely';
import type { Row, Run } from '../../database/run.js';
import { CHECKPOINT_COLUMNS, type StoredCheckpoint, toCheckpoint } from '../../seal/stored-tree.js';

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
