import type { Execute } from '../../database/execute.js';
import { type OpenedCheckpoint, openCheckpoint, originOf } from '../../seal/checkpoint.js';
import type { Verifier } from '../../seal/note.js';
import { readAlteredKeys } from '../../seal/signing-keys.js';
import type { StoredCheckpoint } from '../../seal/stored-tree.js';
import type { Report } from '../fault.js';
import { newestCheckpoints, walkCheckpoints } from './checkpoint-rows.js';

/** A root that the tree must have at a size. */
export interface ExpectedRoot {
  size: number;
  root: Buffer;
  /** From a checkpoint that the caller trusts, not from one that the log stores. */
  isTrusted: boolean;
}

/** How many of the newest checkpoints are asked for the log's size. */
const NEWEST = 20;

/** Reads a tenant's checkpoints by size and checks each by itself: its note, its signature and its predecessor. */
export class CheckpointCheck {
  private readonly rows: AsyncGenerator<StoredCheckpoint>;
  private lastSize = 0;
  /** Of the log, once it is known. */
  private size = Number.POSITIVE_INFINITY;
  private next: ExpectedRoot | null = null;

  constructor(
    private readonly tenantId: string,
    private readonly execute: Execute,
    private readonly keys: readonly Verifier[],
    private readonly report: Report,
  ) {
    this.rows = walkCheckpoints(execute, tenantId);
  }

  /** The root of the next valid checkpoint, until it is taken; null after the last. */
  async peek(): Promise<ExpectedRoot | null> {
    while (this.next === null) {
      const { value, done } = await this.rows.next();
      if (done) return null;
      this.next = this.check(value);
    }
    return this.next;
  }

  take(): void {
    this.next = null;
  }

  /** Size of the last checkpoint that was read, valid or not; 0 before the first. */
  get lastRead(): number {
    return this.lastSize;
  }

  private check(stored: StoredCheckpoint): ExpectedRoot | null {
    const { treeSize: size, previousSize } = stored;
    // A changed size may be negative, or past the end of the log.
    const sequence = Math.min(Math.max(size, 0), this.size);
    const fault = (detail: string) => this.report({ kind: 'checkpoint', sequence, detail });
    if (previousSize > this.lastSize && previousSize < sequence)
      this.report({
        kind: 'checkpoint',
        sequence: previousSize,
        detail: `is missing; the checkpoint of size ${size} names it as its predecessor`,
      });
    if (previousSize !== this.lastSize)
      fault(`previous_size: expected ${this.lastSize}, got ${previousSize}`);
    this.lastSize = size;
    const opened = openCheckpoint(stored.note, this.keys);
    const problem = noteProblem(stored, opened, this.tenantId);
    if (problem !== null) fault(problem);
    if (typeof opened !== 'string' && opened.treeSize !== size && opened.treeSize <= this.size)
      this.report({ kind: 'checkpoint', sequence: opened.treeSize, detail: `is stored as size ${size}` });
    return problem === null ? { size, root: stored.rootHash, isTrusted: false } : null;
  }

  /**
   * The size of the log by what was signed; null without a checkpoint. A row that was changed afterwards still has its
   * note to go by, or its column, if that is not past the last sequence.
   */
  async signedSize(lastSequence: number): Promise<number | null> {
    const sizes = (await newestCheckpoints(this.execute, this.tenantId, NEWEST)).map((stored) => {
      const opened = openCheckpoint(stored.note, this.keys);
      if (typeof opened !== 'string' && opened.origin.endsWith(`/${this.tenantId}`)) return opened.treeSize;
      return stored.treeSize <= lastSequence ? stored.treeSize : 0;
    });
    if (sizes.length === 0) return null;
    this.size = Math.max(...sizes);
    return this.size;
  }
}

/** What is wrong with a checkpoint's note, or with its columns compared to the note. */
function noteProblem(
  stored: StoredCheckpoint,
  opened: OpenedCheckpoint | string,
  tenantId: string,
): string | null {
  if (typeof opened === 'string') return `its note is ${opened}`;
  const origin = originOf(opened.verifier.name, tenantId);
  if (opened.origin !== origin) return `its note is of the log ${opened.origin}, expected ${origin}`;
  if (opened.treeSize !== stored.treeSize)
    return `tree_size: expected ${opened.treeSize} as in its note, got ${stored.treeSize}`;
  if (!opened.rootHash.equals(stored.rootHash)) {
    const [expected, got] = [opened.rootHash, stored.rootHash].map((hash) => hash.toString('base64'));
    return `root_hash: expected ${expected} as in its note, got ${got}`;
  }
  if (opened.sealedAt !== stored.sealedAt)
    return `sealed_at: expected ${opened.sealedAt} as in its note, got ${stored.sealedAt}`;
  return null;
}

/** Keys belong to the installation: an altered one is reported in every tenant's log, whether or not it signed there. */
export async function verifySigningKeys(execute: Execute, size: number, report: Report): Promise<void> {
  for (const vkey of await readAlteredKeys(execute))
    report({
      kind: 'checkpoint',
      sequence: size,
      detail: `signing key ${JSON.stringify(vkey.slice(0, 200))} does not match the note it signed`,
    });
}
