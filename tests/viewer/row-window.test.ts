import fc from 'fast-check';
import { expect, test } from 'vitest';
import { heightOf, MAX_HEIGHT, offsetAt, rangeAt, scrollTopAt } from '../../web/stage/list/row-window.js';

const ROW = 30;
const extents = fc.record({
  total: fc.integer({ min: 0, max: 10_000_000 }).map((rows) => rows * ROW),
  viewport: fc.integer({ min: 100, max: 4_000 }),
});
/** How far the list can be scrolled. */
const mostOf = ({ total, viewport }: { total: number; viewport: number }) =>
  Math.max(0, heightOf(total) - viewport);

test('a list of any length is at most as high as browsers can draw, and its ends are its ends', () => {
  fc.assert(
    fc.property(extents, (extent) => {
      expect(heightOf(extent.total)).toBeLessThanOrEqual(MAX_HEIGHT);
      expect(offsetAt(0, extent)).toBe(0);
      expect(offsetAt(mostOf(extent), extent)).toBeCloseTo(Math.max(0, extent.total - extent.viewport), 3);
    }),
  );
});

test('scrolling down goes down, and scrolling to a place comes to it', () => {
  fc.assert(
    fc.property(extents, fc.double({ min: 0, max: 1, noNaN: true }), (extent, part) => {
      const top = Math.floor(mostOf(extent) * part);
      const offset = offsetAt(top, extent);
      // What stands below the last row moves none.
      if (top < mostOf(extent)) expect(offsetAt(top + 1, extent)).toBeGreaterThan(offset);
      expect(scrollTopAt(offset, extent)).toBeCloseTo(top, 3);
      // Not scaled where it need not be.
      if (extent.total <= MAX_HEIGHT) expect(offset).toBe(top);
    }),
  );
});

test('at any depth at most 57 rows are in the document, among them all that are seen', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000_000 }),
      fc.integer({ min: 100, max: 40 * ROW }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (count, viewport, part) => {
        const extent = { total: count * ROW, viewport };
        const offset = offsetAt(mostOf(extent) * part, extent);
        const [first, end] = rangeAt(offset, viewport, ROW, count);
        expect(end - first).toBeLessThanOrEqual(57);
        expect(first).toBeLessThanOrEqual(Math.floor(offset / ROW));
        expect(end).toBeGreaterThanOrEqual(Math.min(count, Math.ceil((offset + viewport) / ROW - 1e-6)));
      },
    ),
  );
  expect(rangeAt(0, 500, ROW, 0)).toEqual([0, 0]);
});
