import { Temporal } from 'temporal-polyfill';
import { badInput } from '../../errors.js';
import { StatsInterval } from './log-stats.js';
import { DAY, type Micros, QUARTER } from './time-spans.js';

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

/** Null where there would be more than MAX_BUCKETS. */
function boundsOf(first: Micros, last: Micros, interval: StatsInterval, timeZone: string): Micros[] | null {
  // Far too many are refused before they are made.
  if (last - first > 2n * BigInt(MAX_BUCKETS) * LENGTHS[interval]) return null;
  let start = startOf(zoned(first, timeZone), interval);
  let end = startAfter(start, interval);
  // A wall clock set back over midnight shows the old day again within the new day's bucket.
  for (; micros(end) <= first; end = startAfter(end, interval)) start = end;
  const bounds = [micros(start), micros(end)];
  for (; micros(end) <= last; bounds.push(micros(end))) {
    if (bounds.length > MAX_BUCKETS) return null;
    end = startAfter(end, interval);
  }
  return bounds;
}

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
