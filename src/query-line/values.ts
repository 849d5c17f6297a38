/** Readers of single values. Each returns the stored form, or null for anything else. */

/** From least to most severe. */
export const SEVERITIES = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const ORIGINS = ['MODULE', 'BROWSER'] as const;
export type Origin = (typeof ORIGINS)[number];

export const OUTCOMES = ['SUCCESS', 'FAILURE', 'DENIED'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const ACTOR_TYPES = ['USER', 'SERVICE', 'AGENT', 'SYSTEM', 'ANONYMOUS'] as const;
export type ActorType = (typeof ACTOR_TYPES)[number];

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Any RFC 9562 UUID, in either case; returned in lower case. */
export function parseUuid(text: string): string | null {
  if (text.length !== 36) return null;
  const lower = text.toLowerCase();
  return UUID_PATTERN.test(lower) ? lower : null;
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/**
 * An RFC 3339 instant (section 5.6), returned in UTC with microseconds: `2026-01-05T10:00:00.123456Z`.
 * Digits past the microsecond are dropped; a leap second becomes the second after it; years 0001 to 9999.
 */
export function parseInstant(text: string): string | null {
  const match = INSTANT.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return null;
  if (day > new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()) return null;
  const [sign, offsetHour, offsetMinute] = [match[9], Number(match[10] ?? 0), Number(match[11] ?? 0)];
  if (offsetHour > 23 || offsetMinute > 59) return null;
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  at.setUTCHours(hour, minute - (sign === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute), second);
  const utcYear = at.getUTCFullYear();
  if (utcYear < 1 || utcYear > 9999) return null;
  return `${at.toISOString().slice(0, 19)}.${(match[7] ?? '').slice(0, 6).padEnd(6, '0')}Z`;
}

/** False for what PostgreSQL cannot store: NUL, and surrogates without their other half. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Whether a whole text has the form `[^\s@]+@[^\s@]+\.[^\s@]+`; by hand, since the expression takes quadratic time. */
export function isEmailAddress(text: string): boolean {
  const at = text.indexOf('@');
  if (at < 1 || text.indexOf('@', at + 1) >= 0 || /\s/.test(text)) return false;
  const dot = text.indexOf('.', at + 2);
  return dot >= 0 && text.length > dot + 1;
}
