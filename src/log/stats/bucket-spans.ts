import { DAY, floorTo, type Micros, QUARTER } from './time-spans.js';

/** A stretch whose counts go to one bucket, are taken off another, or both; buckets by their place from 0. */
export interface SharedPiece {
  span: 'day' | 'quarter';
  from: Micros;
  until: Micros;
  plus: number | null;
  minus: number | null;
}

/**
 * How buckets between `bounds` are put together from what is counted, within a range. A bucket that does not begin with
 * a UTC day begins with the nearer one, and the quarters between are taken off it or added, so that days of a zone some
 * hours off UTC need no more than those hours' quarters of each day. Broken quarters are left out.
 */
export function bucketPieces(from: Micros, until: Micros, bounds: readonly Micros[]): SharedPiece[] {
  const pieces = new Map<string, SharedPiece>();
  const share = (span: SharedPiece['span'], start: Micros, end: Micros, part: Partial<SharedPiece>) => {
    if (start >= end) return;
    const name = `${span} ${start} ${end}`;
    const known = pieces.get(name) ?? { span, from: start, until: end, plus: null, minus: null };
    pieces.set(name, { ...known, ...part });
  };
  for (let place = 0; place + 1 < bounds.length; place += 1) {
    const start = ceilTo(later(bounds[place]!, from), QUARTER);
    const end = floorTo(sooner(bounds[place + 1]!, until), QUARTER);
    const [first, last] = [nearestDay(start), nearestDay(end)];
    if (first >= last || distance(start, first) + distance(end, last) >= end - start) {
      share('quarter', start, end, { plus: place });
      continue;
    }
    share('day', first, last, { plus: place });
    share('quarter', start, first, { plus: place });
    share('quarter', first, start, { minus: place });
    share('quarter', last, end, { plus: place });
    share('quarter', end, last, { minus: place });
  }
  return [...pieces.values()];
}

const later = (a: Micros, b: Micros) => (a > b ? a : b);
const sooner = (a: Micros, b: Micros) => (a < b ? a : b);
const distance = (a: Micros, b: Micros) => (a < b ? b - a : a - b);
const ceilTo = (at: Micros, unit: Micros): Micros => floorTo(at + unit - 1n, unit);
const nearestDay = (at: Micros): Micros => floorTo(at + DAY / 2n, DAY);
