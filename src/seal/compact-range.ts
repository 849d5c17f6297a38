import { EMPTY_ROOT, foldHashes, HASH_BYTES, nodeHash, perfectRoot } from './merkle.js';

/** Hashes of a full tile; a tile of level L holds nodes of the tree's level 8 L (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** TILE_WIDTH hashes of 32 bytes, concatenated. */
  readonly hashes: Buffer;
  /** Root of the tile's hashes as a tree: the hash at `index` of the level above. */
  readonly root: Buffer;
}

/** How many hashes a log of this size has at a tile level, in its full tiles and the partial one. */
export const hashesAt = (level: number, size: number): number => Math.floor(size / TILE_WIDTH ** level);

/** A compact range from leaf 0: the hashes needed to append leaves and to compute the root (transparency-dev/merkle). */
export class CompactRange {
  /** Roots of complete subtrees, largest first. */
  private readonly peaks: { level: number; hash: Buffer }[] = [];
  /** The hashes of each tile level's partial tile. */
  private readonly partial: Buffer[][] = [];
  private leaves = 0;

  /** `partial`: by tile level, the hashes that a log of `size` has past its full tiles. Errors: an Error if they are not. */
  static of(size: number, partial: readonly (readonly Buffer[])[]): CompactRange {
    const compactRange = new CompactRange();
    for (let level = partial.length - 1; level >= 0; level -= 1)
      for (const each of partial[level]!) {
        compactRange.leaves += TILE_WIDTH ** level;
        compactRange.addPartial(level, each);
        compactRange.merge(8 * level, each);
      }
    if (compactRange.leaves !== size)
      throw new Error(`expected partial tiles of a log of size ${size}, got ${compactRange.leaves}`);
    return compactRange;
  }

  get size(): number {
    return this.leaves;
  }

  /** How many hashes it holds. */
  get hashes(): number {
    return this.partial.reduce((sum, row) => sum + row.length, this.peaks.length);
  }

  /** Appends leaf hashes; returns the tiles that became full, each after those below it. */
  append(leafHashes: readonly Buffer[]): Tile[] {
    const full: Tile[] = [];
    for (const leaf of leafHashes) {
      this.leaves += 1;
      this.addPartial(0, leaf);
      const roots = this.merge(0, leaf);
      if (roots.length > 0) full.push(...this.complete(0, roots));
    }
    return full;
  }

  /** Appends the leaf hashes of a whole tile after a full one; several times as fast as append. */
  appendTile(hashes: Buffer): Tile[] {
    this.leaves += TILE_WIDTH;
    const root = perfectRoot(hashes);
    const index = hashesAt(1, this.leaves) - 1;
    this.addPartial(1, root);
    return [{ level: 0, index, hashes, root }, ...this.complete(1, this.merge(8, root))];
  }

  /** The tiles that became full, from level `lowest` up, given their roots. */
  private complete(lowest: number, roots: readonly Buffer[]): Tile[] {
    return roots.map((root, above) => {
      const level = lowest + above;
      const hashes = Buffer.concat(this.partial[level]!, TILE_WIDTH * HASH_BYTES);
      this.partial[level] = [];
      this.addPartial(level + 1, root);
      return { level, index: hashesAt(level + 1, this.leaves) - 1, hashes, root };
    });
  }

  /** MTH of all leaves (RFC 6962, section 2.1). */
  root(): Buffer {
    return this.peaks.length === 0 ? EMPTY_ROOT : foldHashes(this.peaks.map(({ hash }) => hash));
  }

  copy(): CompactRange {
    const copy = new CompactRange();
    copy.leaves = this.leaves;
    copy.peaks.push(...this.peaks);
    copy.partial.push(...this.partial.map((row) => [...row]));
    return copy;
  }

  private addPartial(level: number, hash: Buffer): void {
    this.partial[level] ??= [];
    this.partial[level].push(hash);
  }

  /** Adds a complete subtree; returns the roots of the tiles that became full, lowest first. */
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

/** MTH of leaf hashes (RFC 6962, section 2.1). */
export function rootOf(leafHashes: readonly Buffer[]): Buffer {
  const compactRange = new CompactRange();
  compactRange.append(leafHashes);
  return compactRange.root();
}

/** The hashes of a full or partial tile. */
export function splitHashes(bytes: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.subarray(at, at + HASH_BYTES));
  return hashes;
}
