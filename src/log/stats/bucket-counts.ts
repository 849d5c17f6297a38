import { sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { whereMatches } from '../filter/where.js';
import { bucketPieces } from './bucket-spans.js';
import { facts, rangeOf, uncounted } from './counts.js';
import { type Micros, SPAN_MINUTES, toTimestamp } from './time-spans.js';

/** How many entries of each severity are in a bucket, by its place from 0. */
export type BucketCounts = Map<number, Map<number, number>>;

/** Counts the matching entries of each bucket between `bounds`; whatever lies outside of them is left out. Run in one snapshot. */
export async function countBuckets(
  run: Run,
  criteria: Criteria,
  bounds: readonly Micros[],
): Promise<BucketCounts> {
  const counts: BucketCounts = new Map();
  const add = (place: number | null, severity: number, n: number) => {
    if (place === null) return;
    const bucket = counts.get(place) ?? new Map<number, number>();
    counts.set(place, bucket.set(severity, (bucket.get(severity) ?? 0) + n));
  };
  const resolution = { largest: 'quarter', cuts: bounds } as const;
  const source = isCountable(criteria) ? uncounted(criteria, resolution) : facts(criteria, resolution);
  const single = await run<{ place: number; severity: number; n: string }>(sql`
    select width_bucket(at, ${bounds.map(toTimestamp)}::timestamptz[]) - 1 as place, severity, sum(n) as n
    from ${source} fact group by place, severity`);
  for (const { place, severity, n } of single)
    if (place >= 0 && place < bounds.length - 1) add(place, severity, Number(n));
  if (!isCountable(criteria)) return counts;

  const { from, until } = rangeOf(criteria);
  const pieces = bucketPieces(from, until, bounds);
  // The OFFSET 0 keeps the planner at walking the index once a piece.
  const rows = await run<{ nr: string; severity: number; n: string }>(sql`
    select nr, severity, sum(count) as n
    from unnest(${pieces.map(({ span }) => SPAN_MINUTES[span])}::smallint[],
      ${pieces.map((piece) => toTimestamp(piece.from))}::timestamptz[],
      ${pieces.map((piece) => toTimestamp(piece.until))}::timestamptz[]) with ordinality piece(minutes, low, high, nr)
    cross join lateral (
      select severity, count from reel_log_counts
      where ${whereMatches(criteria)} and span = piece.minutes and bucket >= piece.low and bucket < piece.high offset 0
    ) counted group by nr, severity`);
  for (const { nr, severity, n } of rows) {
    const { plus, minus } = pieces[Number(nr) - 1]!;
    add(plus, severity, Number(n));
    add(minus, severity, -Number(n));
  }
  return counts;
}
