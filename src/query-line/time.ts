import type { TimeField } from './fields.js';
import { instantOf } from './time-zone.js';
import { parseInstant } from './values.js';

export interface TimeContext {
  /** Relative times count back from it. */
  readonly now: Date;
  /** Of dates and of times without an offset; an IANA name. */
  readonly timeZone: string;
}

export interface ParsedTime {
  /** `2026-01-05T10:00:00.123456Z` */
  readonly is: string;
  /** How it is printed, where what it stands for depends on now or the time zone: `-24h`, `2026-01-05`. */
  readonly written?: string;
}

/** For error messages. */
export const EXPECTED_TIME =
  'a date (2026-01-05), a time (2026-01-05T10:00:00, with Z or an offset where it is not local) or a time before now (-24h; m, h, d, w)';

const RELATIVE = /^-0*(\d+)([mhdw])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Which end of a day or a second a field means. */
const edgeOf = (field: TimeField) => (field.endsWith('since') ? 'since' : 'until');

/** Null for anything that is not EXPECTED_TIME, and for a date that a time zone skipped. */
export function readTime(field: TimeField, text: string, context: TimeContext): ParsedTime | null {
  const [, count, unit] = RELATIVE.exec(text) ?? [];
  if (count !== undefined) {
    const at = new Date(context.now.getTime() - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
    const is = Number.isNaN(at.getTime()) ? null : parseInstant(at.toISOString());
    return is === null ? null : { is, written: `-${count}${unit}` };
  }
  if (!DATE.test(text)) {
    const exact = parseInstant(text);
    if (exact !== null) return { is: exact };
    const local = parseInstant(`${text}Z`);
    const is = local && localInstant(local, context.timeZone, edgeOf(field));
    return is ? { is, written: printTime(local).slice(0, -1) } : null;
  }
  const [start, end] = [parseInstant(`${text}T00:00:00Z`), parseInstant(`${text}T23:59:59.999999Z`)];
  if (start === null || end === null) return null;
  const since = localInstant(start, context.timeZone, 'since');
  const until = localInstant(end, context.timeZone, 'until');
  if (since === null || until === null || until < since) return null;
  return { is: edgeOf(field) === 'since' ? since : until, written: text };
}

/** The instant of a local time, given as if it were UTC; null beyond years 0001 to 9999. */
function localInstant(local: string, timeZone: string, edge: 'since' | 'until'): string | null {
  const { at, isSkipped } = instantOf(Date.parse(`${local.slice(0, 19)}Z`), timeZone, edge);
  const isBefore = isSkipped && edge === 'until';
  const second = new Date(isBefore ? at - 1000 : at).toISOString();
  const fraction = isSkipped ? (isBefore ? '999999' : '000000') : local.slice(20, 26);
  return parseInstant(`${second.slice(0, -5)}.${fraction}Z`);
}

/** The shortest text that reads as the same instant in any time zone. */
export const printTime = (instant: string): string =>
  instant.replace(/\.(\d*[1-9])?0*Z$/, (_, kept?: string) => (kept === undefined ? 'Z' : `.${kept}Z`));
