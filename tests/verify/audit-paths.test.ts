import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldHashes, hashRanges, inclusionRanges } from '../../src/seal/merkle.js';
import { AuditPaths } from '../../src/verify/export/audit-paths.js';
import { checkInclusion } from '../support/independent-verifier.js';

const leaves: Buffer[] = Array.from({ length: 600 }, (_, index) =>
  createHash('sha256').update(`\0${index}`).digest(),
);
const hashesOf = (ranges: Parameters<typeof hashRanges>[0]) =>
  hashRanges(ranges, async (nodes) =>
    nodes.map(({ level, index }) => {
      let row: Buffer[] = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level);
      while (row.length > 1)
        row = Array.from({ length: row.length / 2 }, (_, at) => foldHashes(row.slice(2 * at, 2 * at + 2)));
      return row[0]!;
    }),
  );
const pathOf = (index: number, size: number) => hashesOf(inclusionRanges(index, size));

interface Walk {
  at: number;
  leaf: number;
  /** What is done to the path: nothing, or to the step of this number. */
  harm: 'none' | 'flip' | 'cut' | 'more' | 'swap';
  step: number;
}
const walk: fc.Arbitrary<Walk> = fc.record({
  at: fc.nat(),
  leaf: fc.constantFrom(0, 0, 0, 1),
  harm: fc.constantFrom('none', 'none', 'none', 'flip', 'cut', 'more', 'swap'),
  step: fc.nat(),
});

test('a row of walks, some of them false, is judged as each of them is alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 600 }),
      fc.array(walk, { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      async (size, walks, isInOrder) => {
        const [root] = (await hashesOf([{ start: 0, end: size }])) as [Buffer];
        const paths = new AuditPaths(size, root);
        const places = walks.map(({ at }) => at % size);
        if (isInOrder) places.sort((a, b) => a - b);
        for (const [number, { leaf: other, harm, step }] of walks.entries()) {
          const index = places[number]!;
          const path = await pathOf(index, size);
          const at = path.length === 0 ? 0 : step % path.length;
          if (harm === 'more') path.push(root);
          else if (path.length > 0) {
            if (harm === 'cut') path.splice(at, 1);
            if (harm === 'swap') path.reverse();
            if (harm === 'flip')
              path[at] = Buffer.from(path[at]!.map((byte, place) => byte ^ Number(place === 3)));
          }
          const leaf = leaves[(index + other) % leaves.length]!;
          const holds = paths.holds(leaf, index, path);
          expect(holds).toBe(checkInclusion(leaf, index, size, path, root));
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('what is no place or no hash leads nowhere', async () => {
  const [path, root] = [await pathOf(0, 2), foldHashes(leaves.slice(0, 2))];
  const paths = new AuditPaths(2, root);
  expect(paths.holds(leaves[0]!, 0, path)).toBe(true);
  for (const index of [-1, 1, 2, 0.5, Number.NaN]) expect(paths.holds(leaves[0]!, index, path)).toBe(false);
  for (const step of [Buffer.alloc(0), path[0]!.subarray(1), Buffer.concat([path[0]!, Buffer.alloc(1)])])
    expect(paths.holds(leaves[0]!, 0, [step])).toBe(false);
  expect(new AuditPaths(0, root).holds(leaves[0]!, 0, [])).toBe(false);
});
