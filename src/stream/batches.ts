import { LRUCache } from 'lru-cache';
import type { ReadDatabase } from '../database/database.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { type Criteria, toCriteria } from '../log/filter/criteria.js';
import { SequencedReader } from '../log/read/sequenced.js';
import { proofBundles } from '../seal/proof-bundle.js';
import type { StoredProver } from '../seal/stored-prover.js';
import type { StoredCheckpoint } from '../seal/stored-tree.js';
import { takeTurn } from '../time-slice.js';
import type { FormatContext } from './formats/format.js';
import { StreamFormat } from './formats/format.js';
import { FORMATS } from './formats/formats.js';
import type { BatchBounds, BatchToSend, Delivered, Kind } from './kinds/kind.js';
import { readGaps, type StoredStream } from './store.js';

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

/** Of the names of an entry's fields as JSON, and of its proof. */
const [KEYS_BYTES, PROOF_BYTES] = [450, 1_500];

/** In the text of a batch: a proof has the entry once more, and as much again of hashes. */
const provenSize = (entryBytes: number): number => 2 * (entryBytes + KEYS_BYTES) + PROOF_BYTES;

/** Made into what is delivered when its proof is there, which may blank it. */
const unformatted = (entry: LogEntry): Delivered => ({ entry, value: '', text: '' });

/** Whether a batch may still wait for more, so that it is looked for on. */
const isFresh = (found: readonly Delivered[], { bounds }: Recipe): boolean =>
  found.length > 0 && Date.parse(found[0]!.entry.createdAt) + 1_000 * bounds.seconds > Date.now();

interface Bundle {
  readonly entry: object;
  readonly leaf_version: number;
}

/** `{…, "proof": {"leaf_version", "entry": {…}, …}}`, with the entry made into text once. */
function withProof(entry: LogEntry, { leaf_version, entry: wire, ...rest }: Bundle): Delivered {
  const asText = JSON.stringify(wire);
  const proof = `{"leaf_version":${leaf_version},"entry":${asText},${JSON.stringify(rest).slice(1)}`;
  return { entry, value: '', text: `${asText.slice(0, -1)},"proof":${proof}}` };
}

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
      reader = new SequencedReader(this.database, criteria, MAX_STRETCH);
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
        const size = recipe.hasProofs ? provenSize(average) : delivered.text.length + 1;
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
          : this.format(entry, recipe.format, { streamId: stream.id }).text.length + 1;
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
    const reader = new SequencedReader(this.database, criteria, 1);
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
    if (read.length === 0) return read;
    const entries = read.map(({ entry }) => entry);
    const proofs = await this.prover.inclusionProofsAgainst(
      checkpoint,
      { tenantId, clients: null },
      entries.map(({ id }) => id),
      entries.map(({ sequence }) => sequence!),
    );
    const bundles = proofBundles(proofs, entries, true);
    await takeTurn(tenantId);
    return entries.map((entry, index) => withProof(entry, bundles[index] as unknown as Bundle));
  }

  format(entry: LogEntry, format: StreamFormat, context: FormatContext): Delivered {
    const value = FORMATS[format]!(entry, context);
    return { entry, value, text: typeof value === 'string' ? value : JSON.stringify(value) };
  }
}
