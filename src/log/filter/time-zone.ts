import { Temporal } from 'temporal-polyfill';
import { badInput } from '../../errors.js';

const MAX_ZONE = 64;

/** What Temporal takes for a zone alone; it would also read a zone out of a whole date. */
const ZONE = /^(?:[A-Za-z][A-Za-z0-9._+-]*(?:\/[A-Za-z0-9._+-]+)*|[+-]\d{2}(?::?\d{2})?)$/;

/** An IANA name in any case, or an offset such as +05:30. Errors: BAD_USER_INPUT. */
export function readTimeZone(timeZone: string): string {
  const expected = `an IANA time zone such as America/Sao_Paulo or an offset such as +05:30, at most ${MAX_ZONE} characters`;
  if (timeZone.length > MAX_ZONE || !ZONE.test(timeZone)) throw badInput('timeZone', expected, timeZone);
  try {
    return new Temporal.ZonedDateTime(0n, timeZone).timeZoneId;
  } catch (error) {
    if (error instanceof RangeError) throw badInput('timeZone', expected, timeZone);
    throw error;
  }
}
