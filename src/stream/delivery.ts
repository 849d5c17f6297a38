import { sql } from 'kysely';
import { checkpointCovering, type StoredCheckpoint } from '../seal/stored-tree.js';
import { type BatchReader, type Read, type Recipe, recipeOf } from './batches.js';
import { failsMeanwhile, isDelivering, isWaiting, readStream } from './due.js';
import { Filling } from './filling.js';
import type { BatchToSend, Delivered, Sender } from './kinds/kind.js';
import { Lanes } from './lanes.js';
import { retryParked } from './parked.js';
import { type Bounds, NO_BATCH, Progress, type ProgressParts, retryIn } from './progress.js';
import { kindOf, type Senders } from './senders.js';
import { readLastSequence, type StoredStream, settle } from './store.js';
import { StreamState } from './stream.js';
import { UnacknowledgedDelivery, type UnacknowledgedParts } from './unacknowledged.js';

/** How long one stream is served before others have their turn. */
const TURN_MS = 2_000;
/** Batches of so many bytes and more, of which so many are in memory at once. */
const HEAVY_BYTES = 3 * 1_048_576;
const HEAVY_LANES = { atOnce: 3, atOncePerTenant: 2, slowAtOnce: 2, slowAtOncePerTenant: 1 };

export interface DeliveryParts extends ProgressParts {
  readonly reader: BatchReader;
  readonly senders: Senders;
  /** Entries that a receiver took. */
  readonly onDelivered: (kind: string, entries: number) => void;
}

/** A batch whose bounds are stored. */
interface Begun extends Bounds {
  /** Null where it has to be read again. */
  readonly entries: readonly Delivered[] | null;
  /** The one of its size, where it was read. */
  readonly checkpoint?: StoredCheckpoint;
  /** With its proofs, where it was made while the one before was sent. */
  readonly batch?: BatchToSend;
}

/** The batch after one that is being sent. */
interface Ahead extends Begun {
  readonly batch: BatchToSend;
  readonly lastSequence: number;
}

/** Delivers what a stream has to deliver. Whoever calls it holds the stream's lock. */
export class Delivery {
  private readonly heavy = new Lanes(HEAVY_LANES);
  private readonly filling: Filling;
  private readonly progress: Progress;
  private readonly shared: UnacknowledgedParts;
  private readonly unacknowledged: UnacknowledgedDelivery;

  constructor(private readonly parts: DeliveryParts) {
    this.filling = new Filling(parts.reader);
    this.progress = new Progress(parts);
    this.shared = { ...parts, progress: this.progress };
    this.unacknowledged = new UnacknowledgedDelivery(this.shared);
  }

  /** For one turn. Resolves to whether there is more to deliver now. Errors: those of the database; the signal's reason. */
  async deliver(tenantId: string, streamId: string, signal: AbortSignal): Promise<boolean> {
    let stream = await readStream(this.parts.database, { tenantId, id: streamId });
    if (stream && isWaiting(stream))
      stream = await this.filling.filled(stream, recipeOf(stream, kindOf(stream)));
    if (stream && failsMeanwhile(stream)) await this.progress.fail(stream);
    if (!stream || !isDelivering(stream)) return false;
    if (recipeOf(stream, kindOf(stream)).bounds.bytes < HEAVY_BYTES) return this.deliverFrom(stream, signal);
    const { run, position, retryAt } = stream;
    const inTurn = async (own: AbortSignal) => {
      const fresh = await readStream(this.parts.database, stream);
      if (!fresh) return false;
      // Its batch has filled before its time.
      const isSame = fresh.run === run && fresh.position === position;
      return this.deliverFrom(isSame ? { ...fresh, retryAt } : fresh, own);
    };
    return this.heavy.run(tenantId, streamId, inTurn, signal);
  }

  private async deliverFrom(first: StoredStream, signal: AbortSignal): Promise<boolean> {
    const until = performance.now() + TURN_MS;
    let stream: StoredStream | null = first;
    let begun: Begun | null = null;
    while (stream && isDelivering(stream)) {
      signal.throwIfAborted();
      if (performance.now() > until) return true;
      const recipe = recipeOf(stream, kindOf(stream));
      if (stream.parkedCount > 0 && (await retryParked(this.shared, stream, recipe, signal)) === 'stopped')
        return false;
      const settling = this.settlingSender(stream);
      if (settling) return this.unacknowledged.deliver(stream, recipe, settling, signal);
      begun ??= stream.pending ? { ...stream.pending, entries: null } : await this.begin(stream, recipe);
      if (!begun) return false;
      if (begun.last <= stream.position) {
        // Looked at a stretch in which nothing matches.
        stream = await readStream(this.parts.database, first);
        begun = null;
        continue;
      }
      if (!stream.pending) stream = { ...stream, pending: { last: begun.last, size: begun.size } };
      const result = await this.deliverBatch(stream, recipe, begun, signal);
      if (result === null) return false;
      ({ stream, begun } = result.stream
        ? result
        : { stream: await readStream(this.parts.database, first), begun: null });
    }
    return false;
  }

  /** Stores the bounds of the next batch; null where there is none to send now. */
  private async begin(stream: StoredStream, recipe: Recipe): Promise<Begun | null> {
    const { database, reader } = this.parts;
    const { position, lastSequence } = stream;
    if (lastSequence <= position) return null;
    const read = await reader.next(stream, recipe, lastSequence, this.progress.mostOf(stream, recipe));
    return database.seal(stream.tenantId, async (execute) => {
      if (read.entries.length === 0) {
        const state = await settle(execute, stream, [sql`position = ${read.until}`]);
        return state && read.until < lastSequence ? { last: position, size: 0, entries: null } : null;
      }
      const waitMs = waitOf(read, recipe);
      if (waitMs > 0) {
        await settle(execute, stream, [retryIn(waitMs)]);
        return null;
      }
      const checkpoint = await checkpointCovering(execute, stream.tenantId, read.until);
      if (!checkpoint) return null;
      const size = checkpoint.treeSize;
      const isKept = await settle(execute, stream, [
        sql`pending_last = ${read.until}`,
        sql`pending_size = ${size}`,
      ]);
      return isKept ? { last: read.until, size, entries: read.entries, checkpoint } : null;
    });
  }

  /**
   * Sends a batch and keeps what became of it, and the bounds of the next, which is read meanwhile. Null: nothing more for now;
   * without a stream: it has to be read again.
   */
  private async deliverBatch(
    stream: StoredStream,
    recipe: Recipe,
    { last, size, entries, checkpoint, batch: made }: Begun,
    signal: AbortSignal,
  ): Promise<{ stream: StoredStream | null; begun: Begun | null } | null> {
    const { database, reader, senders, onDelivered } = this.parts;
    const read = made?.entries ?? entries ?? (await reader.again(stream, recipe, last));
    if (read.length === 0) {
      await database.seal(stream.tenantId, (execute) =>
        settle(execute, stream, [sql`position = ${last}`, ...NO_BATCH]),
      );
      return { stream: null, begun: null };
    }
    const batch =
      made ??
      (await reader.complete(stream, recipe, { previous: stream.previous, last, size }, read, checkpoint));
    const after: StoredStream = { ...stream, position: last, previous: last, pending: null };
    const ahead = this.readAhead(after, recipe);
    // It is awaited where it is used.
    ahead.catch(() => {});
    const outcome = await senders.send(stream, batch, signal);
    if (outcome.kind !== 'done') {
      await this.progress.keepRefusal(stream, batch, outcome);
      return outcome.kind === 'refused' ? { stream: null, begun: null } : null;
    }
    onDelivered(stream.kind, batch.entries.length);
    this.progress.grow(stream, recipe);
    const next = await ahead;
    const begun = await this.progress.keepDelivered(stream, batch, outcome, next);
    if (!begun || outcome.refused?.length) return { stream: null, begun: null };
    return {
      stream: {
        ...after,
        failures: 0,
        failingSince: null,
        retryAt: null,
        parkedInRow: 0,
        lastSequence: next!.lastSequence,
      },
      begun,
    };
  }

  /** What follows a batch, where it is a whole batch or nothing has to be waited for. */
  private async readAhead(stream: StoredStream, recipe: Recipe): Promise<Ahead | null> {
    if (recipe.bounds.seconds > 0 || this.progress.isLimited(stream) || stream.parkedCount > 0) return null;
    if (stream.state !== StreamState.RUNNING) return null;
    const { database, reader } = this.parts;
    let { lastSequence } = stream;
    if (lastSequence - stream.position < recipe.bounds.entries)
      lastSequence = await database.read(
        stream.tenantId,
        (execute) => readLastSequence(execute, stream.tenantId),
        { isBounded: true },
      );
    if (lastSequence <= stream.position) return null;
    const { entries, until: last } = await reader.next(stream, recipe, lastSequence, recipe.bounds.entries);
    if (entries.length === 0) return null;
    const { tenantId, previous } = stream;
    const checkpoint = await database.read(
      tenantId,
      (execute) => checkpointCovering(execute, tenantId, last),
      { isBounded: true },
    );
    if (!checkpoint) return null;
    const size = checkpoint.treeSize;
    const batch = await reader.complete(stream, recipe, { previous, last, size }, entries, checkpoint);
    return { last, size, entries, batch, lastSequence };
  }

  private settlingSender(stream: StoredStream): Sender | null {
    try {
      const sender = this.parts.senders.of(stream);
      return sender.settleMs === undefined ? null : sender;
    } catch {
      // Sending says why.
      return null;
    }
  }
}

/** How long a batch that is not full waits for more, in milliseconds. */
function waitOf({ entries, isFull }: Read, { bounds }: Recipe): number {
  if (isFull || bounds.seconds === 0) return 0;
  const since = Date.parse(entries[0]!.entry.createdAt);
  return since + bounds.seconds * 1_000 - Date.now();
}
