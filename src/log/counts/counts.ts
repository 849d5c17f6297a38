import { type RawBuilder, sql } from 'kysely';
import { compile, type Execute } from '../../database/execute.js';
import { fromTemplate } from '../../database/template.js';
import { everyTest, subjectOf } from '../filter/condition.js';
import { type Criteria, everything, isCountable, isEverything } from '../filter/criteria.js';
import { idFloor, whereAll, whereInScope, whereMatches } from '../filter/where.js';
import { STORED_COUNTS, STORED_SEVERITY_COUNTS } from './stored-counts.js';
import {
  EARLIEST,
  fromMicros,
  LATEST,
  type Micros,
  SPAN_MINUTES,
  type Span,
  splitTime,
  type TimeRange,
  toMicros,
  toTimestamp,
} from './time-spans.js';

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

/** For unnest: what a range begins with. */
export const lows = (ranges: readonly TimeRange[]) => ranges.map((range) => toTimestamp(range.from));
/** And what it ends before. */
export const highs = (ranges: readonly TimeRange[]) => ranges.map((range) => toTimestamp(range.until));
const firstId = (range: TimeRange) => idFloor(fromMicros(range.from));
const idBeyond = (range: TimeRange) => idFloor(fromMicros(range.until), 1);

/** How many entries match, if isCountable. */
export async function sumCounts(execute: Execute, criteria: Criteria): Promise<number> {
  const { tenantId } = criteria.scope;
  const statement = isEverything(criteria)
    ? fromTemplate('count', { tenantId }, ({ tenantId }) => compile(countEverything(tenantId)))
    : sumOf(criteria);
  const [row] = await execute<{ count: string | null }>(statement);
  return Number(row?.count ?? 0);
}

const sumOf = (criteria: Criteria) =>
  sql`select sum(n) as count from ${matchCounts(criteria, { largest: 'block', bySeverity: true })} counts`;

/** SQL for the number of a tenant's entries, in a row (count numeric). */
export function countEverything(tenantId: string): RawBuilder<unknown> {
  const criteria = everything(tenantId);
  const ranges = splitTime(EARLIEST, LATEST, [], 'block').filter(({ span }) => span !== 'entry');
  return sql`select sum(n) as count from (
    select n from (${fromCounts(criteria, ranges, true)}) counted
    union all select count(*) as n from ${waiting(tenantId)} waiting) counts`;
}

/**
 * SQL for entries that are not counted yet, as rows (at timestamptz, n bigint): an id begins with its entry's millisecond, so the entries themselves,
 * whose months are each a table, are not looked at.
 */
export const waiting = (tenantId: string): RawBuilder<unknown> => sql`(
  select to_timestamp(('x' || left(replace(entry_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) as at, 1::bigint as n
  from reel_log_inbox where tenant_id = ${tenantId}::uuid)`;

/** The criteria's range of time, limited to another. */
export function narrowed(criteria: Criteria, from: Micros, until: Micros): Pick<Criteria, 'start' | 'end'> {
  const range = rangeOf(criteria);
  return {
    start: fromMicros(range.from > from ? range.from : from),
    end: fromMicros((range.until < until ? range.until : until) - 1n),
  };
}
