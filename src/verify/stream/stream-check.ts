import { type CheckpointBody, openCheckpoint } from '../../seal/checkpoint.js';
import type { Verifier } from '../../seal/note.js';
import { ExportCheck } from '../export/export-check.js';
import { readExportLine } from '../export/export-line.js';
import type { Report } from '../fault.js';
import { Covered } from './covered.js';

/** A batch as a receiver has it, its entries in it or in the lines before it. */
interface Batch {
  readonly stream: string;
  readonly tenantId: string;
  readonly previous: number;
  readonly first: number;
  readonly last: number;
  readonly entries: readonly unknown[];
  readonly checkpoint: string;
  readonly removed: readonly (readonly [number, number])[];
  readonly parked: readonly number[];
  readonly isFiltered: boolean;
}

/** What a stream's receiver was found to have. */
export interface StreamSummary {
  readonly stream: string | null;
  readonly tenantId: string | null;
  /** Of the sequences that the batches cover; 0 where there is no batch. */
  readonly first: number;
  readonly last: number;
  /** Each counted once. */
  readonly entries: number;
  /** Sequences whose entries retention had removed, as the batches say. */
  readonly removed: number;
  /** Sequences whose entries this receiver refused, and has not taken since. */
  readonly parked: number;
  /** Then batches say nothing of entries that they leave out. */
  readonly isFiltered: boolean;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Checks what a receiver kept of a stream, line by line, with the public keys alone: that no batch misses between the first and
 * the last, that each entry is as sealed, and, of a stream that is not filtered, that no entry misses. Batches that came twice
 * or again count once.
 */
export class StreamCheck {
  private of: Pick<Batch, 'stream' | 'tenantId'> | null = null;
  private readonly batches = new Covered();
  private readonly delivered = new Covered();
  private readonly removed = new Covered();
  private readonly parked = new Set<number>();
  private isFiltered = false;
  /** Entries of lines of their own, until the line that ends their batch. */
  private lines: unknown[] = [];
  private readonly checkpoints = new Map<string, CheckpointBody | string>();
  private readonly roots = new Map<number, string>();
  /** The largest checkpoint that was valid. */
  head: { size: number; root: Buffer } | null = null;

  constructor(
    private readonly verifiers: (note: string) => readonly Verifier[],
    private readonly report: Report,
  ) {}

  /** `where`: of the line, for a person. */
  add(line: string, where: string): void {
    const value = parse(line);
    if (value === null) {
      this.unreadable(where);
      return;
    }
    if (value.test === true) {
      this.lines = [];
      return;
    }
    if (!('stream' in value)) {
      this.lines.push(value);
      return;
    }
    const batch = readBatch(value, this.lines);
    this.lines = [];
    if (!batch) {
      this.unreadable(where);
      return;
    }
    this.of ??= batch;
    if (batch.stream === this.of.stream && batch.tenantId === this.of.tenantId) this.addBatch(batch, where);
    else
      this.report({
        kind: 'extra',
        sequence: batch.first,
        detail: `${where}: expected batches of the stream ${this.of.stream} alone, got one of ${batch.stream}`,
      });
  }

  /** To be called after the last line. */
  end(): StreamSummary {
    if (this.lines.length > 0)
      this.report({
        kind: 'missing',
        sequence: this.batches.last + 1,
        detail: 'the last batch has no line that ends it',
      });
    for (const [first, last] of this.batches.gaps())
      this.report({
        kind: 'missing',
        sequence: first,
        detail: `no batch covers the sequences ${first} to ${last}`,
      });
    return {
      stream: this.of?.stream ?? null,
      tenantId: this.of?.tenantId ?? null,
      first: this.batches.first,
      last: this.batches.last,
      entries: this.delivered.size,
      removed: this.removed.size,
      parked: [...this.parked].filter((sequence) => !this.delivered.has(sequence)).length,
      isFiltered: this.isFiltered,
    };
  }

  private addBatch(batch: Batch, where: string): void {
    const { first, last } = batch;
    this.isFiltered ||= batch.isFiltered;
    const checkpoint = this.checkpointOf(batch);
    if (typeof checkpoint === 'string') {
      this.report({
        kind: 'checkpoint',
        sequence: last,
        detail: `${where}: the note is ${checkpoint}`,
      });
      return;
    }
    const check = new ExportCheck(checkpoint, this.report);
    const own = new Covered();
    for (const entry of batch.entries) {
      const read = readExportLine(JSON.stringify(entry));
      if (!read) {
        this.report({
          kind: 'changed',
          sequence: first,
          detail: `${where}: expected entries with their proofs`,
        });
        continue;
      }
      check.add(read);
      if (read.sequence < first || read.sequence > last)
        this.report({
          kind: 'moved',
          sequence: read.sequence,
          detail: `${where}: entry ${read.entry.id} is outside of its batch, ${first} to ${last}`,
        });
      else own.add(read.sequence, read.sequence);
    }
    this.batches.add(first, last);
    this.delivered.addAll(own);
    for (const sequence of batch.parked) {
      this.parked.add(sequence);
      own.add(sequence, sequence);
    }
    for (const [from, until] of batch.removed) {
      this.removed.add(from, until);
      own.add(from, until);
    }
    if (batch.isFiltered) return;
    own.add(first - 1, first - 1);
    own.add(last + 1, last + 1);
    for (const [from, until] of own.gaps())
      this.report({
        kind: 'missing',
        sequence: from,
        detail: `${where}: the batch has no entry of ${from === until ? `the sequence ${from}` : `the sequences ${from} to ${until}`}, and does not say why`,
      });
  }

  private checkpointOf({ checkpoint: note, tenantId, last }: Batch): CheckpointBody | string {
    let opened = this.checkpoints.get(note);
    if (opened === undefined) {
      opened = openCheckpoint(note, this.verifiers(note));
      this.checkpoints.set(note, opened);
      if (this.checkpoints.size > 1_000) this.checkpoints.delete(this.checkpoints.keys().next().value!);
    }
    if (typeof opened === 'string') return opened;
    const { origin, treeSize, rootHash } = opened;
    if (!origin.endsWith(`/${tenantId}`)) return `of the log ${origin}, expected the tenant ${tenantId}`;
    if (treeSize < last) return `of ${treeSize} entries, expected at least ${last}`;
    const root = rootHash.toString('base64');
    const known = this.roots.get(treeSize);
    if (known !== undefined && known !== root) return `of another log of ${treeSize} entries than one before`;
    if (this.roots.size < 100_000) this.roots.set(treeSize, root);
    if (treeSize > (this.head?.size ?? -1)) this.head = { size: treeSize, root: rootHash };
    return opened;
  }

  private unreadable(where: string): void {
    this.lines = [];
    this.report({
      kind: 'changed',
      sequence: this.batches.last + 1,
      detail: `${where}: expected a batch of a stream`,
    });
  }
}

/** `[first, last]` within these, all inclusive. */
function isRange(value: unknown, least: number, most: number): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [first, last] = value as unknown[];
  return isCount(first) && isCount(last) && first >= least && first <= last && last <= most;
}

function readBatch(value: Record<string, unknown>, lines: readonly unknown[]): Batch | null {
  const { stream, tenant_id, previous, first, last, checkpoint, filtered } = value;
  const { entries = lines, removed = [], parked = [] } = value;
  const isWell =
    typeof stream === 'string' &&
    typeof tenant_id === 'string' &&
    isCount(previous) &&
    isCount(first) &&
    isCount(last) &&
    first === previous + 1 &&
    last >= first &&
    typeof checkpoint === 'string' &&
    Array.isArray(entries) &&
    Array.isArray(parked) &&
    parked.every((each) => isCount(each) && each >= first && each <= last) &&
    Array.isArray(removed) &&
    removed.every((each) => isRange(each, first, last));
  if (!isWell) return null;
  return {
    stream,
    tenantId: tenant_id,
    previous,
    first,
    last,
    entries: entries as unknown[],
    checkpoint,
    removed: removed as [number, number][],
    parked: parked as number[],
    isFiltered: filtered === true,
  };
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
