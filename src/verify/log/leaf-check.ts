import type { Fault, Report } from '../fault.js';
import type { RetentionRecords } from './retention-records.js';
import type { CheckedRow } from './row-check.js';
import type { SequenceRow } from './sequence-rows.js';

/** An entry that is not the one sealed at its sequence; reported once it is known whether it was sealed elsewhere. */
interface Mismatch {
  row: SequenceRow;
  /** Recomputed from the entry. */
  leafHash: Buffer;
  kind: 'changed' | 'extra';
  detail: string;
}

/** Beyond so many, mismatches are reported as changed, not as moved. */
const MAX_DEFERRED = 100_000;

/** Checks single leaves, given the hash that was sealed at their sequence. */
export class LeafCheck {
  private readonly deferred: Mismatch[] = [];
  /** Index of the removed range that contains or follows the last sequence asked for. */
  private range = 0;
  /** Erased entries met so far, by their erased_at. */
  private readonly erased = new Map<string, number>();
  /** Sequences at which a leaf was sealed but is not found, by its hash in hex. */
  private readonly absent = new Map<string, number>();

  constructor(
    private readonly records: RetentionRecords,
    private readonly report: Report,
    /** Reads the entries that have no sequence. */
    private readonly readUnsequenced: () => Promise<readonly CheckedRow[]>,
  ) {}

  /** `sealed`: the hash that the tree has at this sequence; null if it is unknown. To be called in order. */
  check(sequence: number, sealed: Buffer | null, row: SequenceRow | null): void {
    if (row === null) {
      this.addAbsent(sealed, sequence);
      this.report({ kind: 'missing', sequence, detail: 'no entry has this sequence' });
      return;
    }
    const { entry, entryId, leafHash } = row;
    if (entry === null) {
      if (!this.isRemoved(sequence) || entryId >= this.records.removedBefore)
        this.report({ kind: 'missing', sequence, detail: `the row of entry ${entryId} is missing` });
      else if (sealed !== null && !leafHash.equals(sealed))
        this.report(changed(sequence, entryId, [sequencedHashProblem(sealed, leafHash)]));
      return;
    }
    if (this.isRemoved(sequence))
      this.report({ kind: 'extra', sequence, detail: `entry ${entryId} is there, but recorded as removed` });
    const problems = [...entry.problems];
    if (sealed === null || entry.leafHash.equals(sealed)) {
      if (!leafHash.equals(entry.leafHash)) problems.push(sequencedHashProblem(entry.leafHash, leafHash));
      if (!this.isErasureRecorded(entry.erasedAt)) problems.push(ERASURE_NOT_RECORDED);
      if (problems.length > 0) this.report(changed(sequence, entryId, problems));
      return;
    }
    this.addAbsent(sealed, sequence);
    if (problems.length === 0) problems.push(leafProblem(sealed, entry.leafHash));
    const { detail } = changed(sequence, entryId, problems);
    this.defer({ row, leafHash: entry.leafHash, kind: 'changed', detail });
  }

  /** A row past the last sequence that was sealed. */
  checkPastEnd(row: SequenceRow, size: number): void {
    const detail = `entry ${row.entryId} is past the end of the log, which has size ${size}`;
    if (row.entry) this.defer({ row, leafHash: row.entry.leafHash, kind: 'extra', detail });
    else
      this.report({
        kind: 'extra',
        sequence: row.sequence,
        detail: `${detail}, and the entry's row is missing`,
      });
  }

  /** An entry of the inbox, with the leaf hash that it is to be sequenced with. */
  checkPending(sequence: number, leafHash: Buffer, entry: CheckedRow): void {
    const problems = [...entry.problems];
    if (!leafHash.equals(entry.leafHash)) problems.push(leafProblem(leafHash, entry.leafHash));
    if (!this.isErasureRecorded(entry.erasedAt)) problems.push(ERASURE_NOT_RECORDED);
    if (problems.length > 0) this.report(changed(sequence, entry.id, problems));
  }

  /** The sequence at which this leaf was sealed, if it is not found there. */
  sealedSequence(leafHash: Buffer): number | undefined {
    return this.absent.get(leafHash.toString('hex'));
  }

  /** Leaf hashes of entries that are not where they were sealed. */
  async misplacedLeaves(): Promise<Buffer[]> {
    const unsequenced = await this.readUnsequenced();
    return [...unsequenced, ...this.deferred].map(({ leafHash }) => leafHash);
  }

  /** Reports what depends on the rest of the log. */
  finish(): void {
    const { removedRanges, removedCount } = this.records;
    const count = removedRanges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (count !== removedCount)
      this.report({
        kind: 'missing',
        sequence: Math.max(removedRanges[0]?.first ?? 1, 1),
        detail: `from here on: expected ${removedCount} removed entries as recorded in the log, got ${count}`,
      });
    for (const mismatch of this.deferred) this.reportMismatch(mismatch);
    this.deferred.length = 0;
  }

  /** Whether an entry from after `after` up to `until` was removed. To be called in order. */
  hasRemoved(after: number, until: number): boolean {
    return (
      this.isRemoved(after + 1) ||
      (this.records.removedRanges[this.range]?.first ?? Number.POSITIVE_INFINITY) <= until
    );
  }

  /** To be called in order. */
  private isRemoved(sequence: number): boolean {
    const { removedRanges } = this.records;
    while ((removedRanges[this.range]?.last ?? sequence) < sequence) this.range += 1;
    return (removedRanges[this.range]?.first ?? Number.POSITIVE_INFINITY) <= sequence;
  }

  /** Whether the log records an erasure at this instant, of no fewer entries than were met. To be called once per entry. */
  private isErasureRecorded(erasedAt: string | null): boolean {
    if (erasedAt === null) return true;
    const met = (this.erased.get(erasedAt) ?? 0) + 1;
    this.erased.set(erasedAt, met);
    return met <= (this.records.erasedAt.get(erasedAt) ?? 0);
  }

  private addAbsent(sealed: Buffer | null, sequence: number): void {
    if (sealed && this.absent.size < MAX_DEFERRED) this.absent.set(sealed.toString('hex'), sequence);
  }

  private defer(mismatch: Mismatch): void {
    if (this.deferred.length < MAX_DEFERRED) this.deferred.push(mismatch);
    else this.reportMismatch(mismatch);
  }

  private reportMismatch({ row, leafHash, kind, detail }: Mismatch): void {
    const { sequence, entryId } = row;
    const sealedAs = this.sealedSequence(leafHash);
    if (sealedAs === undefined || sealedAs === sequence) this.report({ kind, sequence, detail });
    else this.report({ kind: 'moved', sequence, detail: `entry ${entryId} was sealed as ${sealedAs}` });
  }
}

const ERASURE_NOT_RECORDED = 'erased_at: expected an erasure recorded in the log, found none for it';

const expectedHash = (what: string, expected: Buffer, got: Buffer) =>
  `${what}: expected ${expected.toString('hex')}, got ${got.toString('hex')}`;

const leafProblem = (sealed: Buffer, recomputed: Buffer) =>
  expectedHash('leaf hash of its columns', sealed, recomputed);

const sequencedHashProblem = (sealed: Buffer, stored: Buffer) =>
  expectedHash('leaf_hash in reel_log_sequence', sealed, stored);

const changed = (sequence: number, entryId: string, problems: readonly string[]): Fault => ({
  kind: 'changed',
  sequence,
  detail: `entry ${entryId}: ${problems.join('; ')}`,
});
