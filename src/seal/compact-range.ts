import { EMPTY_ROOT, foldHashes, HASH_BYTES, nodeHash, perfectRoot } from './merkle.js';

/** Hashes of a full tile; a tile of level L holds nodes of the tree's level 8 L (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** TILE_WIDTH hashes of 32 bytes, one after the other. */
  readonly hashes: Buffer;
  /** Of the tile as a tree of its own: the hash at `index` of the level above. */
  readonly root: Buffer;
}

/** How many hashes of a tile level a log of this size has in all, in full tiles and in the partial one. */
export const hashesAt = (level: number, size: number): number => Math.floor(size / TILE_WIDTH ** level);

/** The right edge of a growing tree: what must be known of the leaves so far to add more of them and to tell the root. */
export class CompactRange {
  /** Complete subtrees, largest first. */
  private readonly peaks: { level: number; hash: Buffer }[] = [];
  /** The hashes of each tile level's partial tile. */
  private readonly partial: Buffer[][] = [];
  private leaves = 0;

  /** `partial`: by tile level the hashes that a log of `size` has beyond its full tiles. */
  static of(size: number, partial: readonly (readonly Buffer[])[]): CompactRange {
    const compactRange = new CompactRange();
    for (let level = partial.length - 1; level >= 0; level -= 1)
      for (const each of partial[level]!) {
        compactRange.leaves += TILE_WIDTH ** level;
        compactRange.keep(level, each);
        compactRange.merge(8 * level, each);
      }
    if (compactRange.leaves !== size)
      throw new Error(`expected the right edge of a log of ${size}, got one of ${compactRange.leaves}`);
    return compactRange;
  }

  get size(): number {
    return this.leaves;
  }

  /** Adds leaf hashes; answers the tiles that became full, each after those that it is made of. */
  append(leafHashes: readonly Buffer[]): Tile[] {
    const full: Tile[] = [];
    for (const leaf of leafHashes) {
      this.leaves += 1;
      this.keep(0, leaf);
      const roots = this.merge(0, leaf);
      if (roots.length > 0) full.push(...this.complete(0, roots));
    }
    return full;
  }

  /** append for a whole tile of leaf hashes, one after the other, where full tiles end; several times as quick. */
  appendTile(hashes: Buffer): Tile[] {
    this.leaves += TILE_WIDTH;
    const root = perfectRoot(hashes);
    const index = hashesAt(1, this.leaves) - 1;
    this.keep(1, root);
    return [{ level: 0, index, hashes, root }, ...this.complete(1, this.merge(8, root))];
  }

  /** Tiles from a level on that became full, given their roots. */
  private complete(lowest: number, roots: readonly Buffer[]): Tile[] {
    return roots.map((root, above) => {
      const level = lowest + above;
      const hashes = Buffer.concat(this.partial[level]!, TILE_WIDTH * HASH_BYTES);
      this.partial[level] = [];
      this.keep(level + 1, root);
      return { level, index: hashesAt(level + 1, this.leaves) - 1, hashes, root };
    });
  }

  /** MTH of all leaves so far. */
  root(): Buffer {
    return this.peaks.length === 0 ? EMPTY_ROOT : foldHashes(this.peaks.map(({ hash }) => hash));
  }

  /** Independent of what is added to this one. */
  copy(): CompactRange {
    const copy = new CompactRange();
    copy.leaves = this.leaves;
    copy.peaks.push(...this.peaks);
    copy.partial.push(...this.partial.map((row) => [...row]));
    return copy;
  }

  private keep(level: number, hash: Buffer): void {
    this.partial[level] ??= [];
    this.partial[level].push(hash);
  }

  /** Adds a complete subtree; answers the roots of the tiles that became full by it, lowest first. */
  private merge(level: number, hash: Buffer): readonly Buffer[] {
    let peak = { level, hash };
    let roots = NONE;
    for (let left = this.peaks.at(-1); left?.level === peak.level; left = this.peaks.at(-1)) {
      this.peaks.pop();
      peak = { level: peak.level + 1, hash: nodeHash(left.hash, peak.hash) };
      if (peak.level % 8 === 0) roots = [...roots, peak.hash];
    }
    this.peaks.push(peak);
    return roots;
  }
}

const NONE: readonly Buffer[] = [];

/** MTH of these leaves. */
export function rootOf(leafHashes: readonly Buffer[]): Buffer {
  const compactRange = new CompactRange();
  compactRange.append(leafHashes);
  return compactRange.root();
}

/** A tile's hashes, full or partial, one by one. */
export function splitHashes(bytes: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.subarray(at, at + HASH_BYTES));
  return hashes;
}
