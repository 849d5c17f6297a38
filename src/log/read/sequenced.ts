import { type RawBuilder, sql } from 'kysely';
import { RowMeter, RowsTooLong } from '../../database/counted-query.js';
import type { ReadDatabase, ReadOptions } from '../../database/database.js';
import { asText, type Execute, type Row, type Snapshot, type TextRow } from '../../database/execute.js';
import { isTimeout } from '../../database/unavailable.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { selectList, toEntry } from '../entry/row.js';
import { type EntryColumns, StoredEntry } from '../entry/stored-entry.js';
import type { Criteria } from '../filter/criteria.js';
import { whereAll } from '../filter/where.js';
import { idsWithin, millisecondsOf } from '../walk/id-range.js';
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

/** How stretches are read: for exports and followers, whose number is bounded, and who must not be cut off by other reads of their tenant. */
const READING: ReadOptions = { inIndexOrder: true, isBounded: true };

/**
 * How long a stretch is: as many positions as its rows and its time allow, so that neither long entries nor costly conditions
 * make a statement long.
 */
class StretchLength {
  private size: number;

  /** `most`: positions in one stretch; `bytes`: of its rows. */
  constructor(
    private readonly most: number,
    private readonly bytes: number,
    first = FIRST,
  ) {
    this.size = Math.min(most, first);
  }

  /**
   * Calls `read` for a stretch after one position, up to another at most, with fewer positions again where it takes too long or
   * has too many bytes. Errors: UNAVAILABLE where a single position takes too long.
   */
  async next<T extends { bytes: number }>(
    after: number,
    upTo: number,
    read: (until: number, mostBytes: number, options: ReadOptions) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const until = Math.min(after + this.size, upTo);
      const isSingle = until - after <= 1;
      const started = performance.now();
      try {
        const mostBytes = isSingle ? Number.POSITIVE_INFINITY : this.bytes;
        const stretch = await read(
          until,
          mostBytes,
          isSingle ? READING : { ...READING, statementMs: STRETCH_MS },
        );
        const spent = Math.max(stretch.bytes / this.bytes, (performance.now() - started) / STRETCH_MS);
        if (spent < SHORT) this.size = Math.min(this.most, this.size * 2);
        return stretch;
      } catch (error) {
        if (isSingle || !(isTimeout(error) || error instanceof RowsTooLong)) throw error;
        this.size = Math.max(1, Math.floor((until - after) / 4));
      }
    }
  }
}

/** Reads one tenant's matching entries in sealed order, stretch by stretch. */
export class SequencedReader {
  private readonly length: StretchLength;
  private readonly columns: EntryColumns | null;

  /** `most`: positions in one stretch; `bytes`: of its rows. `columns`: entries are StoredEntries of these. */
  constructor(
    private readonly database: ReadDatabase,
    private readonly criteria: Criteria,
    most: number,
    { bytes = STRETCH_BYTES, columns = null }: { bytes?: number; columns?: EntryColumns | null } = {},
  ) {
    this.columns = columns;
    this.length = new StretchLength(most, bytes);
  }

  /** The stretch after one position, up to another at most. Errors: UNAVAILABLE where a single position takes too long. */
  next(after: number, upTo: number): Promise<Stretch> {
    return this.length.next(after, upTo, async (until, mostBytes, options) => {
      const meter = new RowMeter(mostBytes);
      const entries = await this.database.read(
        this.criteria.scope.tenantId,
        (execute) => entriesAt(execute, this.criteria, this.columns, { after, until }),
        { ...options, meter },
      );
      return { entries, until, bytes: meter.bytes };
    });
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

/** The matching entries at the positions after one up to another; with `columns`, as StoredEntries of these. */
async function entriesAt(
  execute: Execute,
  criteria: Criteria,
  columns: EntryColumns | null,
  { after, until }: { after: number; until: number },
): Promise<LogEntry[]> {
  const positions = await execute<{ seq: string; entry_id: string }>(
    sql`select seq, entry_id from ${positionsOf(criteria, after, until)} positions order by seq`,
  );
  if (positions.length === 0) return [];
  const ids = positions.map((position) => position.entry_id);
  const entries = sql`${entriesById(criteria.scope.tenantId, ids)} entries where ${whereAll(criteria)}`;
  const found = columns ? await storedRows(execute, columns, entries) : await parsedRows(execute, entries);
  return positions.flatMap(({ seq, entry_id }) => found.get(entry_id)?.(seq) ?? []);
}

/** Makes an entry, given its sequence. */
type Sequenced = (seq: string) => LogEntry;

async function parsedRows(execute: Execute, entries: RawBuilder<unknown>): Promise<Map<string, Sequenced>> {
  const rows = await execute<Row>(sql`select ${COLUMNS} from ${entries}`);
  return new Map(
    rows.map((row) => [row.id as string, (seq) => toEntry(Object.assign(row, { sequence: seq }))]),
  );
}

async function storedRows(
  execute: Execute,
  columns: EntryColumns,
  entries: RawBuilder<unknown>,
): Promise<Map<string, Sequenced>> {
  const rows = await execute<TextRow>(asText(sql`select ${sql.raw(columns.everything)} from ${entries}`));
  const [id, sequence] = [columns.placeOf('id'), columns.placeOf('sequence')];
  return new Map(
    rows.map((row) => [row.text(id)!, (seq) => new StoredEntry(row.with(sequence, seq), columns)]),
  );
}

/** Positions, at first and at most, and bytes of rows, in a stretch that is copied. */
const [FIRST_COPIED, COPIED] = [1_000, 40_000];
const COPIED_BYTES = 2 * 1_048_576;

/**
 * As streamSequenced, the rows as COPY has them: `seq`, then the columns of a SELECT from `entries`. While one stretch is used
 * the next is read, but nothing any more once it has ended.
 */
export async function* copySequenced(
  copy: NonNullable<ReadDatabase['copy']>,
  criteria: Criteria,
  columns: RawBuilder<unknown>,
  upTo: number,
): AsyncGenerator<Buffer> {
  const length = new StretchLength(COPIED, COPIED_BYTES, FIRST_COPIED);
  const { tenantId } = criteria.scope;
  const read = (after: number) =>
    length.next(after, upTo, async (until, mostBytes, options) => {
      const stretch = { after, until, mostBytes };
      const rows = await copy(tenantId, (execute) => copyAt(execute, criteria, columns, stretch), {
        ...options,
        joinsOnce: true,
      });
      return { rows, until, bytes: rows?.length ?? 0 };
    });
  let next = upTo > 0 ? read(0) : null;
  try {
    while (next) {
      const { rows, until } = await next;
      next = until < upTo ? read(until) : null;
      // It is awaited later.
      next?.catch(() => {});
      if (rows) yield rows;
    }
  } finally {
    await next?.catch(() => {});
  }
}

/** Null where no entry of the stretch can match. */
async function copyAt(
  execute: Snapshot,
  criteria: Criteria,
  columns: RawBuilder<unknown>,
  { after, until, mostBytes }: { after: number; until: number; mostBytes: number },
): Promise<Buffer | null> {
  const positions = positionsOf(criteria, after, until);
  const [row] = await execute<{ ids: string[] | null }>(sql`
    select percentile_disc(array[${sql.join(SHARES)}]::float8[]) within group (order by entry_id) as ids from ${positions} positions`);
  if (!row?.ids) return null;
  const [first, early, late, last] = row.ids as [string, string, string, string];
  const entries = areTogether(first, early, late, last)
    ? entriesWithin(criteria, first, last)
    : entriesOf(criteria, positions);
  return execute.copyBytes(
    sql`select seq, ${columns} from ${positions} positions join ${entries} entries on id = entry_id order by seq`,
    mostBytes,
  );
}

/** Of a stretch's ids in their order: the first, two with nearly all between them, and the last. */
const SHARES = [0, 0.02, 0.98, 1];
/** How many times as long as nearly all of them all may span for their range to be read as a whole. */
const MAX_SPAN = 4;
/** In milliseconds: what is no longer holds few entries in any case. */
const SHORT_SPAN = 60_000;

/** Entries close in sequence are mostly close in id; but for a clock that was wrong once, a range of ids holds little else. */
function areTogether(first: string, early: string, late: string, last: string): boolean {
  const span = millisecondsOf(last) - millisecondsOf(first);
  return span <= Math.max(SHORT_SPAN, MAX_SPAN * (millisecondsOf(late) - millisecondsOf(early)));
}

/** SQL for the positions after one up to another, without those whose entries' ids say that they are of another time. */
function positionsOf(
  { scope: { tenantId }, start, end }: Criteria,
  after: number,
  until: number,
): RawBuilder<unknown> {
  const { low, high } = idsWithin(start, end);
  const ofTime =
    start === null && end === null ? sql`` : sql`and entry_id >= ${low}::uuid and entry_id <= ${high}::uuid`;
  return sql`(
    select seq, entry_id from reel_log_sequence
    where tenant_id = ${tenantId}::uuid and seq > ${after} and seq <= ${until} ${ofTime} order by seq offset 0
  )`;
}

/** SQL for what matches between two ids. */
const entriesWithin = (criteria: Criteria, first: string, last: string): RawBuilder<unknown> => sql`(
  select * from reel_log_entries where ${whereAll(criteria)} and id >= ${first}::uuid and id <= ${last}::uuid offset 0
)`;

/** SQL for what matches of the entries at some positions, each looked up by its key. */
const entriesOf = (criteria: Criteria, positions: RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  select entries.* from ${positions} wanted cross join lateral (
    select * from reel_log_entries
    where tenant_id = ${criteria.scope.tenantId}::uuid and id >= wanted.entry_id and id <= wanted.entry_id order by id limit 1
  ) entries where ${whereAll(criteria)} offset 0
)`;
