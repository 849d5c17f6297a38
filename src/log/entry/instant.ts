/** A timestamptz in DateStyle ISO; offsets before standard time have seconds, years before 1 say BC. */
const TIMESTAMPTZ =
  /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/;

/**
 * A timestamptz as a session of any time zone prints it in DateStyle ISO (`2026-01-05 10:00:00.12+00`), as an instant in
 * UTC with six digits of a second (`2026-01-05T10:00:00.120000Z`). Text in any other form is returned unchanged.
 */
export function instant(stored: string): string {
  // What Reel's own sessions, which are in UTC, print.
  if (stored.endsWith('+00'))
    return `${stored.slice(0, 10)}T${stored.slice(11, 19)}.${stored.slice(20, -3).padEnd(6, '0')}Z`;
  const match = TIMESTAMPTZ.exec(stored);
  if (!match) return stored;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const [offsetHour, offsetMinute, offsetSecond] = match.slice(9, 12).map((part) => Number(part ?? 0));
  const sign = match[8] === '-' ? -1 : 1;
  const at = new Date(0);
  at.setUTCFullYear(match[12] ? 1 - year! : year!, month! - 1, day);
  at.setUTCHours(hour! - sign * offsetHour!, minute! - sign * offsetMinute!, second! - sign * offsetSecond!);
  return `${at.toISOString().slice(0, 19)}.${(match[7] ?? '').padEnd(6, '0')}Z`;
}
