import { hash } from 'node:crypto';

/** A complete subtree: the `index`-th of those over 2^level leaves; level 0 is the leaves. */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** Leaves from `start` (inclusive) to `end` (exclusive); `start` is a multiple of the power of two at or above their number. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Returns the hashes of nodes, in the same order. */
export type ReadNodes = (nodes: readonly Node[]) => Promise<readonly Buffer[]>;

export const HASH_BYTES = 32;

/** The root of an empty log (RFC 6962, section 2.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  // Hex takes half the time of hash()'s Buffer.
  return Buffer.from(hash('sha256', pair, 'hex'), 'hex');
}

/** MTH of concatenated leaf hashes, whose number is a power of two. */
export function perfectRoot(hashes: Buffer): Buffer {
  const row = Buffer.from(hashes);
  for (let count = hashes.length / HASH_BYTES; count > 1; count /= 2)
    for (let at = 0; at < count / 2; at += 1) {
      for (let byte = 0; byte < 2 * HASH_BYTES; byte += 1) pair[1 + byte] = row[2 * HASH_BYTES * at + byte]!;
      row.write(hash('sha256', pair, 'hex'), HASH_BYTES * at, 'hex');
    }
  return row.subarray(0, HASH_BYTES);
}

/** The complete subtrees of a range, left to right, largest first. */
export function nodesOf({ start, end }: Range): Node[] {
  const nodes: Node[] = [];
  for (let at = start; at < end; ) {
    const level = floorLog2(end - at);
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** MTH of the leaves of complete subtrees, given their hashes, largest first. */
export const foldHashes = (hashes: readonly Buffer[]): Buffer =>
  hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));

/** Paths of several leaves. */
export interface InclusionPaths {
  /** Each once, though most stand in many paths. */
  readonly ranges: Range[];
  /** For each leaf the places in `ranges` whose hashes are PATH(index, D[size]), leaf to root (RFC 6962, section 2.1.1). */
  readonly paths: number[][];
}

/** `indexes`: of leaves, ascending, each less than `size`. */
export function inclusionPaths(indexes: readonly number[], size: number): InclusionPaths {
  const ranges: Range[] = [];
  const paths: number[][] = [];
  const above: number[] = [];
  /** `from` to `to`: of the indexes, those from `start` to `end`. */
  const descend = (start: number, end: number, from: number, to: number): void => {
    if (end - start === 1) {
      for (let at = from; at < to; at += 1) paths.push(above.toReversed());
      return;
    }
    const middle = start + splitOf(end - start);
    let split = from;
    while (split < to && indexes[split]! < middle) split += 1;
    if (from < split) {
      above.push(ranges.push({ start: middle, end }) - 1);
      descend(start, middle, from, split);
      above.pop();
    }
    if (split < to) {
      above.push(ranges.push({ start, end: middle }) - 1);
      descend(middle, end, split, to);
      above.pop();
    }
  };
  if (indexes.length > 0) descend(0, size, 0, indexes.length);
  return { ranges, paths };
}

/** The ranges whose hashes are PROOF(first, D[second]), 0 < first <= second (RFC 6962, section 2.1.2); none for equal sizes. */
export function consistencyRanges(first: number, second: number): Range[] {
  const path: Range[] = [];
  let [start, end] = [0, second];
  // A verifier knows the first root, so a subtree that is the whole first log is left out.
  let known = true;
  while (first < end) {
    const middle = start + splitOf(end - start);
    if (first <= middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
      known = false;
    }
  }
  if (!known) path.push({ start, end });
  return path.reverse();
}

/** The hash of each range, in the same order; their nodes are read at once. */
export async function hashRanges(ranges: readonly Range[], read: ReadNodes): Promise<Buffer[]> {
  const nodes = ranges.map(nodesOf);
  const hashes = await read(nodes.flat());
  let at = 0;
  return nodes.map(({ length }) => {
    at += length;
    return foldHashes(hashes.slice(at - length, at));
  });
}

/** RFC 9162, section 2.1.4.2; for equal sizes the roots must be equal and the path empty. */
export function verifyConsistency(
  first: number,
  second: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  if (!isCount(first) || !isCount(second) || first < 1 || first > second || !path.every(isHash)) return false;
  if (first === second) return path.length === 0 && Buffer.compare(firstRoot, secondRoot) === 0;
  const [start, ...rest] = isPowerOfTwo(first) ? [firstRoot, ...path] : path;
  if (start === undefined || path.length === 0) return false;
  let [fn, sn] = [first - 1, second - 1];
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  let [fr, sr] = [start, start];
  for (const c of rest) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && Buffer.compare(fr, firstRoot) === 0 && Buffer.compare(sr, secondRoot) === 0;
}

/** The largest power of two smaller than n, n > 1. */
const splitOf = (n: number): number => 2 ** floorLog2(n - 1);

/** Exact for all safe integers, which Math.log2 is not. */
function floorLog2(n: number): number {
  const high = Math.floor(n / 2 ** 32);
  return high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(n);
}

const half = (n: number): number => Math.floor(n / 2);
const isOdd = (n: number): boolean => n % 2 === 1;
const isPowerOfTwo = (n: number): boolean => 2 ** floorLog2(n) === n;
const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const isHash = (bytes: Uint8Array): boolean => bytes.length === HASH_BYTES;
