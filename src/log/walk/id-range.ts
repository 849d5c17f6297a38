import type { Criteria } from '../filter/criteria.js';
import { idFloor, idOf } from '../filter/where.js';

/** Ids from `low` to `high`, both inclusive; empty where `low` is greater. */
export interface IdRange {
  readonly low: string;
  readonly high: string;
}

const FIRST = '00000000-0000-0000-0000-000000000000';
const LAST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
export const EVERY_ID: IdRange = { low: FIRST, high: LAST };
const NONE: IdRange = { low: LAST, high: FIRST };

/** The ids that entries of the criteria's time can have; their created_at decides to the microsecond. */
export function idsWithin(start: Criteria['start'], end: Criteria['end']): IdRange {
  return {
    low: start === null ? FIRST : idFloor(start),
    high: end === null ? LAST : (idBefore(idFloor(end, 1)) ?? FIRST),
  };
}

const DAY_MS = 86_400_000;

/**
 * The ids that entries of these UTC days can have, and all from `first` on unless that is null: in order, none of them twice.
 * `days`: Unix milliseconds at which they begin, in order.
 */
export function idsOfDays(days: readonly number[], first: string | null): IdRange[] {
  const ofDay = (day: number): IdRange => {
    const start = new Date(day).toISOString();
    return { low: idFloor(start), high: idBefore(idFloor(start, DAY_MS)) ?? FIRST };
  };
  const ranges = [...days.map(ofDay), ...(first === null ? [] : [{ low: first, high: LAST }])];
  const joined: IdRange[] = [];
  for (const range of ranges.sort((one, other) => (one.low < other.low ? -1 : 1))) {
    const last = joined.at(-1);
    if (last && range.low <= (idAfter(last.high) ?? LAST))
      joined[joined.length - 1] = { low: last.low, high: [last.high, range.high].sort().at(-1)! };
    else joined.push(range);
  }
  return joined;
}

/** The shortest range that has these ids; an empty one for none. */
export function rangeOf(ids: readonly string[]): IdRange {
  let { low, high } = NONE;
  for (const id of ids) {
    if (id < low) low = id;
    if (id > high) high = id;
  }
  return { low, high };
}

export const isEmptyRange = ({ low, high }: IdRange): boolean => low > high;

export const intersect = (one: IdRange, other: IdRange): IdRange => ({
  low: [one.low, other.low].sort().at(-1)!,
  high: [one.high, other.high].sort()[0]!,
});

/**
 * Splits ids in two, in a walk's order: those of some weeks and all others. A statement over few months is planned in a fraction
 * of the time, and mostly suffices. One part where it is no longer than that, or begins in no known time.
 */
export function partsOf(range: IdRange, descending: boolean, now: number): IdRange[] {
  if (!descending && range.low === FIRST) return [range];
  const began = descending ? Math.min(millisecondsOf(range.high), now) : millisecondsOf(range.low);
  const month = new Date(began);
  // Months are partitions, so that a part ends with one.
  const end = Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + (descending ? -1 : 2));
  const low = idOf(end);
  const parts = descending
    ? [intersect(range, newerOrSame(low)), intersect(range, olderThan(low))]
    : [intersect(range, olderThan(low)), intersect(range, newerOrSame(low))];
  return parts.filter((part) => !isEmptyRange(part));
}

/** Of a range, the ids of the months that a walk touches in so many milliseconds from the Unix time at which it begins. */
export function monthsOfSpan(range: IdRange, descending: boolean, began: number, spanMs: number): IdRange {
  const edge = new Date(descending ? Math.max(0, began - spanMs) : began + spanMs);
  const month = Date.UTC(edge.getUTCFullYear(), edge.getUTCMonth() + (descending ? 0 : 1));
  const bound = idOf(month);
  return intersect(range, descending ? newerOrSame(bound) : olderThan(bound));
}

/** The ids older than one, that one not among them. */
export function olderThan(id: string): IdRange {
  const high = idBefore(id);
  return high === null ? NONE : { low: FIRST, high };
}

/** The ids newer than one, that one not among them. */
export function newerThan(id: string): IdRange {
  const low = idAfter(id);
  return low === null ? NONE : { low, high: LAST };
}

/** One id and all older, or all newer. */
export const olderOrSame = (id: string): IdRange => ({ low: FIRST, high: id });
export const newerOrSame = (id: string): IdRange => ({ low: id, high: LAST });

const idBefore = (id: string): string | null => (id === FIRST ? null : toId(toNumber(id) - 1n));
const idAfter = (id: string): string | null => (id === LAST ? null : toId(toNumber(id) + 1n));

/** When an id was made, in Unix milliseconds (RFC 9562, section 5.7). */
export const millisecondsOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

const toNumber = (id: string): bigint => BigInt(`0x${id.replaceAll('-', '')}`);

function toId(number: bigint): string {
  const hex = number.toString(16).padStart(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** How far two ids are apart, in any unit. */
export function distance(one: string, other: string): number {
  const difference = toNumber(one) - toNumber(other);
  return Number(difference < 0n ? -difference : difference);
}

/**
 * An id from the one that was reached towards where the walk began, at most a sixteenth of the way: a round one, which tells
 * nothing of the entry that was reached.
 */
export function roundedBack(reached: string, began: string): string {
  const [to, from] = [toNumber(reached), toNumber(began)];
  const walked = from > to ? from - to : to - from;
  const step = 1n << BigInt(Math.max(0, (walked >> 4n).toString(2).length - 1));
  return toId(from > to ? ((to + step - 1n) / step) * step : (to / step) * step);
}

/**
 * The time up to which everything is looked at once all ids from one end up to this one are. An id has its entry's
 * created_at to the millisecond, so newest first it is the next millisecond, oldest first the microsecond before this one.
 */
export function timeReached(id: string, newestFirst: boolean): string {
  const milliseconds = millisecondsOf(id);
  return newestFirst ? `${isoOf(milliseconds + 1)}000Z` : `${isoOf(milliseconds - 1)}999Z`;
}

const LAST_MILLISECOND = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const isoOf = (milliseconds: number): string =>
  new Date(Math.min(Math.max(milliseconds, 0), LAST_MILLISECOND)).toISOString().slice(0, -1);
