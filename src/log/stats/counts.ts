import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { everyTest, subjectOf } from '../filter/condition.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { idFloor, whereAll, whereInScope, whereMatches } from '../filter/where.js';
import { CountPrecision, type LogCount } from './log-count.js';
import {
  ACTOR_KEYS,
  COUNTED_VALUES,
  type CountedValue,
  STORED_COUNTS,
  STORED_SEVERITY_COUNTS,
  STORED_VALUE_COUNTS,
  VALUE_OF,
} from './stored-counts.js';
import {
  EARLIEST,
  fromMicros,
  LATEST,
  type Micros,
  QUARTER,
  SPAN_MINUTES,
  type Span,
  splitTime,
  type TimeRange,
  toMicros,
  toTimestamp,
} from './time-spans.js';

export { CountPrecision, type LogCount };

/** How precisely counted rows are placed in time. */
export interface Resolution {
  /** The longest span that one row may cover. */
  largest: Span;
  /** The shortest; what lies outside of such spans is counted singly. */
  smallest?: Span;
  /** Instants that no row may cross. */
  cuts?: readonly Micros[];
  /** Further columns of entries that are counted singly. */
  columns?: readonly string[];
  /** Whether the rows' clients and modules, which may then be null, are not looked at. */
  bySeverity?: boolean;
}

/** A count that need not be exact stops here. */
export const COUNT_CAP = 10_000;

/**
 * SQL for the counts of matching entries, as rows (at timestamptz, client_id uuid, module text, severity smallint, n bigint):
 * n entries within at most the largest span from `at` on. Each matching entry is counted in exactly one row of a snapshot.
 * Reads the stored counts, the entries in the inbox, and the entries of partial quarters; if the filter has conditions on
 * fields that are not counted, only entries.
 */
export function matchCounts(
  criteria: Criteria,
  { largest, cuts = [], bySeverity = false }: Resolution,
): RawBuilder<unknown> {
  if (!isCountable(criteria))
    return sql`(select created_at as at, client_id, module, severity, 1::bigint as n
      from reel_log_entries where ${whereAll(criteria)})`;
  const { from, until } = rangeOf(criteria);
  const counted = splitTime(from, until, cuts, largest).filter((range) => range.span !== 'entry');
  const rest = uncountedMatches(criteria, { largest, cuts });
  return counted.length > 0
    ? sql`(${fromCounts(criteria, counted, bySeverity)} union all select * from ${rest} rest)`
    : rest;
}

/** The rows of matchCounts that are not from stored counts: entries in the inbox and in partial quarters. */
export function uncountedMatches(
  criteria: Criteria,
  { largest, smallest, cuts = [], columns = [] }: Resolution,
): RawBuilder<unknown> {
  const { from, until } = rangeOf(criteria);
  const ranges = splitTime(from, until, cuts, largest, smallest);
  const counted = ranges.filter((range) => range.span !== 'entry');
  const single = ranges.filter((range) => range.span === 'entry');
  const parts = [
    ...(counted.length > 0 ? [fromInbox(criteria, counted, columns)] : []),
    ...(single.length > 0 || counted.length === 0 ? [fromEntries(criteria, single, columns)] : []),
  ];
  return sql`(${sql.join(parts, sql` union all `)})`;
}

/** From inclusive to exclusive. */
export function rangeOf(criteria: Criteria): { from: Micros; until: Micros } {
  return {
    from: criteria.start === null ? EARLIEST : toMicros(criteria.start),
    until: criteria.end === null ? LATEST : toMicros(criteria.end) + 1n,
  };
}

// In all three OFFSET 0 makes the planner walk one index per range or entry, whatever it estimates their number to be, and the
// order says which: no other has it.

const fromCounts = (criteria: Criteria, ranges: readonly TimeRange[], bySeverity: boolean) => sql`
  select c.bucket as at, c.client_id, c.module, c.severity, c.count as n
  from unnest(${ranges.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[], ${lows(ranges)}::timestamptz[],
    ${highs(ranges)}::timestamptz[]) r(minutes, low, high)
  cross join lateral (
    select bucket, client_id, module, severity, count from ${storedCounts(criteria, bySeverity)} stored
    where ${whereMatches(criteria)} and span = r.minutes and bucket >= r.low and bucket < r.high
    order by bucket offset 0
  ) c`;

/** Entries that are not counted yet. An instant is within a range if it is after an odd number of the ranges' ends. */
const fromInbox = (criteria: Criteria, ranges: readonly TimeRange[], columns: readonly string[]) => sql`
  select e.created_at as at, e.client_id, e.module, e.severity, 1::bigint as n${listed('e', columns)}
  from (
    select entry_id from reel_log_inbox
    where ${whereInScope({ ...criteria.scope, clients: null })}
      and entry_id >= ${firstId(ranges[0]!)}::uuid and entry_id < ${idBeyond(ranges.at(-1)!)}::uuid
    order by entry_id offset 0
  ) waiting
  cross join lateral (
    select created_at, client_id, module, severity${listed('reel_log_entries', columns)} from reel_log_entries
    where ${whereMatches(criteria)} and id >= waiting.entry_id and id <= waiting.entry_id order by id limit 1
  ) e
  where width_bucket(e.created_at, ${ranges.flatMap(({ from, until }) => [toTimestamp(from), toTimestamp(until)])}::timestamptz[]) % 2 = 1`;

const fromEntries = (criteria: Criteria, ranges: readonly TimeRange[], columns: readonly string[]) => sql`
  select e.created_at as at, e.client_id, e.module, e.severity, 1::bigint as n${listed('e', columns)}
  from unnest(${ranges.map(firstId)}::uuid[], ${ranges.map(idBeyond)}::uuid[], ${lows(ranges)}::timestamptz[],
    ${highs(ranges)}::timestamptz[]) r(first, beyond, low, high)
  cross join lateral (
    select created_at, client_id, module, severity${listed('reel_log_entries', columns)} from reel_log_entries
    where ${whereMatches(criteria)} and id >= r.first and id < r.beyond
      and created_at >= r.low and created_at < r.high
    order by id offset 0
  ) e`;

const listed = (table: string, columns: readonly string[]) =>
  sql.join([sql``, ...columns.map((column) => sql`${sql.ref(`${table}.${column}`)}`)]);

/** Those of fewest rows that have what the filter, or its reader, asks of them. */
export const storedCounts = ({ scope, conditions }: Criteria, bySeverity: boolean): RawBuilder<unknown> =>
  bySeverity &&
  scope.clients === null &&
  conditions.every((condition) => everyTest(condition, (test) => subjectOf(test) === 'severity'))
    ? STORED_SEVERITY_COUNTS
    : STORED_COUNTS;

/** By whole days. */
const BY_DAY = { largest: 'block', smallest: 'day' } as const;
/** Rows of stored counts that are summed up; where there are more, as values that are one entry's alone, entries are walked instead. */
const MAX_VALUE_ROWS = 200_000;

/** How many matching entries have each value, if isCountedByValue, the most frequent `most` of them; null where over `mostRows` stored counts would have to be summed up. */
export async function countValues(
  execute: Execute,
  criteria: Criteria,
  field: CountedValue,
  most: number,
  mostRows = MAX_VALUE_ROWS,
): Promise<{ value: string | null; kind: number; n: string }[] | null> {
  const { from, until } = rangeOf(criteria);
  const ranges = splitTime(from, until, [], BY_DAY.largest, BY_DAY.smallest).filter(
    (range) => range.span !== 'entry',
  );
  const { columns, value, kind } = VALUE_OF[field];
  const stored = sql`
    select c.value, c.kind, c.count as n
    from unnest(${ranges.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[], ${lows(ranges)}::timestamptz[],
      ${highs(ranges)}::timestamptz[]) r(minutes, low, high)
    cross join lateral (
      select value, kind, count from ${STORED_VALUE_COUNTS} stored
      where ${whereMatches(criteria)} and field = ${sql.lit(COUNTED_VALUES[field])} and span = r.minutes
        and bucket >= r.low and bucket < r.high order by bucket offset 0
    ) c limit ${mostRows + 1}`;
  const rows = await execute<{ value: string | null; kind: number; n: string; of: string }>(sql`
    with stored as materialized (${stored})
    select value, min(kind) as kind, sum(n) as n, (select count(*) from stored) as of from (
      select case when kind = ${sql.lit(ACTOR_KEYS.none)} then null else value end as value, kind, n from stored
      union all
      select ${value} collate "C", ${kind}, n from ${uncountedMatches(criteria, { ...BY_DAY, columns })} uncounted
    ) counted group by value having sum(n) > 0 order by n desc, value nulls last limit ${most}`);
  return Number(rows[0]?.of ?? 0) > mostRows ? null : rows;
}

/** Whether the counts by value suffice: for conditions on clients alone. */
export const isCountedByValue = ({ conditions }: Criteria): boolean =>
  conditions.every((condition) => everyTest(condition, (test) => subjectOf(test) === 'clientId'));

const lows = (ranges: readonly TimeRange[]) => ranges.map((range) => toTimestamp(range.from));
const highs = (ranges: readonly TimeRange[]) => ranges.map((range) => toTimestamp(range.until));
const firstId = (range: TimeRange) => idFloor(fromMicros(range.from));
const idBeyond = (range: TimeRange) => idFloor(fromMicros(range.until), 1);

/** How many entries match, if isCountable. */
export async function sumCounts(execute: Execute, criteria: Criteria): Promise<number> {
  const [row] = await execute<{ count: string | null }>(
    sql`select sum(n) as count from ${matchCounts(criteria, { largest: 'block', bySeverity: true })} counts`,
  );
  return Number(row?.count ?? 0);
}

/** Where to start reading a page: within these bounds, both inclusive, after `skip` entries. */
export interface PageStart {
  from?: string;
  until?: string;
  skip: number;
}

/** Up to this offset skipping entries costs less than reading counts. */
const MAX_SKIP = 1_000;

/**
 * Finds the quarter of an hour that holds the entry at `offset` (from 0) of the list, newest or oldest first, so that no more
 * than that is skipped for a deep page: which sixteen days, which day of them, and which quarter of that, in one statement.
 */
export async function locatePage(
  execute: Execute,
  criteria: Criteria,
  offset: number,
  newest: boolean,
): Promise<PageStart> {
  if (offset <= MAX_SKIP || !isCountable(criteria)) return { skip: offset };
  const [quarter] = await execute<{ at: string; skip: string }>(sql`
    with uncounted as materialized (select at, n from ${uncountedMatches(criteria, { largest: 'block' })} uncounted),
    whole as (select timestamptz '-infinity' as low, timestamptz 'infinity' as high, ${offset}::bigint as skip),
    block as (${spanWithin(criteria, 'block', 'whole', newest)}),
    day as (${spanWithin(criteria, 'day', 'block', newest)}),
    quarter as (${spanWithin(criteria, 'quarter', 'day', newest)})
    select extract(epoch from low)::bigint as at, skip from quarter`);
  if (!quarter)
    return newest ? { until: fromMicros(EARLIEST), skip: 0 } : { from: fromMicros(LATEST - 1n), skip: 0 };
  const at = BigInt(quarter.at) * 1_000_000n;
  const skip = Number(quarter.skip);
  return newest ? { until: fromMicros(at + QUARTER - 1n), skip } : { from: fromMicros(at), skip };
}

/** SQL for the span that holds the entry after the first `skip` of another, as rows (low, high, skip), the latter within it. */
function spanWithin(criteria: Criteria, unit: Span, within: string, newest: boolean): RawBuilder<unknown> {
  const { from, until } = rangeOf(criteria);
  const counted = splitTime(from, until, [], unit).filter(({ span }) => span !== 'entry');
  const direction = newest ? sql`desc` : sql`asc`;
  const length = sql`make_interval(mins => ${sql.lit(SPAN_MINUTES[unit])})`;
  const outer = sql.table(within);
  return sql`
    select start as low, start + ${length} as high, skip - (upto - n) as skip from (
      select start, n, sum(n) over (order by start ${direction}) as upto from (
        select date_bin(${length}, at, timestamptz 'epoch') as start, sum(n) as n from (
          select c.bucket as at, c.count as n
          from ${outer} o cross join unnest(${counted.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[],
            ${lows(counted)}::timestamptz[], ${highs(counted)}::timestamptz[]) r(minutes, low, high)
          cross join lateral (
            select bucket, count from ${storedCounts(criteria, true)} stored
            where ${whereMatches(criteria)} and span = r.minutes and bucket >= greatest(r.low, o.low) and bucket < least(r.high, o.high)
            order by bucket offset 0
          ) c
          union all select at, u.n from uncounted u cross join ${outer} o where at >= o.low and at < o.high
        ) counts group by 1
      ) spans
    ) summed cross join ${outer} o where upto > o.skip order by start ${direction} limit 1`;
}

/** The criteria's range of time, limited to another. */
export function narrowed(criteria: Criteria, from: Micros, until: Micros): Pick<Criteria, 'start' | 'end'> {
  const range = rangeOf(criteria);
  return {
    start: fromMicros(range.from > from ? range.from : from),
    end: fromMicros((range.until < until ? range.until : until) - 1n),
  };
}
