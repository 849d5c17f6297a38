import { LRUCache } from 'lru-cache';
import type { ReadDatabase } from '../database/database.js';
import { conflict } from '../errors.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { StoredEntry } from '../log/entry/stored-entry.js';
import { writeEntry } from '../log/entry/wire.js';
import { type Criteria, toCriteria } from '../log/filter/criteria.js';
import { SequencedReader } from '../log/read/sequenced.js';
import { PROVABLE_COLUMNS, writeProven } from '../seal/proof-bundle.js';
import type { StoredProver } from '../seal/stored-prover.js';
import type { StoredCheckpoint } from '../seal/stored-tree.js';
import { takeTurn } from '../time-slice.js';
import type { FormatContext } from './formats/format.js';
import { StreamFormat } from './formats/format.js';
import { FORMATS } from './formats/formats.js';
import type { BatchBounds, BatchToSend, Delivered, Kind } from './kinds/kind.js';
import { readGaps, type StoredStream } from './store.js';
import { writtenEntries } from './written-entries.js';

/** Positions that one statement reads. */
const MAX_STRETCH = 500;
const MAX_READERS = 1_000;
/** How long entries that match are looked for before the position is kept. */
const LOOK_MS = 1_000;

/** Entries that match after a position, as they are delivered. */
export interface Read {
  readonly entries: readonly Delivered[];
  /** Everything up to here was looked at. */
  readonly until: number;
  /** Whether there was more than what a batch holds. */
  readonly isFull: boolean;
}

/** How a stream's batches are made, by its settings. */
export interface Recipe {
  readonly bounds: BatchBounds;
  readonly hasProofs: boolean;
  readonly format: StreamFormat;
  readonly criteria: Criteria;
  readonly isFiltered: boolean;
}

export function recipeOf(stream: StoredStream, kind: Kind): Recipe {
  const { batchEntries, batchBytes, batchSeconds, proofs } = stream.settings as Record<
    string,
    number | boolean | undefined
  >;
  const { clientId, tenantId, query } = stream;
  const scope = { tenantId, clients: clientId === null ? null : [clientId] };
  return {
    bounds: {
      entries: Number(batchEntries ?? kind.batch.entries),
      bytes: Number(batchBytes ?? kind.batch.bytes),
      seconds: Number(batchSeconds ?? kind.batch.seconds),
    },
    hasProofs: stream.format === StreamFormat.REEL && Boolean(proofs ?? kind.proofs),
    format: stream.format,
    // Relative times count from when the stream was made, so that a batch that is read again is the same.
    criteria: toCriteria(scope, { query }, new Date(stream.createdAt)),
    isFiltered: query.trim() !== '' || clientId !== null,
  };
}

/** Of the names of an entry's fields as JSON, of its proof, and of what a row has for that. */
const [KEYS_BYTES, PROOF_BYTES, SEALED_BYTES] = [450, 1_500, 150];

/** In the text of a batch: a proof has the entry once more, and as much again of hashes. */
const provenSize = (entryBytes: number): number => 2 * (entryBytes - SEALED_BYTES + KEYS_BYTES) + PROOF_BYTES;

/** Made into what is delivered when its proof is there. */
const unformatted = (entry: LogEntry): Delivered => ({ entry, value: '', text: '' });

// Text that is not there yet is not made for it.
const sizeOf = (each: Delivered): number => each.bytes?.length ?? each.text.length;

/** Whether a batch may still wait for more, so that it is looked for on. */
const isFresh = (found: readonly Delivered[], { bounds }: Recipe): boolean =>
  found.length > 0 && Date.parse(found[0]!.entry.createdAt) + 1_000 * bounds.seconds > Date.now();

/** Reads what a stream delivers. */
export class BatchReader {
  /** Of streams that were read of last: how long a stretch may be is learnt. */
  private readonly readers = new LRUCache<string, SequencedReader>({ max: MAX_READERS });

  constructor(
    private readonly database: ReadDatabase,
    private readonly prover: StoredProver,
  ) {}

  private readerOf({ id }: StoredStream, { criteria }: Recipe): SequencedReader {
    const key = `${id} ${JSON.stringify(criteria)}`;
    let reader = this.readers.get(key);
    if (!reader) {
      reader = new SequencedReader(this.database, criteria, MAX_STRETCH, { columns: PROVABLE_COLUMNS });
      this.readers.set(key, reader);
    }
    return reader;
  }

  /** What comes after the stream's position, up to another, but no more than `most` entries and a batch's bytes. */
  async next(stream: StoredStream, recipe: Recipe, upTo: number, most: number): Promise<Read> {
    const reader = this.readerOf(stream, recipe);
    const startedAt = performance.now();
    const found: Delivered[] = [];
    let [bytes, until] = [0, stream.position];
    while (until < upTo) {
      const stretch = await reader.next(until, upTo);
      await takeTurn(stream.tenantId);
      const average = stretch.bytes / Math.max(1, stretch.entries.length);
      for (const entry of stretch.entries) {
        const delivered = recipe.hasProofs
          ? unformatted(entry)
          : this.format(entry, recipe.format, { streamId: stream.id });
        const size = recipe.hasProofs ? provenSize(average) : sizeOf(delivered) + 1;
        const isTooMuch = found.length > 0 && bytes + size > recipe.bounds.bytes;
        if (found.length === most || isTooMuch)
          return { entries: found, until: entry.sequence! - 1, isFull: true };
        found.push(delivered);
        bytes += size;
        // What lies between this one and the next that matches belongs to the next batch.
        if (found.length === most || bytes >= recipe.bounds.bytes)
          return { entries: found, until: entry.sequence!, isFull: true };
      }
      until = stretch.until;
      if (performance.now() - startedAt > LOOK_MS && !isFresh(found, recipe)) break;
    }
    return { entries: found, until, isFull: false };
  }

  /** How much matches after a sequence, up to another or until it makes a batch: entries, and their bytes in one. */
  async measure(
    stream: StoredStream,
    recipe: Recipe,
    { after, upTo }: { after: number; upTo: number },
  ): Promise<{ entries: number; bytes: number; until: number }> {
    const reader = this.readerOf(stream, recipe);
    const { bounds } = recipe;
    let [entries, bytes, until] = [0, 0, after];
    while (until < upTo && entries < bounds.entries && bytes < bounds.bytes) {
      const stretch = await reader.next(until, upTo);
      await takeTurn(stream.tenantId);
      entries += stretch.entries.length;
      for (const entry of stretch.entries)
        bytes += recipe.hasProofs
          ? provenSize(stretch.bytes / stretch.entries.length)
          : sizeOf(this.format(entry, recipe.format, { streamId: stream.id })) + 1;
      until = stretch.until;
    }
    return { entries, bytes, until };
  }

  /** The same entries again, of a batch whose bounds are kept. */
  async again(stream: StoredStream, recipe: Recipe, last: number): Promise<readonly Delivered[]> {
    const reader = this.readerOf(stream, recipe);
    const found: Delivered[] = [];
    for (let until = stream.position; until < last; ) {
      const stretch = await reader.next(until, last);
      await takeTurn(stream.tenantId);
      for (const entry of stretch.entries)
        found.push(
          recipe.hasProofs ? unformatted(entry) : this.format(entry, recipe.format, { streamId: stream.id }),
        );
      until = stretch.until;
    }
    return found;
  }

  /** One entry by its sequence; null where it is not there any more. */
  async single(stream: StoredStream, recipe: Recipe, sequence: number): Promise<Delivered | null> {
    const criteria = { ...recipe.criteria, conditions: [], start: null, end: null };
    const reader = new SequencedReader(this.database, criteria, 1, { columns: PROVABLE_COLUMNS });
    const { entries } = await reader.next(sequence - 1, sequence);
    return entries[0] ? this.format(entries[0], recipe.format, { streamId: stream.id }) : null;
  }

  /** With proofs and checkpoint where the stream has them. `size`: of the checkpoint; `known`: it, where it was read before. */
  async complete(
    stream: StoredStream,
    recipe: Recipe,
    { previous, last, size }: { previous: number; last: number; size: number },
    read: readonly Delivered[],
    known: StoredCheckpoint | null = null,
  ): Promise<BatchToSend> {
    const { tenantId, id: streamId, run } = stream;
    const first = previous + 1;
    const bounds = { id: `${streamId}_${run}_${first}_${last}`, streamId, tenantId, previous, first, last };
    if (recipe.format !== StreamFormat.REEL) return { ...bounds, entries: read, checkpoint: null, about: {} };
    const checkpoint = known ?? (await this.prover.checkpointAt({ tenantId, clients: null }, size));
    const entries = recipe.hasProofs && checkpoint ? await this.proven(tenantId, read, checkpoint) : read;
    const isWhole = read.length === last - previous;
    const { parked, removed } = isWhole
      ? { parked: [], removed: [] }
      : await this.database.read(tenantId, (execute) => readGaps(execute, stream, previous, last), {
          isBounded: true,
        });
    const about = {
      ...(recipe.hasProofs && !isWhole ? { removed, parked } : {}),
      ...(recipe.isFiltered ? { filtered: true } : {}),
    };
    return { ...bounds, entries, checkpoint: checkpoint?.note ?? null, about };
  }

  private async proven(
    tenantId: string,
    read: readonly Delivered[],
    checkpoint: StoredCheckpoint,
  ): Promise<readonly Delivered[]> {
    const entries = read.map(({ entry }) => entry);
    const leaves = await this.prover.sealedLeaves(checkpoint, { tenantId, clients: null }, entries);
    await takeTurn(tenantId);
    return writtenEntries(entries, (out, entry) => {
      const leaf = leaves.get(entry.sequence!);
      if (!leaf)
        throw conflict(`Entry ${entry.id} is not covered by the checkpoint of ${checkpoint.treeSize}`);
      writeProven(out, entry as StoredEntry, leaf);
    });
  }

  format(entry: LogEntry, format: StreamFormat, context: FormatContext): Delivered {
    if (format === StreamFormat.REEL) return writtenEntries([entry], writeEntry)[0]!;
    const value = FORMATS[format](entry, context);
    return { entry, value, text: typeof value === 'string' ? value : JSON.stringify(value) };
  }
}
