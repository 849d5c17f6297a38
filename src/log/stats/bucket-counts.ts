import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { matchCounts, rangeOf, storedCounts, uncountedMatches } from '../counts/counts.js';
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
    for (const { nr, severity, n } of await countRanges(execute, criteria, ofSpan)) {
      const { plus, minus } = ofSpan[Number(nr) - 1]!;
      add(plus, severity, Number(n));
      add(minus, severity, -Number(n));
    }
  }
  return counts;
}

interface RangeCount extends Row {
  /** Of the range, from 1. */
  nr: string;
  severity: number;
  n: string;
}

/** The stored counts of each range, all of one span. */
function countRanges(
  execute: Execute,
  criteria: Criteria,
  ranges: readonly BucketRange[],
): Promise<RangeCount[]> {
  const [first, last] = [ranges[0]!, ranges.at(-1)!];
  const source = sql`${storedCounts(criteria, true)} stored
    where ${whereMatches(criteria)} and span = ${sql.lit(SPAN_MINUTES[first.span])}`;
  // One walk along the index for all of them, where nothing lies between.
  if (ranges.every((range, at) => at === 0 || ranges[at - 1]!.until === range.from))
    return execute(sql`
      select width_bucket(bucket, ${ranges.map((range) => toTimestamp(range.from))}::timestamptz[]) as nr, severity, sum(count) as n
      from ${source} and bucket >= ${toTimestamp(first.from)}::timestamptz and bucket < ${toTimestamp(last.until)}::timestamptz
      group by nr, severity`);
  // The OFFSET 0 makes the planner walk the index once per range.
  return execute(sql`
    select nr, severity, sum(count) as n
    from unnest(${ranges.map((range) => toTimestamp(range.from))}::timestamptz[],
      ${ranges.map((range) => toTimestamp(range.until))}::timestamptz[]) with ordinality r(low, high, nr)
    cross join lateral (
      select severity, count from ${source} and bucket >= r.low and bucket < r.high offset 0
    ) counted group by nr, severity`);
}
