import type { StatsInterval } from '../../reel/index.js';
import type { TimelineQuery } from '../generated.js';
import { dayAt, floorToClock, startOfDayNumber } from '../parts/times.js';

export type Bucket = TimelineQuery['logStats']['timeline'][number];
/** How far counting came, where it stopped short: no count is too high then. */
export type Stopped = { searchedUntil: string | null };

/** How long buckets are, and by whose clock. */
export interface Steps {
  interval: StatsInterval;
  timeZone: string;
}

/** Of one timeline, as the server has them. */
const MAX_BUCKETS = 1_000;
const DAY_MS = 86_400_000;
const CLOCK_MS: Partial<Record<StatsInterval, number>> = { MINUTE: 60_000, HOUR: 3_600_000 };

/** Where buckets begin, without end: the one that holds `from`, and those after it, as the server has them. */
function* bucketStarts(from: number, { interval, timeZone }: Steps): Generator<number> {
  const length = CLOCK_MS[interval];
  let start = Number.NEGATIVE_INFINITY;
  if (length !== undefined)
    for (let at = from; ; at += length) {
      const next = floorToClock(at, length, timeZone);
      if (next > start) yield next;
      // A clock that is set back by a part of an hour shows that hour for longer.
      if (next > start) at = start = next;
    }
  for (let day = firstDay(dayAt(from, timeZone), interval); ; day = dayAfter(day, interval)) {
    const next = startOfDayNumber(day, timeZone);
    if (next > start) yield next;
    start = next;
  }
}

/** Of the week, from Monday, or the month that holds the day. 1970 began on a Thursday. */
function firstDay(day: number, interval: StatsInterval): number {
  if (interval === 'WEEK') return day - ((((day + 3) % 7) + 7) % 7);
  return interval === 'MONTH' ? monthStart(day, 0) : day;
}

function dayAfter(day: number, interval: StatsInterval): number {
  if (interval === 'MONTH') return monthStart(day, 1);
  return day + (interval === 'WEEK' ? 7 : 1);
}

function monthStart(day: number, monthsLater: number): number {
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + monthsLater) / DAY_MS;
}

/** Buckets without entries from the one that holds `from` to the one that holds `until`, both in milliseconds; at most `most`. */
export function emptyBuckets(from: number, until: number, steps: Steps, most = MAX_BUCKETS): Bucket[] {
  const buckets: Bucket[] = [];
  let start: number | null = null;
  for (const next of bucketStarts(from, steps)) {
    if (start !== null) {
      const [first, end] = [new Date(start), new Date(next)];
      buckets.push({ start: first.toISOString(), end: end.toISOString(), count: 0, bySeverity: [] });
    }
    if (next > until || buckets.length >= most) break;
    start = next;
  }
  return buckets;
}

/** A range in which nothing was found has its times all the same, as far as they were looked at. */
export function emptyTimeline(from: number, until: number, steps: Steps, stopped: Stopped | null): Bucket[] {
  if (!stopped) return emptyBuckets(from, until, steps);
  const { searchedUntil } = stopped;
  if (searchedUntil === null) return [];
  const reached = Date.parse(searchedUntil);
  return emptyBuckets(Math.max(from, reached), until, steps).filter(
    ({ start }) => Date.parse(start) >= reached,
  );
}

/** With empty buckets up to a time, in milliseconds, where the last entry is older. */
export function extended(buckets: readonly Bucket[], until: number, steps: Steps): readonly Bucket[] {
  const last = buckets.at(-1);
  const most = MAX_BUCKETS - buckets.length;
  if (!last || most <= 0 || Date.parse(last.end) > until) return buckets;
  return [...buckets, ...emptyBuckets(Date.parse(last.end), until, steps, most)];
}
