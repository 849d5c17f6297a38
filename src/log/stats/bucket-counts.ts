import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { highs, lows, matchCounts, rangeOf, storedCounts, uncountedMatches } from '../counts/counts.js';
import { type Micros, SPAN_MINUTES, toTimestamp } from '../counts/time-spans.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { whereMatches } from '../filter/where.js';
import { type BucketRange, bucketRanges } from './bucket-spans.js';

/** Numbers of entries by the bucket's index from 0 and the severity, in one number: index * SEVERITY_BASE + severity. */
export type BucketCounts = Map<number, number>;

/** More than there are severities. */
export const SEVERITY_BASE = 8;

/** Counts the matching entries of each bucket between `bounds`, and none outside. Run in one snapshot. */
export async function countBuckets(
  execute: Execute,
  criteria: Criteria,
  bounds: readonly Micros[],
): Promise<BucketCounts> {
  const counts: BucketCounts = new Map();
  const add = (place: number, n: number) => counts.set(place, (counts.get(place) ?? 0) + n);
  const resolution = { largest: 'quarter', cuts: bounds } as const;
  const source = isCountable(criteria)
    ? uncountedMatches(criteria, resolution)
    : matchCounts(criteria, resolution);
  const single = await execute<{ place: number; n: string }>(sql`
    select ${placeOf(bucketAmong(bounds))} as place, sum(n) as n from ${source} counts group by place`);
  for (const { place, n } of single)
    if (place >= 0 && place < (bounds.length - 1) * SEVERITY_BASE) add(place, Number(n));
  if (!isCountable(criteria)) return counts;

  const { from, until } = rangeOf(criteria);
  const ranges = bucketRanges(from, until, bounds);
  for (const span of ['day', 'quarter'] as const) {
    const ofSpan = ranges.filter((range) => range.span === span);
    if (ofSpan.length > 0) await countRanges(execute, criteria, ofSpan, add);
  }
  return counts;
}

/** An integer, which is grouped and written sooner than a longer one. */
const placeOf = (index: RawBuilder<unknown>) =>
  sql`(${index})::integer * ${sql.lit(SEVERITY_BASE)} + severity`;

/** SQL for the index of the bucket that `at` is in: below 0, or past the last one, where it is in none. */
function bucketAmong(bounds: readonly Micros[]): RawBuilder<unknown> {
  const length = spacingOf(bounds);
  return length === null
    ? sql`width_bucket(at, ${bounds.map(toTimestamp)}::timestamptz[]) - 1`
    : sql`floor((extract(epoch from at) - ${seconds(bounds[0]!)}::bigint) / ${seconds(length)}::bigint)::integer`;
}

/** Adds the stored counts of each range, all of one span. */
async function countRanges(
  execute: Execute,
  criteria: Criteria,
  ranges: readonly BucketRange[],
  add: (place: number, n: number) => void,
): Promise<void> {
  const [first, last] = [ranges[0]!, ranges.at(-1)!];
  const source = sql`${storedCounts(criteria, true)} stored
    where ${whereMatches(criteria)} and span = ${sql.lit(SPAN_MINUTES[first.span])}`;
  const isWithin = sql`bucket >= ${toTimestamp(first.from)}::timestamptz and bucket < ${toTimestamp(last.until)}::timestamptz`;
  // A walk along the index for all of them where nothing lies between, which for even ranges takes a division a row; else the OFFSET 0
  // makes the planner walk it once per range.
  const even = evenly(ranges);
  if (even) {
    const at = sql`date_part('epoch', bucket)::bigint - ${seconds(even.from)}::bigint`;
    const index = sql`(${at}) / ${seconds(even.length)}::bigint + ${even.index}::bigint`;
    const counts = sql`
      select ${placeOf(index)} as place, sum(count)::bigint as n from ${source} and ${isWithin} group by place`;
    for (const [place, n] of await listed(execute, counts)) add(place, n);
    return;
  }
  const counts = isAdjacent(ranges)
    ? sql`
      select ${placeOf(sql`width_bucket(bucket, ${lows(ranges)}::timestamptz[]) - 1`)} as place, sum(count)::bigint as n
      from ${source} and ${isWithin} group by place`
    : sql`
      select ${placeOf(sql`nr - 1`)} as place, sum(count)::bigint as n
      from unnest(${lows(ranges)}::timestamptz[], ${highs(ranges)}::timestamptz[]) with ordinality r(low, high, nr)
      cross join lateral (
        select severity, count from ${source} and bucket >= r.low and bucket < r.high offset 0
      ) counted group by place`;
  for (const [place, n] of await listed(execute, counts)) {
    const { plus, minus } = ranges[Math.floor(place / SEVERITY_BASE)]!;
    const severity = place % SEVERITY_BASE;
    if (plus !== null) add(plus * SEVERITY_BASE + severity, n);
    if (minus !== null) add(minus * SEVERITY_BASE + severity, -n);
  }
}

/** The rows (place, n) of a query, as two texts: to read a row for each would take longer than to count. */
async function listed(execute: Execute, counts: RawBuilder<unknown>): Promise<[place: number, n: number][]> {
  const [row] = await execute<{ places: string | null; numbers: string | null }>(
    sql`select array_agg(place)::text as places, array_agg(n)::text as numbers from (${counts}) counts`,
  );
  const [places, numbers] = [row?.places, row?.numbers].map((text) => text?.slice(1, -1).split(',') ?? []);
  return places!.map((place, at) => [Number(place), Number(numbers![at])]);
}

const isAdjacent = (ranges: readonly BucketRange[]): boolean =>
  ranges.every((range, at) => at === 0 || ranges[at - 1]!.until === range.from);

/** Ranges of one length, one after the other, each of the next bucket. */
interface Even {
  readonly from: Micros;
  readonly length: Micros;
  /** Of the first range's bucket. */
  readonly index: number;
}

/** Null where they are not so; the first may begin later, and the last end sooner. */
function evenly(ranges: readonly BucketRange[]): Even | null {
  const [first, second] = ranges;
  const length = spacingOf(ranges.slice(1).map(({ from }) => from));
  if (!first || !second || first.plus === null || length === null || !isAdjacent(ranges)) return null;
  const { plus: index } = first;
  const from = second.from - length;
  const isEven =
    first.from >= from &&
    ranges.at(-1)!.until <= from + BigInt(ranges.length) * length &&
    ranges.every(({ plus, minus }, at) => plus === index + at && minus === null);
  return isEven ? { from, length, index } : null;
}

/** Between any two instants that follow each other; null where that differs, or is not a whole number of seconds. */
function spacingOf(instants: readonly Micros[]): Micros | null {
  const [first, second] = instants;
  if (first === undefined || second === undefined || first % SECOND !== 0n) return null;
  const length = second - first;
  return length % SECOND === 0n && instants.every((at, nr) => nr === 0 || at - instants[nr - 1]! === length)
    ? length
    : null;
}

const SECOND: Micros = 1_000_000n;
const seconds = (micros: Micros): string => String(micros / SECOND);
