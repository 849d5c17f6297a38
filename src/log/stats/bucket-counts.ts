import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { highs, lows, matchCounts, rangeOf, storedCounts, uncountedMatches } from '../counts/counts.js';
import { type Micros, SPAN_MINUTES, toTimestamp } from '../counts/time-spans.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { whereMatches } from '../filter/where.js';
import { type BucketRange, bucketRanges } from './bucket-spans.js';

/** Numbers of entries by severity, by the bucket's index from 0. */
export type BucketCounts = Map<number, Map<number, number>>;

/** Counts the matching entries of each bucket between `bounds`, and none outside. Run in one snapshot. */
export async function countBuckets(
  execute: Execute,
  criteria: Criteria,
  bounds: readonly Micros[],
): Promise<BucketCounts> {
  const counts: BucketCounts = new Map();
  const add = (index: number | null, severity: number, n: number) => {
    if (index === null) return;
    const bucket = counts.get(index) ?? new Map<number, number>();
    counts.set(index, bucket.set(severity, (bucket.get(severity) ?? 0) + n));
  };
  const resolution = { largest: 'quarter', cuts: bounds } as const;
  const source = isCountable(criteria)
    ? uncountedMatches(criteria, resolution)
    : matchCounts(criteria, resolution);
  const single = await execute<{ index: number; severity: number; n: string }>(sql`
    select width_bucket(at, ${bounds.map(toTimestamp)}::timestamptz[]) - 1 as index, severity, sum(n) as n
    from ${source} counts group by index, severity`);
  for (const { index, severity, n } of single)
    if (index >= 0 && index < bounds.length - 1) add(index, severity, Number(n));
  if (!isCountable(criteria)) return counts;

  const { from, until } = rangeOf(criteria);
  const ranges = bucketRanges(from, until, bounds);
  for (const span of ['day', 'quarter'] as const) {
    const ofSpan = ranges.filter((range) => range.span === span);
    if (ofSpan.length === 0) continue;
    for (const [nr, severity, n] of await countRanges(execute, criteria, ofSpan)) {
      const { plus, minus } = ofSpan[nr - 1]!;
      add(plus, severity, n);
      add(minus, severity, -n);
    }
  }
  return counts;
}

/** The number of a range, from 1; the stored severity; how many entries. */
type RangeCount = [nr: number, severity: number, n: number];

/** The stored counts of each range, all of one span. */
async function countRanges(
  execute: Execute,
  criteria: Criteria,
  ranges: readonly BucketRange[],
): Promise<RangeCount[]> {
  const first = ranges[0]!;
  const [low, high] = [lows(ranges), highs(ranges)];
  const source = sql`${storedCounts(criteria, true)} stored
    where ${whereMatches(criteria)} and span = ${sql.lit(SPAN_MINUTES[first.span])}`;
  // One walk along the index for all of them, where nothing lies between; else the OFFSET 0 makes the planner walk it once per range.
  const counts = ranges.every((range, at) => at === 0 || ranges[at - 1]!.until === range.from)
    ? sql`
      select width_bucket(bucket, ${low}::timestamptz[]) as nr, severity, sum(count) as n
      from ${source} and bucket >= ${low[0]}::timestamptz and bucket < ${high.at(-1)}::timestamptz
      group by nr, severity`
    : sql`
      select nr, severity, sum(count) as n
      from unnest(${low}::timestamptz[], ${high}::timestamptz[]) with ordinality r(low, high, nr)
      cross join lateral (
        select severity, count from ${source} and bucket >= r.low and bucket < r.high offset 0
      ) counted group by nr, severity`;
  // As one text: a row for each would take longer to read than to count.
  const [row] = await execute<{ counts: string | null }>(
    sql`select string_agg(nr || ' ' || severity || ' ' || n, ',') as counts from (${counts}) counts`,
  );
  return (row?.counts?.split(',') ?? []).map((text) => text.split(' ').map(Number) as RangeCount);
}
