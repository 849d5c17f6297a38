import { CompactRange, rootOf, splitHashes, TILE_WIDTH, type Tile } from '../../seal/compact-range.js';
import { EMPTY_ROOT, HASH_BYTES } from '../../seal/merkle.js';
import type { Report } from '../fault.js';
import type { Milestone } from './checkpoint-walk.js';
import type { PlaceJudge } from './place-judge.js';
import { repairEdge } from './repair-edge.js';
import type { StoredPlace } from './stored-order.js';
import type { StoredTile } from './stored-tiles.js';

type Slots = readonly (StoredPlace | null)[];

/**
 * Grows the tree from stored places, a tile at a time, and compares it with stored tiles and with the roots known from
 * checkpoints. Where places and a tile differ, the one that the tile's root speaks for was sealed.
 */
export class TreeCheck {
  private readonly compactRange = new CompactRange();
  /** False once a leaf is missing that no tile has: no root can be told any more. */
  private isWhole = true;
  /** Of the last milestone that agreed. */
  private agreed = 0;
  /** A root that differs differs ever after: it is told once. */
  private isToldOfRoot = false;
  private milestone: Milestone | null | undefined;

  constructor(
    private readonly milestones: AsyncGenerator<Milestone>,
    private readonly judge: PlaceJudge,
    private readonly report: Report,
    private readonly readTile: (level: number, index: number) => Promise<StoredTile | undefined>,
  ) {}

  root(): Buffer {
    return this.isWhole ? this.compactRange.root() : EMPTY_ROOT;
  }

  /** The places of one tile, from `start` (0-based); fewer than TILE_WIDTH at the log's end. */
  async add(start: number, slots: Slots, tile: StoredTile | undefined): Promise<void> {
    const isFull = slots.length === TILE_WIDTH;
    const sealed = isFull ? this.sealedLeaves(start, slots, tile) : await this.edgeLeaves(start, slots);
    for (const [at, place] of slots.entries()) this.judge.judge(start + at + 1, sealed[at]!, place);
    await this.grow(start, sealed, isFull ? tile : undefined);
  }

  /** A full tile whose leaves are known to be what was sealed, from `start` (0-based). */
  async addWell(start: number, leaves: Buffer, tile: StoredTile): Promise<void> {
    await this.compareRoots(start);
    const next = await this.peek();
    if (next && next.size < start + TILE_WIDTH) await this.grow(start, splitHashes(leaves), tile);
    else {
      if (this.isWhole)
        for (const full of this.compactRange.appendTile(leaves)) await this.compare(full, tile);
      await this.compareRoots(start + TILE_WIDTH);
    }
  }

  /** Reads what is left of the milestones: all of sizes that the log does not have. */
  async end(): Promise<void> {
    for (let next = await this.peek(); next; next = await this.peek()) {
      this.take();
      if (next.size === 0 ? !next.root.equals(EMPTY_ROOT) : true)
        this.differs(next, `the log has ${this.compactRange.size}`);
    }
  }

  private sealedLeaves(start: number, slots: Slots, tile: StoredTile | undefined): (Buffer | null)[] {
    const stored = slots.map((place) => place?.leafHash ?? null);
    const index = start / TILE_WIDTH;
    const fault = (at: number, detail: string) =>
      this.report({ kind: 'tile', sequence: start + at + 1, detail: `tile ${index} of level 0 ${detail}` });
    if (!tile) {
      fault(0, 'is missing');
      return stored;
    }
    if (tile.hashes.length !== TILE_WIDTH * HASH_BYTES) {
      fault(0, `has ${tile.hashes.length} bytes`);
      return stored;
    }
    const isOther = (place: Buffer | null, at: number) =>
      place?.length !== HASH_BYTES ||
      tile.hashes.compare(place, 0, HASH_BYTES, at * HASH_BYTES, (at + 1) * HASH_BYTES) !== 0;
    if (!stored.some(isOther)) return stored;
    const hashes = splitHashes(tile.hashes);
    if (rootOf(hashes).equals(tile.root)) return hashes;
    const at = stored.findIndex((place, index) => place && isOther(place, index));
    if (at >= 0) fault(at, 'has another hash than the order');
    return stored.map((place, index) => place ?? hashes[index]!);
  }

  /** Leaves past the full tiles stand in the order alone: what was sealed shows by the roots. */
  private async edgeLeaves(start: number, slots: Slots): Promise<(Buffer | null)[]> {
    const stored = slots.map((place) => place?.leafHash ?? null);
    if (!this.isWhole || this.isToldOfRoot) return stored;
    const ahead: Milestone[] = [];
    for (let next = await this.peek(); next && next.size <= start + slots.length; next = await this.peek()) {
      ahead.push(next);
      this.take();
    }
    this.waiting = ahead;
    const own = ahead.filter(({ isKept }) => !isKept);
    return repairEdge(this.compactRange, slots, own, () => this.judge.strayLeaves());
  }

  private waiting: Milestone[] = [];

  private async grow(
    start: number,
    sealed: readonly (Buffer | null)[],
    tile: StoredTile | undefined,
  ): Promise<void> {
    for (let at = 0; at < sealed.length; ) {
      await this.compareRoots(start + at);
      const next = await this.peek();
      const stop = next ? Math.min(next.size - start, sealed.length) : sealed.length;
      const leaves = sealed.slice(at, stop).filter((leaf) => leaf !== null);
      if (leaves.length < stop - at) this.isWhole = false;
      if (this.isWhole) for (const full of this.compactRange.append(leaves)) await this.compare(full, tile);
      at = stop;
    }
    await this.compareRoots(start + sealed.length);
  }

  private async compareRoots(size: number): Promise<void> {
    for (let next = await this.peek(); next && next.size <= size; next = await this.peek()) {
      this.take();
      if (!this.isWhole) continue;
      if (next.size === size && this.compactRange.root().equals(next.root)) this.agreed = size;
      else if (next.isKept || !this.isToldOfRoot)
        this.differs(
          next,
          `expected the root ${next.root.toString('base64')}, got ${this.root().toString('base64')}`,
        );
    }
  }

  private differs(milestone: Milestone, why: string): void {
    const whose = milestone.isKept
      ? 'the log does not extend the note that was kept'
      : 'the entries are others';
    const since = milestone.isKept ? '' : `; they were changed after ${this.agreed}`;
    this.report({ kind: 'checkpoint', sequence: milestone.size, detail: `${whose}: ${why}${since}` });
    if (!milestone.isKept) this.isToldOfRoot = true;
  }

  private async compare(full: Tile, given: StoredTile | undefined): Promise<void> {
    const stored = full.level === 0 ? given : await this.readTile(full.level, full.index);
    if (!stored && full.level === 0) return;
    const sequence = (at: number) => (full.index * TILE_WIDTH + at) * TILE_WIDTH ** full.level + 1;
    const fault = (at: number, detail: string) =>
      this.report({
        kind: 'tile',
        sequence: sequence(at),
        detail: `tile ${full.index} of level ${full.level} ${detail}`,
      });
    if (!stored) return fault(0, 'is missing');
    if (!stored.root.equals(full.root) && stored.hashes.equals(full.hashes))
      return fault(0, 'has another root');
    if (full.level > 0 && !stored.hashes.equals(full.hashes)) {
      const stale = splitHashes(stored.hashes);
      const at = splitHashes(full.hashes).findIndex((hash, index) => !stale[index]?.equals(hash));
      fault(Math.max(at, 0), 'has another hash than the tiles below');
    }
  }

  private async peek(): Promise<Milestone | null> {
    const [waiting] = this.waiting;
    if (waiting) return waiting;
    if (this.milestone === undefined) {
      const { value, done } = await this.milestones.next();
      this.milestone = done ? null : value;
    }
    return this.milestone ?? null;
  }

  private take(): void {
    if (this.waiting.length > 0) this.waiting.shift();
    else this.milestone = undefined;
  }
}
