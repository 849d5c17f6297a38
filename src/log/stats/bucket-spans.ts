import { DAY, floorTo, type Micros, QUARTER } from '../counts/time-spans.js';

/** A range of time whose counts are added to one bucket, subtracted from another, or both; buckets by index from 0. */
export interface BucketRange {
  span: 'day' | 'quarter';
  from: Micros;
  until: Micros;
  plus: number | null;
  minus: number | null;
}

/**
 * How to compute the buckets between `bounds` from stored counts, from `from` to `until`. A bucket that does not begin with a
 * UTC day begins with the nearest one, and the quarters between are added or subtracted, so that the days of a zone some
 * hours off UTC take only those hours' quarters of each day. Partial quarters are left out.
 */
export function bucketRanges(from: Micros, until: Micros, bounds: readonly Micros[]): BucketRange[] {
  const ranges = new Map<string, BucketRange>();
  const use = (span: BucketRange['span'], start: Micros, end: Micros, part: Partial<BucketRange>) => {
    if (start >= end) return;
    const name = `${span} ${start} ${end}`;
    const known = ranges.get(name) ?? { span, from: start, until: end, plus: null, minus: null };
    ranges.set(name, { ...known, ...part });
  };
  for (let index = 0; index + 1 < bounds.length; index += 1) {
    const start = ceilTo(later(bounds[index]!, from), QUARTER);
    const end = floorTo(earlier(bounds[index + 1]!, until), QUARTER);
    const [first, last] = [nearestDay(start), nearestDay(end)];
    if (first >= last || distance(start, first) + distance(end, last) >= end - start) {
      use('quarter', start, end, { plus: index });
      continue;
    }
    use('day', first, last, { plus: index });
    use('quarter', start, first, { plus: index });
    use('quarter', first, start, { minus: index });
    use('quarter', last, end, { plus: index });
    use('quarter', end, last, { minus: index });
  }
  return [...ranges.values()];
}

const later = (a: Micros, b: Micros) => (a > b ? a : b);
const earlier = (a: Micros, b: Micros) => (a < b ? a : b);
const distance = (a: Micros, b: Micros) => (a < b ? b - a : a - b);
const ceilTo = (at: Micros, unit: Micros): Micros => floorTo(at + unit - 1n, unit);
const nearestDay = (at: Micros): Micros => floorTo(at + DAY / 2n, DAY);
