/** One Intl formatter for each language, zone and set of options. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(lang: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = lang + zone + JSON.stringify(options);
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(lang, { timeZone: zone, hourCycle: 'h23', ...options });
    formatters.set(key, found);
  }
  return found;
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const;
const SHORT_CLOCK = { hour: '2-digit', minute: '2-digit' } as const;
/** Dates in Portuguese are usually written in digits. */
const day = (lang: string) => ({ day: '2-digit', month: lang === 'en' ? 'short' : '2-digit' }) as const;

export const browserZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** An instant without trailing zeros in its fraction. */
export const trimInstant = (at: string) => at.replace(/(?:\.0*|(\.\d*?)0+)Z$/, '$1Z');

export const formatDay = (at: string, lang: string, zone: string) =>
  formatter(lang, zone, { ...day(lang), year: 'numeric' }).format(new Date(at));

export const formatClock = (at: string, lang: string, zone: string) =>
  formatter(lang, zone, CLOCK).format(new Date(at));

/** Weekday, date, time and the zone's name. */
export const formatLong = (at: string, lang: string, zone: string) =>
  formatter(lang, zone, {
    dateStyle: undefined,
    ...day(lang),
    month: lang === 'en' ? 'short' : 'long',
    year: 'numeric',
    weekday: 'short',
    ...CLOCK,
    timeZoneName: 'short',
  }).format(new Date(at));

/** The name of a bucket of a timeline: day and hour, day, or month, depending on the interval. */
export function formatBucket(start: string, interval: string, lang: string, zone: string): string {
  const options: Intl.DateTimeFormatOptions =
    interval === 'HOUR' || interval === 'MINUTE'
      ? { ...day(lang), ...SHORT_CLOCK }
      : interval === 'MONTH'
        ? { month: 'short', year: 'numeric' }
        : { ...day(lang), year: 'numeric' };
  return formatter(lang, zone, options).format(new Date(start));
}

/** Like formatBucket, but short enough for an axis. */
export function formatTick(start: string, interval: string, lang: string, zone: string): string {
  const options: Intl.DateTimeFormatOptions =
    interval === 'HOUR' || interval === 'MINUTE'
      ? SHORT_CLOCK
      : interval === 'MONTH'
        ? { month: 'short', year: '2-digit' }
        : day(lang);
  return formatter(lang, zone, options).format(new Date(start));
}

/** A zone's offset from UTC at a time, in minutes to the east; seconds are a fraction. */
function offsetAt(ms: number, zone: string): number {
  const part = Object.fromEntries(
    formatter('en', zone, {
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  ) as Record<string, number>;
  const { year = 0, month = 1, day: date = 1, hour = 0, minute = 0, second = 0 } = part;
  return (Date.UTC(year, month - 1, date, hour, minute, second) - Math.floor(ms / 1000) * 1000) / 60_000;
}

/** An instant as a date-time field shows it: by the pattern of the page's language, such as `yyyy-MM-dd HH:mm:ss`, in the zone. */
export function toInputValue(at: string | null, zone: string, pattern: string): string {
  if (!at) return '';
  const ms = Date.parse(at);
  const local = new Date(ms + offsetAt(ms, zone) * 60_000).toISOString();
  const parts: Record<string, string> = {
    yyyy: local.slice(0, 4),
    MM: local.slice(5, 7),
    dd: local.slice(8, 10),
    HH: local.slice(11, 13),
    mm: local.slice(14, 16),
    ss: local.slice(17, 19),
  };
  return pattern.replace(/yyyy|MM|dd|HH|mm|ss/g, (part) => parts[part]!);
}

/**
 * The instant that a date-time field holds: a date in the order of the pattern or as ISO 8601 has it, with or without a
 * time; without one, the day's first second, or its last with `isEnd`. Null for an empty field, undefined for anything
 * else. A time skipped by daylight saving is moved past the gap.
 */
export function fromInputValue(
  text: string,
  zone: string,
  pattern: string,
  isEnd = false,
): string | null | undefined {
  if (text.trim() === '') return null;
  const match =
    /^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[,\sT]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*$/.exec(
      text,
    );
  if (!match) return undefined;
  const isIso = match[1]!.length === 4;
  const order = isIso ? ['yyyy', 'MM', 'dd'] : pattern.match(/yyyy|MM|dd/g)!;
  const part = (name: string) => Number(match[order.indexOf(name) + 1]);
  const [year, month, date] = [part('yyyy'), part('MM'), part('dd')];
  const [hour, minute, second] = match[4]
    ? [Number(match[4]), Number(match[5]), Number(match[6] ?? (isEnd ? 59 : 0))]
    : isEnd
      ? [23, 59, 59]
      : [0, 0, 0];
  const local = Date.UTC(year, month - 1, date, hour, minute, second);
  const read = new Date(local);
  const isCalendarDay = read.getUTCMonth() === month - 1 && read.getUTCDate() === date;
  if (year < 1900 || hour > 23 || minute > 59 || second > 59 || !isCalendarDay) return undefined;
  const estimate = local - offsetAt(local, zone) * 60_000;
  return trimInstant(new Date(local - offsetAt(estimate, zone) * 60_000).toISOString());
}

/** The zone's current offset, such as GMT-3. */
export const formatOffset = (zone: string, lang: string) =>
  formatter(lang, zone, { timeZoneName: 'shortOffset' })
    .formatToParts(new Date())
    .find(({ type }) => type === 'timeZoneName')?.value ?? zone;

/** A span of time in words: both ends, or the one there is. */
export function formatSpan(
  from: string | null,
  to: string | null,
  lang: string,
  zone: string,
  words: { since: (time: string) => string; until: (time: string) => string },
): string {
  const format = formatter(lang, zone, { ...day(lang), year: 'numeric', ...SHORT_CLOCK });
  if (from && to) return format.formatRange(new Date(from), new Date(to));
  if (from) return words.since(format.format(new Date(from)));
  return to ? words.until(format.format(new Date(to))) : '';
}

const DAY_MS = 86_400_000;
const offsetMs = (ms: number, zone: string) => offsetAt(ms, zone) * 60_000;

/** The day that the zone's calendar shows at a time, in days since 1970-01-01. */
export const dayAt = (ms: number, zone: string): number => Math.floor((ms + offsetMs(ms, zone)) / DAY_MS);

/** The first moment of such a day, which is not always 00:00; of a day that the zone skips, that of the next. */
export function startOfDayNumber(day: number, zone: string): number {
  const midnight = day * DAY_MS;
  const moments = [-DAY_MS, DAY_MS].map((away) => midnight - offsetMs(midnight + away, zone));
  // Of a midnight that is shown twice the first one, and of one that is skipped, the moment after.
  const shown = moments.filter((moment) => dayAt(moment, zone) >= day);
  return Math.min(...(shown.length > 0 ? shown : moments));
}

/** Midnight before a time, in the zone. */
export const startOfDay = (ms: number, zone: string): string =>
  trimInstant(new Date(startOfDayNumber(dayAt(ms, zone), zone)).toISOString());

/** A time rounded down to what the zone's clock shows as a whole hour or minute. */
export function floorToClock(ms: number, length: number, zone: string): number {
  const offset = offsetMs(ms, zone);
  const start = Math.floor((ms + offset) / length) * length - offset;
  // The clock may have been changed meanwhile by less than that.
  return start + offset - offsetMs(start, zone);
}
