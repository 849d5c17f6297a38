import type { Run } from '../../database/run.js';
import { type OpenedCheckpoint, openCheckpoint, originOf } from '../../seal/checkpoint.js';
import type { Verifier } from '../../seal/note.js';
import { readUnsignedKeys } from '../../seal/signing-keys.js';
import type { StoredCheckpoint } from '../../seal/stored-tree.js';
import type { Report } from '../fault.js';
import { newestCheckpoints, walkCheckpoints } from './stored-checkpoints.js';

/** A root that the tree must have at a size. */
export interface Milestone {
  size: number;
  root: Buffer;
  /** Whose: the log's own, or a note that was kept outside. */
  isKept: boolean;
}

/** Walks a tenant's checkpoints beside its entries, and checks of each what it says by itself. */
export class CheckpointWalk {
  private readonly source: AsyncGenerator<StoredCheckpoint>;
  private before = 0;
  /** The size of the log, once it is known. */
  private most = Number.POSITIVE_INFINITY;
  private next: Milestone | null = null;

  constructor(
    private readonly tenantId: string,
    private readonly run: Run,
    private readonly keys: readonly Verifier[],
    private readonly report: Report,
  ) {
    this.source = walkCheckpoints(run, tenantId);
  }

  /** The next one that holds by itself, not taken yet; null after the last. */
  async peek(): Promise<Milestone | null> {
    while (this.next === null) {
      const { value, done } = await this.source.next();
      if (done) return null;
      this.next = this.check(value);
    }
    return this.next;
  }

  take(): void {
    this.next = null;
  }

  /** Size of the last one that was read. */
  get last(): number {
    return this.before;
  }

  private check(stored: StoredCheckpoint): Milestone | null {
    const { treeSize: size, previousSize } = stored;
    // Somebody may have put it where the log has no place.
    const sequence = Math.min(Math.max(size, 0), this.most);
    const fault = (detail: string) => this.report({ kind: 'checkpoint', sequence, detail });
    if (previousSize > this.before && previousSize < sequence)
      this.report({
        kind: 'checkpoint',
        sequence: previousSize,
        detail: `is missing; the one of ${size} entries names it as the one before`,
      });
    if (previousSize !== this.before)
      fault(`names ${previousSize} as the size of the one before, which is ${this.before}`);
    this.before = size;
    const opened = openCheckpoint(stored.note, this.keys);
    const wrong = whyWrong(stored, opened, this.tenantId);
    if (wrong !== null) fault(wrong);
    if (typeof opened !== 'string' && opened.treeSize !== size && opened.treeSize <= this.most)
      this.report({
        kind: 'checkpoint',
        sequence: opened.treeSize,
        detail: `stands as one of ${size} entries`,
      });
    return wrong === null ? { size, root: stored.rootHash, isKept: false } : null;
  }

  /**
   * How many entries the log has, going by what was signed: a row that was changed afterwards still tells by its note,
   * or, up to the last place, by its column.
   */
  async sealedSize(lastPlace: number): Promise<number | null> {
    const sizes = (await newestCheckpoints(this.run, this.tenantId, 20)).map((stored) => {
      const opened = openCheckpoint(stored.note, this.keys);
      if (typeof opened !== 'string' && opened.origin.endsWith(`/${this.tenantId}`)) return opened.treeSize;
      return stored.treeSize <= lastPlace ? stored.treeSize : 0;
    });
    if (sizes.length === 0) return null;
    this.most = Math.max(...sizes);
    return this.most;
  }
}

function whyWrong(
  stored: StoredCheckpoint,
  opened: OpenedCheckpoint | string,
  tenantId: string,
): string | null {
  if (typeof opened === 'string') return `its note is ${opened}`;
  const origin = originOf(opened.verifier.name, tenantId);
  if (opened.origin !== origin) return `its note is of the log ${opened.origin}, expected ${origin}`;
  if (opened.treeSize !== stored.treeSize) return `its note is of ${opened.treeSize} entries`;
  if (!opened.rootHash.equals(stored.rootHash)) return 'its root hash is another than its note has';
  if (opened.sealedAt !== stored.sealedAt)
    return `its time is ${stored.sealedAt}, expected ${opened.sealedAt} as in its note`;
  return null;
}

/** The keys are every tenant's: one that was changed is told with the newest checkpoint, also where it has signed none of them. */
export async function verifySigningKeys(run: Run, size: number, report: Report): Promise<void> {
  for (const vkey of await readUnsignedKeys(run))
    report({
      kind: 'checkpoint',
      sequence: size,
      detail: `the signing key ${JSON.stringify(vkey.slice(0, 200))} is not as it signed itself`,
    });
}
