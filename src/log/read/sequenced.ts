import { sql } from 'kysely';
import { RowMeter, RowsTooLong } from '../../database/counted-query.js';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute, Row } from '../../database/execute.js';
import { isTimeout } from '../../database/unavailable.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { selectList, toEntry } from '../entry/row.js';
import type { Criteria } from '../filter/criteria.js';
import { whereAll } from '../filter/where.js';
import { entriesById } from '../walk/walk.js';

const COLUMNS = sql.raw(selectList());

/** Positions that the first stretch takes. */
const FIRST = 100;
/** A stretch that takes longer is tried again with fewer positions, and so is one whose rows have more bytes. */
const STRETCH_MS = 1_000;
const STRETCH_BYTES = 1_048_576;
/** One that takes less than this share of either is followed by a longer one. */
const SHORT = 1 / 4;

/** Matching entries of one stretch of the sealed order. */
export interface Stretch {
  entries: LogEntry[];
  /** The position up to which everything was read. */
  until: number;
  /** Of its rows. */
  bytes: number;
}

/**
 * Reads one tenant's matching entries in sealed order, stretch by stretch. A stretch has as many positions as its rows and
 * its time allow, so that neither long entries nor costly conditions make a statement long. For exports and followers, whose
 * number is bounded, and who must not be cut off by other reads of their tenant.
 */
export class SequencedReader {
  private size: number;

  /** `most`: positions in one stretch; `bytes`: of its rows. */
  constructor(
    private readonly database: ReadDatabase,
    private readonly criteria: Criteria,
    private readonly most: number,
    private readonly bytes = STRETCH_BYTES,
  ) {
    this.size = Math.min(most, FIRST);
  }

  /** The stretch after one position, up to another at most. Errors: UNAVAILABLE where a single position takes too long. */
  async next(after: number, upTo: number): Promise<Stretch> {
    for (;;) {
      const until = Math.min(after + this.size, upTo);
      const isSingle = until - after <= 1;
      const started = performance.now();
      try {
        const meter = new RowMeter(isSingle ? Number.POSITIVE_INFINITY : this.bytes);
        const entries = await this.database.read(
          this.criteria.scope.tenantId,
          (execute) => entriesAt(execute, this.criteria, after, until),
          { inIndexOrder: true, isBounded: true, meter, ...(isSingle ? {} : { statementMs: STRETCH_MS }) },
        );
        const spent = Math.max(meter.bytes / this.bytes, (performance.now() - started) / STRETCH_MS);
        if (spent < SHORT) this.size = Math.min(this.most, this.size * 2);
        return { entries, until, bytes: meter.bytes };
      } catch (error) {
        if (isSingle || !(isTimeout(error) || error instanceof RowsTooLong)) throw error;
        this.size = Math.max(1, Math.floor((until - after) / 4));
      }
    }
  }
}

/** Matching entries after the sequence `after` up to `upTo`, in sealed order, read stretch by stretch. */
export async function* streamSequenced(
  database: ReadDatabase,
  criteria: Criteria,
  { after, upTo, batchSize }: { after: number; upTo: number; batchSize: number },
): AsyncGenerator<LogEntry[]> {
  const reader = new SequencedReader(database, criteria, batchSize);
  for (let last = after; last < upTo; ) {
    const { entries, until } = await reader.next(last, upTo);
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
