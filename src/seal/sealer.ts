import { LRUCache } from 'lru-cache';
import type { Run } from '../database/run.js';
import { writeCheckpoint } from './checkpoint.js';
import { CompactRange } from './compact-range.js';
import type { Signer } from './note.js';
import {
  insertCheckpoint,
  insertTiles,
  newestCheckpoint,
  readPartial,
  rebuild,
  type StoredCheckpoint,
} from './stored-tree.js';

/** The last place given; `size` 0 and no hash where there is none. */
export interface LastPlace {
  size: number;
  leafHash: Buffer | null;
}

/** What was sealed in a transaction; `keep` is to be called once it is committed. */
export interface Sealing {
  checkpoint: StoredCheckpoint;
  keep(): void;
}

/** Right edges kept in memory, some 16 KiB each. */
const KEPT_TENANTS = 1_000;

interface Kept {
  compactRange: CompactRange;
  lastLeaf: Buffer;
}

/** Adds leaves to tenants' trees: stores the tiles that become full, and signs a checkpoint. */
export class Sealer {
  private readonly kept = new LRUCache<string, Kept>({ max: KEPT_TENANTS });

  constructor(
    private readonly signer: Signer,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /**
   * In the transaction that gives these leaves, one or more, the places after `last`. Errors: BrokenLog where what is
   * stored does not lead to the tenant's newest checkpoint: nothing more is signed on top of that.
   */
  async seal(run: Run, tenantId: string, last: LastPlace, leafHashes: readonly Buffer[]): Promise<Sealing> {
    const { compactRange, previousSize } = await this.rightEdge(run, tenantId, last);
    await insertTiles(run, tenantId, compactRange.append(leafHashes));
    const said = {
      treeSize: compactRange.size,
      rootHash: compactRange.root(),
      sealedAt: this.clock().toISOString().replace('Z', '000Z'),
    };
    const checkpoint = { ...said, previousSize, note: writeCheckpoint(this.signer, tenantId, said) };
    await insertCheckpoint(run, tenantId, checkpoint);
    const lastLeaf = leafHashes.at(-1)!;
    return { checkpoint, keep: () => void this.kept.set(tenantId, { compactRange, lastLeaf }) };
  }

  private async rightEdge(
    run: Run,
    tenantId: string,
    { size, leafHash }: LastPlace,
  ): Promise<{ compactRange: CompactRange; previousSize: number }> {
    const kept = this.kept.get(tenantId);
    if (kept?.compactRange.size === size && leafHash?.equals(kept.lastLeaf))
      return { compactRange: kept.compactRange.copy(), previousSize: size };
    const newest = await newestCheckpoint(run, tenantId);
    if (newest === null) {
      // Nothing, or places given before there were seals.
      const compactRange = await rebuild(run, tenantId, size, (tiles) => insertTiles(run, tenantId, tiles));
      return { compactRange, previousSize: 0 };
    }
    if (newest.treeSize !== size) throw unlike(tenantId, newest, `${size} places`);
    return { compactRange: await this.readBack(run, tenantId, newest), previousSize: size };
  }

  private async readBack(run: Run, tenantId: string, newest: StoredCheckpoint): Promise<CompactRange> {
    const size = newest.treeSize;
    const leads = (compactRange: CompactRange) => compactRange.root().equals(newest.rootHash);
    const partial = await readPartial(run, tenantId, size);
    if (partial.reduce((sum, row, level) => sum + row.length * 256 ** level, 0) === size) {
      const compactRange = CompactRange.of(size, partial);
      if (leads(compactRange)) return compactRange;
    }
    // Tiles that somebody changed do not stop the log as long as its leaves are right; verify tells of them.
    const compactRange = await rebuild(run, tenantId, size);
    if (leads(compactRange)) return compactRange;
    throw unlike(tenantId, newest, 'leaves with another root');
  }
}

/** What is stored of a log is not what was signed. */
export class BrokenLog extends Error {
  override readonly name = 'BrokenLog';
}

const unlike = (tenantId: string, newest: StoredCheckpoint, came: string) =>
  new BrokenLog(
    `expected the log of tenant ${tenantId} as its newest checkpoint, of ${newest.treeSize} entries, has it, got ${came}; reel verify says what was changed`,
  );
