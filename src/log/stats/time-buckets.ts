import { Temporal } from 'temporal-polyfill';
import { badInput } from '../../errors.js';
import { DAY, type Micros, QUARTER } from '../counts/time-spans.js';
import { StatsInterval } from './log-stats.js';

/** Buckets of one timeline. */
export const MAX_BUCKETS = 1_000;
/** The start of the day and of the week, from Monday, that hold the instant. */
export function startsOf(at: Micros, timeZone: string): { day: Micros; week: Micros } {
  const moment = zoned(at, timeZone);
  return {
    day: micros(startOf(moment, StatsInterval.DAY)),
    week: micros(startOf(moment, StatsInterval.WEEK)),
  };
}

/**
 * The boundaries of whole buckets from the one that holds `first` to the one that holds `last`, one more than there are
 * buckets. Errors: BAD_USER_INPUT where there are more than MAX_BUCKETS; it names a coarser interval that has fewer.
 */
export function bucketBounds(
  first: Micros,
  last: Micros,
  interval: StatsInterval,
  timeZone: string,
): Micros[] {
  const bounds = boundsOf(first, last, interval, timeZone);
  if (bounds) return bounds;
  const intervals = Object.values(StatsInterval);
  const coarser = intervals
    .slice(intervals.indexOf(interval) + 1)
    .find((each) => boundsOf(first, last, each, timeZone));
  const expected = coarser
    ? `one that makes at most 1,000 buckets of these dates, such as ${coarser}`
    : 'dates less than 1,000 months apart';
  throw badInput('interval', expected, interval);
}

/**
 * The boundaries of the last MAX_BUCKETS buckets up to the one that holds `last`, at least; for a timeline whose beginning
 * is not known yet.
 */
export function bucketBoundsUpTo(last: Micros, interval: StatsInterval, timeZone: string): Micros[] {
  const from = last - BigInt(MAX_BUCKETS + 2) * LENGTHS[interval] - 2n * DAY;
  // No id is of a time before 1970.
  return [...boundaries(from < 0n && last >= 0n ? 0n : from, last, interval, timeZone)];
}

/** Null where there would be more than MAX_BUCKETS. */
function boundsOf(first: Micros, last: Micros, interval: StatsInterval, timeZone: string): Micros[] | null {
  // Far too many are refused before they are made.
  if (last - first > 2n * BigInt(MAX_BUCKETS) * LENGTHS[interval]) return null;
  const bounds: Micros[] = [];
  for (const bound of boundaries(first, last, interval, timeZone))
    if (bounds.push(bound) > MAX_BUCKETS + 1) return null;
  return bounds;
}

function* boundaries(
  first: Micros,
  last: Micros,
  interval: StatsInterval,
  timeZone: string,
): Generator<Micros> {
  let start = startOf(zoned(first, timeZone), interval);
  let end = startAfter(start, interval);
  // A wall clock set back over midnight shows the old day again within the new day's bucket.
  for (; micros(end) <= first; end = startAfter(end, interval)) start = end;
  yield micros(start);
  let at = micros(end);
  for (let steady = steadyFrom(end); at <= last; ) {
    yield at;
    if (steady.until !== null && at >= steady.until) steady = steadyFrom(zoned(at, timeZone));
    at = plainNext(at, interval, steady) ?? micros(startAfter(zoned(at, timeZone), interval));
  }
  yield at;
}

/** From some instant on a zone's offset stays the same until this one; null: for ever. */
interface Steady {
  readonly offset: Micros;
  readonly until: Micros | null;
}

function steadyFrom(at: Temporal.ZonedDateTime): Steady {
  const change = at.getTimeZoneTransition('next');
  return { offset: BigInt(at.offsetNanoseconds) / 1000n, until: change && micros(change) };
}

/** The next bucket's start by plain addition; null where the clock's changes have a say. */
function plainNext(at: Micros, interval: StatsInterval, { offset, until }: Steady): Micros | null {
  const wall = at + offset;
  const next = (isWhole(wall, interval) ? wallAfter(wall, interval) : wall) - offset;
  return next > at && (until === null || next < until) ? next : null;
}

/** Whether a wall clock, as microseconds, shows a start of the interval. */
function isWhole(wall: Micros, interval: StatsInterval): boolean {
  if (interval === StatsInterval.MONTH) return wall % DAY === 0n && dateOf(wall).getUTCDate() === 1;
  // 1970 began on a Thursday.
  return (wall + (interval === StatsInterval.WEEK ? 3n * DAY : 0n)) % LENGTHS[interval] === 0n;
}

function wallAfter(wall: Micros, interval: StatsInterval): Micros {
  if (interval !== StatsInterval.MONTH) return wall + LENGTHS[interval];
  const date = dateOf(wall);
  return BigInt(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)) * 1000n;
}

const dateOf = (wall: Micros) => new Date(Number(wall / 1000n));

function startOf(at: Temporal.ZonedDateTime, interval: StatsInterval): Temporal.ZonedDateTime {
  switch (interval) {
    case StatsInterval.MINUTE:
      return at.round({ smallestUnit: 'minute', roundingMode: 'floor' });
    case StatsInterval.HOUR:
      return at.round({ smallestUnit: 'hour', roundingMode: 'floor' });
    case StatsInterval.DAY:
      return at.startOfDay();
    case StatsInterval.WEEK:
      return midnight(at.toPlainDate().subtract({ days: at.dayOfWeek - 1 }), at.timeZoneId);
    case StatsInterval.MONTH:
      return midnight(at.toPlainDate().with({ day: 1 }), at.timeZoneId);
  }
}

/** The next bucket's start; later than `start` even where the zone skips a day or repeats a part of an hour. */
function startAfter(start: Temporal.ZonedDateTime, interval: StatsInterval): Temporal.ZonedDateTime {
  for (let steps = 1; ; steps += 1) {
    const step = { [UNITS[interval]]: steps };
    const next = startOf(
      interval === StatsInterval.MINUTE || interval === StatsInterval.HOUR
        ? start.add(step)
        : // From its own start again: a bucket whose first day the zone skips begins on a later one.
          midnight(start.toPlainDate().add(step), start.timeZoneId),
      interval,
    );
    if (next.epochNanoseconds > start.epochNanoseconds) return next;
  }
}

/** No bucket is twice as long, whatever its zone's clock does. */
const LENGTHS: Record<StatsInterval, Micros> = {
  MINUTE: QUARTER / 15n,
  HOUR: 4n * QUARTER,
  DAY,
  WEEK: 7n * DAY,
  MONTH: 31n * DAY,
};

const UNITS: Record<StatsInterval, 'minutes' | 'hours' | 'days' | 'weeks' | 'months'> = {
  MINUTE: 'minutes',
  HOUR: 'hours',
  DAY: 'days',
  WEEK: 'weeks',
  MONTH: 'months',
};

/** The first moment of a date, which is not always 00:00. */
const midnight = (date: Temporal.PlainDate, timeZone: string) => date.toZonedDateTime(timeZone);
const zoned = (at: Micros, timeZone: string) => new Temporal.ZonedDateTime(at * 1000n, timeZone);
const micros = (at: Temporal.ZonedDateTime): Micros => at.epochNanoseconds / 1000n;
