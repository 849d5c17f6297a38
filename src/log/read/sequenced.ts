import { sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute, Row } from '../../database/execute.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { selectList, toEntry } from '../entry/row.js';
import type { Criteria } from '../filter/criteria.js';
import { whereAll } from '../filter/where.js';
import { entriesById } from '../walk/walk.js';

const COLUMNS = sql.raw(selectList());

/**
 * Matching entries after the sequence `after` up to `upTo`, in sealed order, read batch by batch: for exports and followers,
 * whose number is bounded, and who must not be cut off by other reads of their tenant.
 */
export async function* streamSequenced(
  database: ReadDatabase,
  criteria: Criteria,
  { after, upTo, batchSize }: { after: number; upTo: number; batchSize: number },
): AsyncGenerator<LogEntry[]> {
  for (let last = after; last < upTo; ) {
    const until = Math.min(last + batchSize, upTo);
    const entries = await database.read(
      criteria.scope.tenantId,
      (execute) => entriesAt(execute, criteria, last, until),
      { inIndexOrder: true, isBounded: true },
    );
    if (entries.length > 0) yield entries;
    last = until;
  }
}

/** The matching entries at the positions after one up to another. */
async function entriesAt(
  execute: Execute,
  criteria: Criteria,
  after: number,
  until: number,
): Promise<LogEntry[]> {
  const { tenantId } = criteria.scope;
  const positions = await execute<{ seq: string; entry_id: string }>(sql`
    select seq, entry_id from reel_log_sequence
    where tenant_id = ${tenantId}::uuid and seq > ${after} and seq <= ${until} order by seq`);
  if (positions.length === 0) return [];
  const ids = positions.map((position) => position.entry_id);
  const rows = await execute<Row>(
    sql`select ${COLUMNS} from ${entriesById(tenantId, ids)} entries where ${whereAll(criteria)}`,
  );
  const found = new Map(rows.map((row) => [row.id as string, row]));
  return positions.flatMap(({ seq, entry_id }) => {
    const row = found.get(entry_id);
    return row ? [toEntry(Object.assign(row, { sequence: seq }))] : [];
  });
}
