import { LRUCache } from 'lru-cache';
import type { Execute } from '../database/execute.js';
import { passTurn } from '../time-slice.js';
import { writeCheckpoint } from './checkpoint.js';
import { CompactRange, type Tile } from './compact-range.js';
import type { Signer } from './note.js';
import {
  insertCheckpoints,
  insertTiles,
  newestCheckpoints,
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

/** Leaves that follow the end of a tenant's log. */
export interface NewLeaves {
  tenantId: string;
  end: LogEnd;
  /** One or more. */
  leafHashes: readonly Buffer[];
}

/** Leaves that were integrated in a transaction. */
export interface SealedBatch {
  checkpoint: StoredCheckpoint;
  /** To be called once the transaction is committed. */
  afterCommit(): void;
}

/** Of one log: integrated, or why not. */
export type SealResult = { sealed: SealedBatch } | { broken: BrokenLog };

/** Hashes of compact ranges cached in memory, some 100 bytes each: of 5,000 logs that write, or of fewer long ones. */
const MAX_CACHED_HASHES = 600_000;

interface CachedRange {
  compactRange: CompactRange;
  lastLeaf: Buffer;
}

/** Integrates leaves into tenants' trees: stores the tiles that become full, and signs a checkpoint. */
export class Sealer {
  private readonly cache = new LRUCache<string, CachedRange>({
    maxSize: MAX_CACHED_HASHES,
    sizeCalculation: ({ compactRange }) => 1 + compactRange.hashes,
  });

  constructor(
    private readonly signer: Signer,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /**
   * Integrates leaves of several logs, in the transaction that sequences them; one result each, in order. A log is broken
   * if what is stored of it does not lead to its newest checkpoint, since nothing more may be signed on top of that: then
   * nothing is stored for it. `store` is given what is to be stored.
   */
  async seal(execute: Execute, logs: readonly NewLeaves[], store: Execute = execute): Promise<SealResult[]> {
    const unknown = logs.filter((log) => this.cached(log) === null).map(({ tenantId }) => tenantId);
    const newest = unknown.length > 0 ? await newestCheckpoints(execute, unknown) : new Map();
    const tiles: { tenantId: string; value: Tile }[] = [];
    const checkpoints: { tenantId: string; value: StoredCheckpoint }[] = [];
    const results: SealResult[] = [];
    for (const log of logs) {
      await passTurn();
      const { tenantId, leafHashes } = log;
      try {
        const { compactRange, previousSize } = await this.rangeAt(execute, log, newest.get(tenantId) ?? null);
        tiles.push(...compactRange.append(leafHashes).map((value) => ({ tenantId, value })));
        const checkpoint = this.sign(tenantId, compactRange, previousSize);
        checkpoints.push({ tenantId, value: checkpoint });
        const lastLeaf = leafHashes.at(-1)!;
        const afterCommit = () => void this.cache.set(tenantId, { compactRange, lastLeaf });
        results.push({ sealed: { checkpoint, afterCommit } });
      } catch (error) {
        if (!(error instanceof BrokenLog)) throw error;
        results.push({ broken: error });
      }
    }
    await insertTiles(store, tiles);
    if (checkpoints.length > 0) await insertCheckpoints(store, checkpoints);
    return results;
  }

  private sign(tenantId: string, compactRange: CompactRange, previousSize: number): StoredCheckpoint {
    const body = {
      treeSize: compactRange.size,
      rootHash: compactRange.root(),
      sealedAt: this.clock().toISOString().replace('Z', '000Z'),
    };
    return { ...body, previousSize, note: writeCheckpoint(this.signer, tenantId, body) };
  }

  private cached({ tenantId, end }: NewLeaves): CompactRange | null {
    const cached = this.cache.get(tenantId);
    const isCurrent = cached?.compactRange.size === end.size && end.lastLeaf?.equals(cached.lastLeaf);
    return isCurrent ? cached.compactRange : null;
  }

  /** The compact range of the log so far, and the size of its newest checkpoint, which is `newest` unless it is cached. */
  private async rangeAt(
    execute: Execute,
    log: NewLeaves,
    newest: StoredCheckpoint | null,
  ): Promise<{ compactRange: CompactRange; previousSize: number }> {
    const { tenantId, end } = log;
    const cached = this.cached(log);
    if (cached) return { compactRange: cached.copy(), previousSize: end.size };
    if (newest === null) {
      // Nothing was sequenced yet, or only before logs were sealed.
      const compactRange = await rebuildCompactRange(execute, tenantId, end.size, (tiles) =>
        insertTiles(
          execute,
          tiles.map((value) => ({ tenantId, value })),
        ),
      );
      return { compactRange, previousSize: 0 };
    }
    if (newest.treeSize !== end.size) throw brokenLog(tenantId, newest, `${end.size} entries`);
    return { compactRange: await this.readRange(execute, tenantId, newest), previousSize: end.size };
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
