import { type RawBuilder, sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { idFloor, whereAll, whereInScope, whereMatches } from '../filter/where.js';
import { CountPrecision, type LogCount } from './log-count.js';
import {
  BLOCK,
  DAY,
  EARLIEST,
  fromMicros,
  LATEST,
  type Micros,
  type Piece,
  QUARTER,
  SPAN_MINUTES,
  type Span,
  splitTime,
  toMicros,
  toTimestamp,
} from './time-spans.js';

export { CountPrecision, type LogCount };

/** How finely facts tell the time. */
export interface Resolution {
  /** The longest stretch that one fact may stand for. */
  largest: Span;
  /** Instants that no fact lies across. */
  cuts?: readonly Micros[];
}

/** A count that need not be exact stops here. */
export const COUNT_CAP = 10_000;

/**
 * Which entries match, as rows (at timestamptz, client_id uuid, module text, severity smallint, n bigint): n entries from
 * `at` on, for at most the largest span. Each matching entry is in exactly one row of one snapshot. Read
 * from the counts, from the entries that wait in the inbox, and from the entries of broken quarters; where the filter
 * asks for more than the counts know, from the entries alone.
 */
export function facts(criteria: Criteria, { largest, cuts = [] }: Resolution): RawBuilder<unknown> {
  if (!isCountable(criteria))
    return sql`(select created_at as at, client_id, module, severity, 1::bigint as n
      from reel_log_entries where ${whereAll(criteria)})`;
  const { from, until } = rangeOf(criteria);
  const counted = splitTime(from, until, cuts, largest).filter((piece) => piece.span !== 'entry');
  const rest = uncounted(criteria, { largest, cuts });
  return counted.length > 0
    ? sql`(${fromCounts(criteria, counted)} union all select * from ${rest} rest)`
    : rest;
}

/** Of the facts those that no count holds: the entries that wait in the inbox and those of broken quarters. */
export function uncounted(criteria: Criteria, { largest, cuts = [] }: Resolution): RawBuilder<unknown> {
  const { from, until } = rangeOf(criteria);
  const pieces = splitTime(from, until, cuts, largest);
  const counted = pieces.filter((piece) => piece.span !== 'entry');
  const single = pieces.filter((piece) => piece.span === 'entry');
  const parts = [
    ...(counted.length > 0 ? [fromInbox(criteria, counted)] : []),
    ...(single.length > 0 || counted.length === 0 ? [fromEntries(criteria, single)] : []),
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

// In all three the OFFSET 0 keeps the planner at walking one index for each piece or entry, whatever it guesses of their number.

const fromCounts = (criteria: Criteria, pieces: readonly Piece[]) => sql`
  select c.bucket as at, c.client_id, c.module, c.severity, c.count as n
  from unnest(${pieces.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[], ${lows(pieces)}::timestamptz[],
    ${highs(pieces)}::timestamptz[]) piece(minutes, low, high)
  cross join lateral (
    select bucket, client_id, module, severity, count from reel_log_counts
    where ${whereMatches(criteria)} and span = piece.minutes and bucket >= piece.low and bucket < piece.high offset 0
  ) c`;

/** Entries that no count holds yet. The pieces' ends in one list: an instant within a piece comes after an odd number of them. */
const fromInbox = (criteria: Criteria, pieces: readonly Piece[]) => sql`
  select e.created_at as at, e.client_id, e.module, e.severity, 1::bigint as n
  from (
    select entry_id from reel_log_inbox
    where ${whereInScope({ ...criteria.scope, clients: null })}
      and entry_id >= ${firstId(pieces[0]!)}::uuid and entry_id < ${idBeyond(pieces.at(-1)!)}::uuid offset 0
  ) waiting
  cross join lateral (
    select created_at, client_id, module, severity from reel_log_entries
    where ${whereMatches(criteria)} and id = waiting.entry_id offset 0
  ) e
  where width_bucket(e.created_at, ${pieces.flatMap(({ from, until }) => [toTimestamp(from), toTimestamp(until)])}::timestamptz[]) % 2 = 1`;

const fromEntries = (criteria: Criteria, pieces: readonly Piece[]) => sql`
  select e.created_at as at, e.client_id, e.module, e.severity, 1::bigint as n
  from unnest(${pieces.map(firstId)}::uuid[], ${pieces.map(idBeyond)}::uuid[], ${lows(pieces)}::timestamptz[],
    ${highs(pieces)}::timestamptz[]) piece(first, beyond, low, high)
  cross join lateral (
    select created_at, client_id, module, severity from reel_log_entries
    where ${whereMatches(criteria)} and id >= piece.first and id < piece.beyond
      and created_at >= piece.low and created_at < piece.high offset 0
  ) e`;

const lows = (pieces: readonly Piece[]) => pieces.map((piece) => toTimestamp(piece.from));
const highs = (pieces: readonly Piece[]) => pieces.map((piece) => toTimestamp(piece.until));
const firstId = (piece: Piece) => idFloor(fromMicros(piece.from));
const idBeyond = (piece: Piece) => idFloor(fromMicros(piece.until), 1);

/** How many entries match; unless `exact`, counting one by one stops at COUNT_CAP. */
export async function countEntries(run: Run, criteria: Criteria, exact: boolean): Promise<LogCount> {
  const countable = isCountable(criteria);
  const matching = exact
    ? sql`where ${whereAll(criteria)}`
    : sql`where ${whereAll(criteria)} limit ${COUNT_CAP + 1}`;
  const [row] = await run<{ count: string | null }>(
    countable
      ? sql`select sum(n) as count from ${facts(criteria, { largest: 'block' })} fact`
      : sql`select count(*) as count from (select from reel_log_entries ${matching}) found`,
  );
  const count = Number(row?.count ?? 0);
  return countable || exact || count <= COUNT_CAP
    ? { value: count, precision: CountPrecision.EXACT }
    : { value: COUNT_CAP, precision: CountPrecision.AT_LEAST };
}

/** Where a page's walk begins: within these bounds, both inclusive, after so many entries. */
export interface PageStart {
  from?: string;
  until?: string;
  skip: number;
}

/** Up to here walking past the entries costs less than asking the counts. */
const WALKED = 1_000;

/** Finds the quarter of an hour that holds the entry at `offset` (from 0) of the list, newest or oldest first, so that a deep page walks no more than that. */
export async function locatePage(
  run: Run,
  criteria: Criteria,
  offset: number,
  newest: boolean,
): Promise<PageStart> {
  if (offset <= WALKED || !isCountable(criteria)) return { skip: offset };
  const block = await stretchAt(run, criteria, offset, newest, 'block');
  if (!block)
    return newest ? { until: fromMicros(EARLIEST), skip: 0 } : { from: fromMicros(LATEST - 1n), skip: 0 };
  const inBlock = { ...criteria, ...narrowed(criteria, block.from, block.from + BLOCK) };
  const day = found(await stretchAt(run, inBlock, block.skip, newest, 'day'), block.from);
  const inDay = { ...criteria, ...narrowed(criteria, day.from, day.from + DAY) };
  const quarter = found(await stretchAt(run, inDay, day.skip, newest, 'quarter'), day.from);
  return newest
    ? { until: fromMicros(quarter.from + QUARTER - 1n), skip: quarter.skip }
    : { from: fromMicros(quarter.from), skip: quarter.skip };
}

function found<T>(finer: T | undefined, from: Micros): T {
  if (finer) return finer;
  throw new Error(`expected finer counts to make up coarser ones, got fewer from ${fromMicros(from)} on`);
}

/** The criteria's range, cut to a stretch of time. */
export function narrowed(criteria: Criteria, from: Micros, until: Micros): Pick<Criteria, 'start' | 'end'> {
  const range = rangeOf(criteria);
  return {
    start: fromMicros(range.from > from ? range.from : from),
    end: fromMicros((range.until < until ? range.until : until) - 1n),
  };
}

async function stretchAt(run: Run, criteria: Criteria, offset: number, newest: boolean, unit: Span) {
  const direction = newest ? sql`desc` : sql`asc`;
  const [row] = await run<{ at: string; before: string }>(sql`
    select extract(epoch from stretch)::bigint as at, upto - n as before from (
      select stretch, n, sum(n) over (order by stretch ${direction}) as upto from (
        select date_bin(make_interval(mins => ${SPAN_MINUTES[unit]}::integer), at, timestamptz 'epoch') as stretch, sum(n) as n
        from ${facts(criteria, { largest: unit })} fact group by 1
      ) stretches
    ) summed where upto > ${offset} order by stretch ${direction} limit 1`);
  return row && { from: BigInt(row.at) * 1_000_000n, skip: offset - Number(row.before) };
}
