import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldHashes, hashRanges } from '../../src/seal/merkle.js';
import { InclusionCheck } from '../../src/verify/export/inclusion-check.js';
import { inclusionRanges } from '../support/inclusion-ranges.js';
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

interface Proof {
  at: number;
  leaf: number;
  /** What is done to the path, at the hash of index `step`. */
  harm: 'none' | 'flip' | 'cut' | 'more' | 'swap';
  step: number;
}
const proof: fc.Arbitrary<Proof> = fc.record({
  at: fc.nat(),
  leaf: fc.constantFrom(0, 0, 0, 1),
  harm: fc.constantFrom('none', 'none', 'none', 'flip', 'cut', 'more', 'swap'),
  step: fc.nat(),
});

test('a series of proofs, some of them invalid, is verified as each of them is alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 600 }),
      fc.array(proof, { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      async (size, proofs, isSorted) => {
        const [root] = (await hashesOf([{ start: 0, end: size }])) as [Buffer];
        const inclusion = new InclusionCheck(size, root);
        const indexes = proofs.map(({ at }) => at % size);
        if (isSorted) indexes.sort((a, b) => a - b);
        for (const [number, { leaf: other, harm, step }] of proofs.entries()) {
          const index = indexes[number]!;
          const path = await pathOf(index, size);
          const at = path.length === 0 ? 0 : step % path.length;
          if (harm === 'more') path.push(root);
          else if (path.length > 0) {
            if (harm === 'cut') path.splice(at, 1);
            if (harm === 'swap') path.reverse();
            if (harm === 'flip')
              path[at] = Buffer.from(path[at]!.map((byte, index) => byte ^ Number(index === 3)));
          }
          const leaf = leaves[(index + other) % leaves.length]!;
          const isValid = inclusion.isValid(leaf, index, path);
          expect(isValid).toBe(checkInclusion(leaf, index, size, path, root));
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('an index outside the tree or a hash of another length is invalid', async () => {
  const [path, root] = [await pathOf(0, 2), foldHashes(leaves.slice(0, 2))];
  const inclusion = new InclusionCheck(2, root);
  expect(inclusion.isValid(leaves[0]!, 0, path)).toBe(true);
  for (const index of [-1, 1, 2, 0.5, Number.NaN])
    expect(inclusion.isValid(leaves[0]!, index, path)).toBe(false);
  for (const step of [Buffer.alloc(0), path[0]!.subarray(1), Buffer.concat([path[0]!, Buffer.alloc(1)])])
    expect(inclusion.isValid(leaves[0]!, 0, [step])).toBe(false);
  expect(new InclusionCheck(0, root).isValid(leaves[0]!, 0, [])).toBe(false);
});
