/** An IANA time zone's clock, from Intl. */
interface Clock {
  format: Intl.DateTimeFormat;
}

const MAX_CLOCKS = 50;
const clocks = new Map<string, Clock>();
const DAY_MS = 86_400_000;

/** Whether a text names a time zone. */
export function isTimeZone(name: string): boolean {
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

/** Errors: RangeError for what is no time zone. */
function clockOf(timeZone: string): Clock {
  const known = clocks.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
    timeZone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (clocks.size >= MAX_CLOCKS) clocks.clear();
  clocks.set(timeZone, { format });
  return { format };
}

/** How far local time is ahead of UTC, in ms, at an instant of whole seconds. */
function offsetAt({ format }: Clock, at: number): number {
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const { type, value } of format.formatToParts(at)) part[type] = value;
  const year = /^B/.test(part.era ?? '') ? 1 - Number(part.year) : Number(part.year);
  const local = new Date(0);
  local.setUTCFullYear(year, Number(part.month) - 1, Number(part.day));
  local.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second));
  return local.getTime() - at;
}

/**
 * When a clock shows a local time, given as ms as if it were UTC. A time that a clock shows twice, where it is set back,
 * is the first one for `since` and the last one for `until`. One that it skips, where it is set forward, is for `since`
 * the first instant after the gap, and `isSkipped`: for `until` that instant itself is already too late.
 */
export function instantOf(
  local: number,
  timeZone: string,
  edge: 'since' | 'until',
): { at: number; isSkipped: boolean } {
  if (timeZone === 'UTC') return { at: local, isSkipped: false };
  const clock = clockOf(timeZone);
  // No zone's clock is set twice within two days.
  const offsets = [offsetAt(clock, local - DAY_MS), offsetAt(clock, local + DAY_MS)];
  const shown = offsets.map((offset) => local - offset).filter((at) => at + offsetAt(clock, at) === local);
  if (shown.length > 0)
    return { at: edge === 'since' ? Math.min(...shown) : Math.max(...shown), isSkipped: false };
  return {
    at: transition(clock, local - Math.max(...offsets), local - Math.min(...offsets)),
    isSkipped: true,
  };
}

/** The first instant, in whole seconds, with the offset that holds at `after`. */
function transition(clock: Clock, before: number, after: number): number {
  const last = offsetAt(clock, after);
  let [low, high] = [Math.floor(before / 1000) - 1, Math.ceil(after / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(clock, middle * 1000) === last) high = middle;
    else low = middle;
  }
  return high * 1000;
}
