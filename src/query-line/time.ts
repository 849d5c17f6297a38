import { parseInstant } from './values.js';

export type TimeField = 'since' | 'until';

export interface ParsedTime {
  /** `2026-01-05T10:00:00.123456Z` */
  instant: string;
  /** How it was written, such as `-24h`, where it was relative to now. */
  relative?: string;
}

/** For error messages. */
export const EXPECTED_TIME =
  'a date (2026-01-05), an instant (2026-01-05T10:00:00Z) or a time before now (-24h; m, h, d, w)';

const RELATIVE = /^-0*(\d+)([mhdw])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** What a bare date stands for: its first instant for since, its last for until. */
const DAY_BOUND = { since: 'T00:00:00.000000Z', until: 'T23:59:59.999999Z' };

/** A time without an offset is UTC. Null for anything that is not EXPECTED_TIME. */
export function readTime(field: TimeField, text: string, now: Date): ParsedTime | null {
  const [, count, unit] = RELATIVE.exec(text) ?? [];
  if (count !== undefined) {
    const at = new Date(now.getTime() - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
    const instant = Number.isNaN(at.getTime()) ? null : parseInstant(at.toISOString());
    return instant === null ? null : { instant, relative: `-${count}${unit}` };
  }
  const full = DATE.test(text) ? text + DAY_BOUND[field] : text;
  const instant = parseInstant(full) ?? parseInstant(`${full}Z`);
  return instant === null ? null : { instant };
}

/** The shortest text that reads as the same instant: a day's bound as its date, no trailing zeros in a fraction. */
export function printTime(field: TimeField, instant: string): string {
  const bound = DAY_BOUND[field];
  return instant.endsWith(bound) ? instant.slice(0, -bound.length) : instant.replace(/\.?0*Z$/, 'Z');
}
