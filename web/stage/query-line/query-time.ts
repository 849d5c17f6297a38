import { parseInstant } from './values.js';

export type TimeField = 'since' | 'until';

/** A time as a query line says it. */
export interface SaidTime {
  /** `2026-01-05T10:00:00.123456Z` */
  instant: string;
  /** Where it was said relative to now: that, such as `-24h`. */
  relative?: string;
}

/** For a fault's message. */
export const EXPECTED_TIME =
  'a date (2026-01-05), an instant (2026-01-05T10:00:00Z) or a time before now (-24h; m, h, d, w)';

const RELATIVE = /^-0*(\d+)([mhdw])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const EDGE = { since: 'T00:00:00.000000Z', until: 'T23:59:59.999999Z' };

/** A bare date is its first instant for since and its last for until; without an offset a time is UTC. null for anything else. */
export function readTime(field: TimeField, said: string, now: Date): SaidTime | null {
  const [, count, unit] = RELATIVE.exec(said) ?? [];
  if (count !== undefined) {
    const at = new Date(now.getTime() - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
    const instant = Number.isNaN(at.getTime()) ? null : parseInstant(at.toISOString());
    return instant === null ? null : { instant, relative: `-${count}${unit}` };
  }
  const full = DATE.test(said) ? said + EDGE[field] : said;
  const instant = parseInstant(full) ?? parseInstant(`${full}Z`);
  return instant === null ? null : { instant };
}

/** The shortest form of an instant that reads as the same: a day's edge as its date, no zeros at the end of a fraction. */
export function printTime(field: TimeField, instant: string): string {
  const edge = EDGE[field];
  return instant.endsWith(edge) ? instant.slice(0, -edge.length) : instant.replace(/\.?0*Z$/, 'Z');
}
