import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  DAY,
  EARLIEST,
  fromMicros,
  LATEST,
  type Micros,
  QUARTER,
  toMicros,
} from '../../src/log/counts/time-spans.js';
import { type BucketRange, bucketRanges } from '../../src/log/stats/bucket-spans.js';

const HOUR = 4n * QUARTER;
const quarters = (pieces: readonly BucketRange[]) =>
  pieces.reduce((sum, { span, from, until }) => sum + (span === 'quarter' ? until - from : 0n), 0n);

/** How often each quarter of an hour is counted in a bucket. */
function tally(pieces: readonly BucketRange[], place: number): Map<Micros, number> {
  const counted = new Map<Micros, number>();
  for (const { from, until, plus, minus } of pieces)
    for (let at = from; at < until; at += QUARTER)
      counted.set(at, (counted.get(at) ?? 0) + (plus === place ? 1 : 0) - (minus === place ? 1 : 0));
  return new Map([...counted].filter(([, times]) => times !== 0));
}

test('every whole quarter of a bucket counts once in it and in no other, days stand on UTC days', () => {
  const times = fc.bigInt({ min: -10n, max: 900n }).map((quarter) => quarter * QUARTER);
  const ragged = fc.tuple(times, fc.constantFrom(0n, 1n, QUARTER - 1n)).map(([at, more]) => at + more);
  fc.assert(
    fc.property(
      fc.uniqueArray(times, { minLength: 2, maxLength: 12 }),
      ragged,
      ragged,
      (unordered, from, until) => {
        const bounds = unordered.sort((a, b) => (a < b ? -1 : 1));
        const pieces = bucketRanges(from, until, bounds);
        for (const piece of pieces)
          if (piece.span === 'day') expect([piece.from % DAY, piece.until % DAY]).toEqual([0n, 0n]);
        for (let place = 0; place + 1 < bounds.length; place += 1) {
          const expected = new Map<Micros, number>();
          for (let at = bounds[place]!; at < bounds[place + 1]!; at += QUARTER)
            if (at >= from && at + QUARTER <= until) expected.set(at, 1);
          expect([...tally(pieces, place)].sort()).toEqual([...expected].sort());
        }
      },
    ),
  );
});

test.each([
  ['three hours behind', 3n * HOUR, 3n * HOUR],
  ['five and a half ahead', 24n * HOUR - 11n * (HOUR / 2n), 11n * (HOUR / 2n)],
  ['on UTC', 0n, 0n],
])('days of a zone %s read no more than those hours of each day by quarters', (_title, offset, each) => {
  const bounds = Array.from({ length: 101 }, (_, day) => BigInt(day) * DAY + offset);
  const pieces = bucketRanges(bounds[0]!, bounds.at(-1)!, bounds);
  expect(quarters(pieces)).toBe(101n * each);
});

test('an instant is the same when it is read again, however far off', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.bigInt({ min: EARLIEST, max: LATEST - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 52n }),
        fc.constantFrom(-1n, 0n, -1_000n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n),
      ),
      (at) => {
        expect(fromMicros(at)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(toMicros(fromMicros(at))).toBe(at);
      },
    ),
  ));
