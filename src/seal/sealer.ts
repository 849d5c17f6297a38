import { LRUCache } from 'lru-cache';
import type { Execute } from '../database/execute.js';
import { writeCheckpoint } from './checkpoint.js';
import { CompactRange } from './compact-range.js';
import type { Signer } from './note.js';
import {
  insertCheckpoint,
  insertTiles,
  newestCheckpoint,
  readPartialTiles,
  rebuildCompactRange,
  type StoredCheckpoint,
} from './stored-tree.js';

/** Where a log ends, by reel_log_sequence. */
export interface LogEnd {
  /** The last sequence; 0 for an empty log. */
  size: number;
  /** The leaf hash at the last sequence; null for an empty log. */
  lastLeaf: Buffer | null;
}

/** Leaves that were integrated in a transaction. */
export interface SealedBatch {
  checkpoint: StoredCheckpoint;
  /** To be called once the transaction is committed. */
  afterCommit(): void;
}

/** Compact ranges cached in memory, some 16 KiB each. */
const MAX_CACHED = 1_000;

interface CachedRange {
  compactRange: CompactRange;
  lastLeaf: Buffer;
}

/** Integrates leaves into tenants' trees: stores the tiles that become full, and signs a checkpoint. */
export class Sealer {
  private readonly cache = new LRUCache<string, CachedRange>({ max: MAX_CACHED });

  constructor(
    private readonly signer: Signer,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /**
   * Integrates one or more leaf hashes after `end`, in the transaction that sequences them. Errors: BrokenLog if what is
   * stored does not lead to the newest checkpoint, since nothing more may be signed on top of that.
   */
  async seal(
    execute: Execute,
    tenantId: string,
    end: LogEnd,
    leafHashes: readonly Buffer[],
  ): Promise<SealedBatch> {
    const { compactRange, previousSize } = await this.rangeAt(execute, tenantId, end);
    await insertTiles(execute, tenantId, compactRange.append(leafHashes));
    const body = {
      treeSize: compactRange.size,
      rootHash: compactRange.root(),
      sealedAt: this.clock().toISOString().replace('Z', '000Z'),
    };
    const checkpoint = { ...body, previousSize, note: writeCheckpoint(this.signer, tenantId, body) };
    await insertCheckpoint(execute, tenantId, checkpoint);
    const lastLeaf = leafHashes.at(-1)!;
    return { checkpoint, afterCommit: () => void this.cache.set(tenantId, { compactRange, lastLeaf }) };
  }

  /** The compact range of the log so far, and the size of its newest checkpoint. */
  private async rangeAt(
    execute: Execute,
    tenantId: string,
    { size, lastLeaf }: LogEnd,
  ): Promise<{ compactRange: CompactRange; previousSize: number }> {
    const cached = this.cache.get(tenantId);
    if (cached?.compactRange.size === size && lastLeaf?.equals(cached.lastLeaf))
      return { compactRange: cached.compactRange.copy(), previousSize: size };
    const newest = await newestCheckpoint(execute, tenantId);
    if (newest === null) {
      // Nothing was sequenced yet, or only before logs were sealed.
      const compactRange = await rebuildCompactRange(execute, tenantId, size, (tiles) =>
        insertTiles(execute, tenantId, tiles),
      );
      return { compactRange, previousSize: 0 };
    }
    if (newest.treeSize !== size) throw brokenLog(tenantId, newest, `${size} entries`);
    return { compactRange: await this.readRange(execute, tenantId, newest), previousSize: size };
  }

  private async readRange(
    execute: Execute,
    tenantId: string,
    newest: StoredCheckpoint,
  ): Promise<CompactRange> {
    const size = newest.treeSize;
    const matches = (compactRange: CompactRange) => compactRange.root().equals(newest.rootHash);
    const partial = await readPartialTiles(execute, tenantId, size);
    if (partial.reduce((sum, row, level) => sum + row.length * 256 ** level, 0) === size) {
      const compactRange = CompactRange.of(size, partial);
      if (matches(compactRange)) return compactRange;
    }
    // A changed tile does not stop the log while its leaves are right; verify reports the tile.
    const compactRange = await rebuildCompactRange(execute, tenantId, size);
    if (matches(compactRange)) return compactRange;
    throw brokenLog(tenantId, newest, `leaves with the root ${compactRange.root().toString('base64')}`);
  }
}

/** What is stored of a log does not match its newest checkpoint. */
export class BrokenLog extends Error {
  override readonly name = 'BrokenLog';
}

const brokenLog = (tenantId: string, { treeSize, rootHash }: StoredCheckpoint, got: string) =>
  new BrokenLog(
    `log of tenant ${tenantId}: expected ${treeSize} entries with the root ${rootHash.toString('base64')}, as in its newest checkpoint, got ${got}; run reel verify to find what was changed`,
  );
