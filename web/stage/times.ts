import { short } from './link.js';

/** Formatting by Intl, one formatter a language and zone. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(lang: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = lang + zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(lang, { timeZone: zone, hourCycle: 'h23', ...options });
    formats.set(key, found);
  }
  return found;
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const;
const SHORT_CLOCK = { hour: '2-digit', minute: '2-digit' } as const;
/** Brazilians write dates in numbers. */
const day = (lang: string) => ({ day: '2-digit', month: lang === 'en' ? 'short' : '2-digit' }) as const;

export const dayOf = (at: string, lang: string, zone: string) =>
  format(lang, zone, { ...day(lang), year: 'numeric' }).format(new Date(at));

export const clockOf = (at: string, lang: string, zone: string) =>
  format(lang, zone, CLOCK).format(new Date(at));

/** In full, with the zone's name. */
export const longTime = (at: string, lang: string, zone: string) =>
  format(lang, zone, {
    dateStyle: undefined,
    ...day(lang),
    month: lang === 'en' ? 'short' : 'long',
    year: 'numeric',
    weekday: 'short',
    ...CLOCK,
    timeZoneName: 'short',
  }).format(new Date(at));

/** Of a bucket: its hour with the day, its day, or its month. */
export function bucketName(start: string, interval: string, lang: string, zone: string): string {
  const options: Intl.DateTimeFormatOptions =
    interval === 'HOUR'
      ? { ...day(lang), ...SHORT_CLOCK }
      : interval === 'MONTH'
        ? { month: 'short', year: 'numeric' }
        : { ...day(lang), year: 'numeric' };
  return format(lang, zone, options).format(new Date(start));
}

/** As bucketName, shorter, for an axis. */
export function tickName(start: string, interval: string, lang: string, zone: string): string {
  const options: Intl.DateTimeFormatOptions =
    interval === 'HOUR'
      ? SHORT_CLOCK
      : interval === 'MONTH'
        ? { month: 'short', year: '2-digit' }
        : day(lang);
  return format(lang, zone, options).format(new Date(start));
}

/** Minutes east of UTC, with seconds as a fraction. */
function offsetAt(ms: number, zone: string): number {
  const part = Object.fromEntries(
    format('en', zone, {
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

/** What a date-time field shows for an instant: `2026-01-05T10:00:00` in the zone. */
export function toField(at: string | null, zone: string): string {
  if (!at) return '';
  const ms = Date.parse(at);
  return new Date(ms + offsetAt(ms, zone) * 60_000).toISOString().slice(0, 19);
}

/** The instant that a date-time field says in the zone; null for an empty one. A time that daylight saving skips is the one after the gap. */
export function fromField(text: string, zone: string): string | null {
  const local = Date.parse(`${text}Z`);
  if (Number.isNaN(local)) return null;
  const first = local - offsetAt(local, zone) * 60_000;
  const at = local - offsetAt(first, zone) * 60_000;
  return short(new Date(at).toISOString());
}

/** The first three letters of what it is called: GMT-3, UTC. */
export const zoneName = (zone: string, lang: string) =>
  format(lang, zone, { timeZoneName: 'shortOffset' })
    .formatToParts(new Date())
    .find(({ type }) => type === 'timeZoneName')?.value ?? zone;
