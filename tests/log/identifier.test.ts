import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Identifier } from '../../src/log/entry/identifier.js';

test('an id has its instant to the microsecond, whichever way the clock goes', () => {
  const start = Date.UTC(2026, 11, 31, 23, 59, 58) * 1_000;
  const steps = fc.array(fc.integer({ min: -2_500_000, max: 2_500_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(steps, (clock) => {
      let now = start;
      const identifier = new Identifier({ now: () => now, latest: () => now + 1_000_000 });
      for (const step of clock) {
        now += step;
        const { id, createdAt } = identifier.next();
        const at = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
        expect(createdAt.slice(0, 23)).toBe(new Date(at).toISOString().slice(0, 23));
        // rand_a and what follows the variant; the first ten bits are the microsecond.
        const bits =
          (BigInt(`0x${id.slice(15, 18)}`) << 20n) | ((BigInt(`0x${id.slice(19, 23)}`) & 0x3fffn) << 6n);
        expect(createdAt.slice(23)).toBe(`${String(bits >> 22n).padStart(3, '0')}Z`);
      }
    }),
  );
});
