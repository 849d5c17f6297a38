import { CompactRange, rootOf, splitHashes, TILE_WIDTH, type Tile } from '../../seal/compact-range.js';
import { EMPTY_ROOT, HASH_BYTES } from '../../seal/merkle.js';
import type { Report } from '../fault.js';
import type { ExpectedRoot } from './checkpoint-check.js';
import type { LeafCheck } from './leaf-check.js';
import { recoverRightEdge } from './right-edge.js';
import type { SequenceRow } from './sequence-rows.js';
import type { StoredTile } from './tile-rows.js';

type Rows = readonly (SequenceRow | null)[];

/**
 * Grows the tree from stored leaf hashes, a tile at a time, and compares it with the stored tiles and with the roots of
 * checkpoints. If sequence rows and a tile differ, the tile counts as sealed if its root confirms it.
 */
export class TreeCheck {
  private readonly compactRange = new CompactRange();
  /** False once a leaf is missing that no tile has: no later root can be computed. */
  private isComplete = true;
  /** Size of the last root that matched. */
  private lastMatch = 0;
  /** Once a root differs, all later ones do: only the first is reported. */
  private hasReportedRoot = false;
  /** Undefined until it is read, null after the last. */
  private nextRoot: ExpectedRoot | null | undefined;
  /** Roots that were read ahead to recover the right edge. */
  private readAhead: ExpectedRoot[] = [];

  constructor(
    private readonly expectedRoots: AsyncGenerator<ExpectedRoot>,
    private readonly leafCheck: LeafCheck,
    private readonly report: Report,
    private readonly readTile: (level: number, index: number) => Promise<StoredTile | undefined>,
  ) {}

  root(): Buffer {
    return this.isComplete ? this.compactRange.root() : EMPTY_ROOT;
  }

  /** Adds the leaves of one tile, from index `start`; fewer than TILE_WIDTH at the end of the log. */
  async addTile(start: number, rows: Rows, tile: StoredTile | undefined): Promise<void> {
    const isFull = rows.length === TILE_WIDTH;
    const sealed = isFull ? this.sealedLeaves(start, rows, tile) : await this.edgeLeaves(start, rows);
    for (const [at, row] of rows.entries()) this.leafCheck.check(start + at + 1, sealed[at]!, row);
    await this.grow(start, sealed, isFull ? tile : undefined);
  }

  /** Adds a full tile whose leaves were already compared with entries and with the stored tile, from index `start`. */
  async addCheckedTile(start: number, leaves: Buffer, tile: StoredTile): Promise<void> {
    await this.compareRoots(start);
    const next = await this.peekRoot();
    if (next && next.size < start + TILE_WIDTH) await this.grow(start, splitHashes(leaves), tile);
    else {
      if (this.isComplete)
        for (const full of this.compactRange.appendTile(leaves)) await this.compareTile(full, tile);
      await this.compareRoots(start + TILE_WIDTH);
    }
  }

  /** Reports the roots that are left: they are of sizes that the log does not have. */
  async finish(): Promise<void> {
    for (let next = await this.peekRoot(); next; next = await this.peekRoot()) {
      this.takeRoot();
      if (next.size === 0 ? !next.root.equals(EMPTY_ROOT) : true)
        this.reportRoot(next, `the log has size ${this.compactRange.size}`);
    }
  }

  private sealedLeaves(start: number, rows: Rows, tile: StoredTile | undefined): (Buffer | null)[] {
    const stored = rows.map((row) => row?.leafHash ?? null);
    const index = start / TILE_WIDTH;
    const fault = (at: number, detail: string) =>
      this.report({ kind: 'tile', sequence: start + at + 1, detail: `tile ${index} of level 0 ${detail}` });
    if (!tile) {
      fault(0, 'is missing');
      return stored;
    }
    if (tile.hashes.length !== TILE_WIDTH * HASH_BYTES) {
      fault(0, `has ${tile.hashes.length} bytes, expected ${TILE_WIDTH * HASH_BYTES}`);
      return stored;
    }
    const differs = (leaf: Buffer | null, at: number) =>
      leaf?.length !== HASH_BYTES ||
      tile.hashes.compare(leaf, 0, HASH_BYTES, at * HASH_BYTES, (at + 1) * HASH_BYTES) !== 0;
    if (!stored.some(differs)) return stored;
    const hashes = splitHashes(tile.hashes);
    if (rootOf(hashes).equals(tile.root)) return hashes;
    const at = stored.findIndex((leaf, index) => leaf && differs(leaf, index));
    if (at >= 0) fault(at, 'has another leaf hash than reel_log_sequence');
    return stored.map((leaf, index) => leaf ?? hashes[index]!);
  }

  /** Leaves past the last full tile are stored in no tile, so only the roots show which ones were sealed. */
  private async edgeLeaves(start: number, rows: Rows): Promise<(Buffer | null)[]> {
    const stored = rows.map((row) => row?.leafHash ?? null);
    if (!this.isComplete || this.hasReportedRoot) return stored;
    const roots: ExpectedRoot[] = [];
    for (
      let next = await this.peekRoot();
      next && next.size <= start + rows.length;
      next = await this.peekRoot()
    ) {
      roots.push(next);
      this.takeRoot();
    }
    this.readAhead = roots;
    const own = roots.filter(({ isTrusted }) => !isTrusted);
    return recoverRightEdge(this.compactRange, rows, own, () => this.leafCheck.misplacedLeaves());
  }

  private async grow(
    start: number,
    sealed: readonly (Buffer | null)[],
    tile: StoredTile | undefined,
  ): Promise<void> {
    for (let at = 0; at < sealed.length; ) {
      await this.compareRoots(start + at);
      const next = await this.peekRoot();
      const stop = next ? Math.min(next.size - start, sealed.length) : sealed.length;
      const leaves = sealed.slice(at, stop).filter((leaf) => leaf !== null);
      if (leaves.length < stop - at) this.isComplete = false;
      if (this.isComplete)
        for (const full of this.compactRange.append(leaves)) await this.compareTile(full, tile);
      at = stop;
    }
    await this.compareRoots(start + sealed.length);
  }

  private async compareRoots(size: number): Promise<void> {
    for (let next = await this.peekRoot(); next && next.size <= size; next = await this.peekRoot()) {
      this.takeRoot();
      if (!this.isComplete) continue;
      if (next.size === size && this.compactRange.root().equals(next.root)) this.lastMatch = size;
      else if (next.isTrusted || !this.hasReportedRoot)
        this.reportRoot(
          next,
          `expected the root ${next.root.toString('base64')}, got ${this.root().toString('base64')}`,
        );
    }
  }

  private reportRoot({ size, isTrusted }: ExpectedRoot, difference: string): void {
    const detail = isTrusted
      ? `the log does not extend the trusted checkpoint: ${difference}`
      : `the log does not match it: ${difference}; the last match is at size ${this.lastMatch}`;
    this.report({ kind: 'checkpoint', sequence: size, detail });
    if (!isTrusted) this.hasReportedRoot = true;
  }

  /** `leafTile`: the stored tile of level 0; tiles of higher levels are read here. */
  private async compareTile(full: Tile, leafTile: StoredTile | undefined): Promise<void> {
    const stored = full.level === 0 ? leafTile : await this.readTile(full.level, full.index);
    // Already reported.
    if (!stored && full.level === 0) return;
    const fault = (at: number, detail: string) =>
      this.report({
        kind: 'tile',
        sequence: (full.index * TILE_WIDTH + at) * TILE_WIDTH ** full.level + 1,
        detail: `tile ${full.index} of level ${full.level} ${detail}`,
      });
    if (!stored) return fault(0, 'is missing');
    if (!stored.root.equals(full.root) && stored.hashes.equals(full.hashes))
      return fault(
        0,
        `has the root ${stored.root.toString('base64')}, expected ${full.root.toString('base64')} from its hashes`,
      );
    if (full.level > 0 && !stored.hashes.equals(full.hashes)) {
      const storedHashes = splitHashes(stored.hashes);
      const at = splitHashes(full.hashes).findIndex((hash, index) => !storedHashes[index]?.equals(hash));
      fault(Math.max(at, 0), 'has another hash than the tile below');
    }
  }

  private async peekRoot(): Promise<ExpectedRoot | null> {
    const [first] = this.readAhead;
    if (first) return first;
    if (this.nextRoot === undefined) {
      const { value, done } = await this.expectedRoots.next();
      this.nextRoot = done ? null : value;
    }
    return this.nextRoot ?? null;
  }

  private takeRoot(): void {
    if (this.readAhead.length > 0) this.readAhead.shift();
    else this.nextRoot = undefined;
  }
}
