import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CompactRange, TILE_WIDTH, type Tile } from '../../src/seal/compact-range.js';
import {
  consistencyRanges,
  EMPTY_ROOT,
  hashRanges,
  inclusionPaths,
  type Node,
  nodesOf,
  verifyConsistency,
} from '../../src/seal/merkle.js';
import { InclusionCheck } from '../../src/verify/export/inclusion-check.js';
import { inclusionRanges } from '../support/inclusion-ranges.js';
import { checkConsistency, checkInclusion } from '../support/independent-verifier.js';

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafOf = (bytes: Uint8Array) => sha256(Buffer.of(0), bytes);

/** RFC 6962, section 2.1, word for word. */
function mth(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}
function path(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return m < k
    ? [...path(m, leaves.slice(0, k)), mth(leaves.slice(k))]
    : [...path(m - k, leaves.slice(k)), mth(leaves.slice(0, k))];
}
function subproof(m: number, leaves: readonly Buffer[], known: boolean): Buffer[] {
  if (m === leaves.length) return known ? [] : [mth(leaves)];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), known), mth(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), mth(leaves.slice(0, k))];
}

/** The 8 leaves that every implementation of Certificate Transparency is tested with, and their roots. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => leafOf(Buffer.from(hex, 'hex')));
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const reader = (leaves: readonly Buffer[]) => async (nodes: readonly Node[]) =>
  nodes.map(({ level, index }) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));
const hexes = (hashes: readonly Buffer[]) => hashes.map((each) => each.toString('hex'));
const manyLeaves = (count: number) =>
  Array.from({ length: count }, (_, index) => leafOf(Buffer.from(String(index))));
const grown = (leaves: readonly Buffer[]) => {
  const compactRange = new CompactRange();
  return { compactRange, tiles: compactRange.append(leaves) };
};

describe('vectors of RFC 6962', () => {
  test.each(ROOTS.map((root, size) => [size, root]))('root of %i', (size, root) => {
    expect(
      grown(LEAVES.slice(0, size as number))
        .compactRange.root()
        .toString('hex'),
    ).toBe(root);
    expect(EMPTY_ROOT.toString('hex')).toBe(ROOTS[0]);
  });

  test('audit paths', async () => {
    const of = async (index: number, size: number) =>
      hexes(await hashRanges(inclusionRanges(index, size), reader(LEAVES)));
    expect(await of(0, 1)).toEqual([]);
    expect(await of(0, 8)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(await of(5, 8)).toEqual([
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(await of(2, 3)).toEqual(['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']);
    expect(await of(1, 5)).toEqual([
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ]);
  });

  test('consistency proofs', async () => {
    const of = async (first: number, second: number) =>
      hexes(await hashRanges(consistencyRanges(first, second), reader(LEAVES)));
    expect(await of(1, 1)).toEqual([]);
    expect(await of(1, 8)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(await of(6, 8)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(await of(2, 5)).toEqual([
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ]);
  });
});

const POOL = manyLeaves(700);
const sizeUpTo = (most: number) => fc.integer({ min: 1, max: most });

describe('against the definition', () => {
  test('roots of a log that grows in steps', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 5 }), (steps) => {
        const compactRange = new CompactRange();
        let size = 0;
        for (const step of steps) {
          if (size + step > POOL.length) break;
          compactRange.append(POOL.slice(size, size + step));
          size += step;
          expect(compactRange.size).toBe(size);
          expect(compactRange.root()).toEqual(mth(POOL.slice(0, size)));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('audit paths, and both verifiers take them and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(sizeUpTo(300), fc.nat(), fc.nat(), async (size, at, bit) => {
        const leaves = POOL.slice(0, size);
        const index = at % size;
        const root = mth(leaves);
        const proof = await hashRanges(inclusionRanges(index, size), reader(leaves));
        expect(proof).toEqual(path(index, leaves));
        const verifyInclusion = (leaf: Buffer, place: number, of: number, steps: Buffer[], head: Buffer) =>
          new InclusionCheck(of, head).isValid(leaf, place, steps);
        const verifiers = [verifyInclusion, checkInclusion];
        for (const verify of verifiers) {
          expect(verify(leaves[index]!, index, size, proof, root)).toBe(true);
          expect(verify(leaves[index]!, index, size, [...proof, root], root)).toBe(false);
          if (proof.length > 0) expect(verify(leaves[index]!, index, size, proof.slice(1), root)).toBe(false);
          if (size > 1) expect(verify(leaves[(index + 1) % size]!, index, size, proof, root)).toBe(false);
          expect(verify(leaves[index]!, index, size, proof, flip(root, bit))).toBe(false);
          expect(verify(leaves[index]!, size, size, proof, root)).toBe(false);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('consistency proofs, and both verifiers take them and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(sizeUpTo(300), fc.nat(), fc.nat(), async (second, at, bit) => {
        const first = 1 + (at % second);
        const [older, newer] = [mth(POOL.slice(0, first)), mth(POOL.slice(0, second))];
        const proof = await hashRanges(consistencyRanges(first, second), reader(POOL));
        expect(proof).toEqual(subproof(first, POOL.slice(0, second), true));
        for (const verify of [verifyConsistency, checkConsistency]) {
          expect(verify(first, second, older, newer, proof)).toBe(true);
          expect(verify(first, second, flip(older, bit), newer, proof)).toBe(false);
          expect(verify(first, second, older, flip(newer, bit), proof)).toBe(false);
          expect(verify(first, second, older, newer, [...proof, newer])).toBe(false);
          if (proof.length > 0) expect(verify(first, second, older, newer, proof.slice(0, -1))).toBe(false);
        }
      }),
      { numRuns: 60 },
    );
  });
});

const flip = (hash: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(hash);
  copy[Math.floor((bit % 256) / 8)]! ^= 1 << (bit % 8);
  return copy;
};

describe('tiles', () => {
  const leaves = manyLeaves(TILE_WIDTH * TILE_WIDTH + 300);

  test('become full once, hold their hashes, and their roots are the level above', () => {
    const { compactRange, tiles } = grown(leaves);
    const at = (level: number) => tiles.filter((tile) => tile.level === level);
    expect(at(0).map(({ index }) => index)).toEqual(Array.from({ length: 257 }, (_, index) => index));
    expect(at(1).map(({ index }) => index)).toEqual([0]);
    expect(at(0)[3]!.hashes).toEqual(Buffer.concat(leaves.slice(768, 1024)));
    expect(at(1)[0]!.hashes).toEqual(
      Buffer.concat(
        at(0)
          .slice(0, 256)
          .map(({ root }) => root),
      ),
    );
    expect(at(0)[3]!.root).toEqual(mth(leaves.slice(768, 1024)));
    expect(at(1)[0]!.root).toEqual(mth(leaves.slice(0, 65_536)));
    expect(compactRange.root()).toEqual(mth(leaves));
  });

  test('a compact range read back grows as the one in memory', () => {
    for (const size of [0, 1, 255, 256, 257, 65_535, 65_536, 65_800]) {
      const { tiles } = grown(leaves.slice(0, size));
      const roots = (level: number) =>
        tiles.filter((tile: Tile) => tile.level === level).map(({ root }) => root);
      const rows = [
        leaves.slice(size - (size % 256), size),
        roots(0).slice(Math.floor(size / 65_536) * 256),
        roots(1),
      ];
      const back = CompactRange.of(size, rows);
      const copy = back.copy();
      back.append(leaves.slice(size, size + 30));
      expect(back.root()).toEqual(mth(leaves.slice(0, size + 30)));
      expect(copy.root()).toEqual(mth(leaves.slice(0, size)));
    }
    expect(() => CompactRange.of(2, [[leaves[0]!]])).toThrow(
      'expected partial tiles of a log of size 2, got 1',
    );
  });

  test('large sizes keep their places', () => {
    expect(nodesOf({ start: 0, end: 2 ** 40 + 1 })).toEqual([
      { level: 40, index: 0 },
      { level: 0, index: 2 ** 40 },
    ]);
    expect(inclusionRanges(2 ** 40, 2 ** 40 + 1)).toEqual([{ start: 0, end: 2 ** 40 }]);
  });

  test('paths of several leaves are those of each, and name each range once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.array(fc.nat(), { maxLength: 50 }), (size, picks) => {
        const indexes = [...new Set(picks.map((pick) => pick % size))].sort((a, b) => a - b);
        const { ranges, paths } = inclusionPaths(indexes, size);
        expect(paths.map((path) => path.map((place) => ranges[place]))).toEqual(
          indexes.map((index) => inclusionRanges(index, size)),
        );
        expect(new Set(ranges.map(({ start, end }) => `${start}-${end}`)).size).toBe(ranges.length);
      }),
    );
  });
});
