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
    interval === 'HOUR'
      ? { ...day(lang), ...SHORT_CLOCK }
      : interval === 'MONTH'
        ? { month: 'short', year: 'numeric' }
        : { ...day(lang), year: 'numeric' };
  return formatter(lang, zone, options).format(new Date(start));
}

/** Like formatBucket, but short enough for an axis. */
export function formatTick(start: string, interval: string, lang: string, zone: string): string {
  const options: Intl.DateTimeFormatOptions =
    interval === 'HOUR'
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

/** The value of a datetime-local input for an instant, in the zone: `2026-01-05T10:00:00`. */
export function toInputValue(at: string | null, zone: string): string {
  if (!at) return '';
  const ms = Date.parse(at);
  return new Date(ms + offsetAt(ms, zone) * 60_000).toISOString().slice(0, 19);
}

/** The instant for the value of a datetime-local input; null for an empty one. A time skipped by daylight saving is moved past the gap. */
export function fromInputValue(text: string, zone: string): string | null {
  const local = Date.parse(`${text}Z`);
  if (Number.isNaN(local)) return null;
  const estimate = local - offsetAt(local, zone) * 60_000;
  const at = local - offsetAt(estimate, zone) * 60_000;
  return trimInstant(new Date(at).toISOString());
}

/** The zone's current offset, such as GMT-3. */
export const formatOffset = (zone: string, lang: string) =>
  formatter(lang, zone, { timeZoneName: 'shortOffset' })
    .formatToParts(new Date())
    .find(({ type }) => type === 'timeZoneName')?.value ?? zone;
