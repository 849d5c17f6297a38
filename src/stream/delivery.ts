import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { Turns } from '../database/turns.js';
import { overloaded } from '../errors.js';
import { OWN_MODULE } from '../log/entry/module-name.js';
import { checkpointCovering } from '../seal/stored-tree.js';
import { type BatchReader, type Read, type Recipe, recipeOf } from './batches.js';
import { Filling, isWaiting } from './filling.js';
import type { BatchToSend, Delivered, Sender } from './kinds/kind.js';
import { answerText, type Outcome } from './kinds/outcome.js';
import { STREAM_ACTIONS, type StreamRecords } from './records.js';
import { kindOf, type Senders } from './senders.js';
import {
  AFRESH,
  park,
  readLastSequence,
  readParked,
  readStreams,
  type StoredStream,
  type StreamDatabase,
  setAttempts,
  settle,
  unpark,
} from './store.js';
import { StreamState } from './stream.js';

/** How long one stream is served before others have their turn. */
const TURN_MS = 2_000;
/** Of a receiver that acknowledges nothing, whose batches have to settle. */
const SETTLING_TURN_MS = 20_000;
const FIRST_DELAY_MS = 1_000;
export const MOST_DELAY_MS = 300_000;
/** Refused for longer, a stream is failing. */
const FAILING_AFTER_MS = 300_000;
/** Parked in a row with none accepted between. */
const MOST_PARKED_IN_ROW = 10;
const SETTLE_STEP_MS = 100;
/** Batches of so many bytes and more, of which so many are in memory at once. */
const [HEAVY_BYTES, HEAVY_AT_ONCE] = [3 * 1_048_576, 3];

export interface DeliveryParts {
  readonly database: StreamDatabase;
  readonly reader: BatchReader;
  readonly senders: Senders;
  readonly records: StreamRecords;
  /** To be called after something was recorded. */
  readonly onRecorded: () => void;
  /** Entries that a receiver took. */
  readonly onDelivered: (kind: string, entries: number) => void;
  readonly random?: () => number;
}

/** A batch whose bounds are stored. */
interface Begun {
  readonly last: number;
  readonly size: number;
  /** Null where it has to be read again. */
  readonly entries: readonly Delivered[] | null;
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
  /** Entries of the next batch at most, by stream, after one was refused: it grows again with each that is taken. */
  private readonly limits = new Map<string, number>();
  private readonly heavy = new Turns(
    { atOnce: HEAVY_AT_ONCE, atOncePerKey: HEAVY_AT_ONCE, waitingPerKey: Number.POSITIVE_INFINITY },
    overloaded,
  );

  private readonly filling: Filling;

  constructor(private readonly parts: DeliveryParts) {
    this.filling = new Filling(parts.reader);
  }

  /** For one turn. Resolves to whether there is more to deliver now. Errors: those of the database; the signal's reason. */
  async deliver(tenantId: string, streamId: string, signal: AbortSignal): Promise<boolean> {
    let stream = await this.read(tenantId, streamId);
    if (stream && isWaiting(stream))
      stream = await this.filling.filled(stream, recipeOf(stream, kindOf(stream)));
    if (!stream || !isDelivering(stream)) return false;
    const { bounds } = recipeOf(stream, kindOf(stream));
    if (bounds.bytes < HEAVY_BYTES) return this.deliverFrom(stream, signal);
    return this.heavy.run(tenantId, () => this.deliverFrom(stream, signal), { signal });
  }

  private async deliverFrom(first: StoredStream, signal: AbortSignal): Promise<boolean> {
    const { tenantId, id: streamId } = first;
    const until = performance.now() + TURN_MS;
    let stream: StoredStream | null = first;
    let begun: Begun | null = null;
    while (stream && isDelivering(stream)) {
      signal.throwIfAborted();
      if (performance.now() > until) return true;
      const recipe = recipeOf(stream, kindOf(stream));
      if (stream.parkedCount > 0 && (await this.retryParked(stream, recipe, signal)) === 'stopped')
        return false;
      const settling = this.settlingSender(stream);
      if (settling) return this.deliverSettling(stream, recipe, settling, signal);
      begun ??= stream.pending ? { ...stream.pending, entries: null } : await this.begin(stream, recipe);
      if (!begun) return false;
      if (begun.last <= stream.position) {
        // Looked at a stretch in which nothing matches.
        stream = await this.read(tenantId, streamId);
        begun = null;
        continue;
      }
      if (!stream.pending) stream = { ...stream, pending: { last: begun.last, size: begun.size } };
      const result = await this.deliverBatch(stream, recipe, begun, signal);
      if (result === null) return false;
      ({ stream, begun } = result.stream
        ? result
        : { stream: await this.read(tenantId, streamId), begun: null });
    }
    return false;
  }

  private async read(tenantId: string, streamId: string): Promise<StoredStream | null> {
    const [stream] = await this.parts.database.read(
      tenantId,
      (execute) => readStreams(execute, tenantId, streamId),
      { isBounded: true },
    );
    return stream ?? null;
  }

  private mostOf({ id }: StoredStream, { bounds }: Recipe): number {
    return Math.min(this.limits.get(id) ?? bounds.entries, bounds.entries);
  }

  /** Stores the bounds of the next batch; null where there is none to send now. */
  private async begin(stream: StoredStream, recipe: Recipe): Promise<Begun | null> {
    const { database, reader } = this.parts;
    const { position, lastSequence } = stream;
    if (lastSequence <= position) return null;
    const read = await reader.next(stream, recipe, lastSequence, this.mostOf(stream, recipe));
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
      const size = (await checkpointCovering(execute, stream.tenantId, read.until))?.treeSize;
      if (size === undefined) return null;
      const isKept = await settle(execute, stream, [
        sql`pending_last = ${read.until}`,
        sql`pending_size = ${size}`,
      ]);
      return isKept ? { last: read.until, size, entries: read.entries } : null;
    });
  }

  /**
   * Sends a batch and keeps what became of it, and the bounds of the next, which is read meanwhile. Null: nothing more for now;
   * without a stream: it has to be read again.
   */
  private async deliverBatch(
    stream: StoredStream,
    recipe: Recipe,
    { last, size, entries, batch: made }: Begun,
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
      made ?? (await reader.complete(stream, recipe, { previous: stream.previous, last, size }, read));
    const after: StoredStream = { ...stream, position: last, previous: last, pending: null };
    const ahead = this.readAhead(after, recipe);
    // It is awaited where it is used.
    ahead.catch(() => {});
    const outcome = await senders.send(stream, batch, signal);
    if (outcome.kind !== 'done') {
      await this.keepRefusal(stream, batch, outcome);
      return outcome.kind === 'refused' ? { stream: null, begun: null } : null;
    }
    onDelivered(stream.kind, batch.entries.length);
    this.grow(stream, recipe);
    const next = await ahead;
    const begun = await this.keepDelivered(stream, batch, outcome, next);
    if (begun === undefined) return { stream: null, begun: null };
    const attempt = attemptOf(batch, true, outcome.answer);
    const attempts = [attempt, ...stream.attempts].slice(0, 20);
    if (begun === null) return { stream: null, begun: null };
    return {
      stream: {
        ...after,
        attempts,
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
    if (recipe.bounds.seconds > 0 || this.limits.has(stream.id) || stream.parkedCount > 0) return null;
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
    const batch = await reader.complete(stream, recipe, { previous, last, size }, entries);
    return { last, size, entries, batch, lastSequence };
  }

  /** The next batch that was begun with it; null: none; undefined: the stream is not as it was known. */
  private keepDelivered(
    stream: StoredStream,
    batch: BatchToSend,
    outcome: Outcome & { kind: 'done' },
    next: Ahead | null,
  ): Promise<Begun | null | undefined> {
    const { database } = this.parts;
    const { tenantId } = stream;
    const refused = (outcome.refused ?? []).map(({ index, reason }) =>
      parkedOf(batch.entries[index]!, reason),
    );
    return database.seal(tenantId, async (execute) => {
      const pending = next ? [sql`pending_last = ${next.last}`, sql`pending_size = ${next.size}`] : NO_BATCH;
      const state = await settle(execute, stream, [
        sql`position = ${batch.last}`,
        sql`previous = ${batch.last}`,
        sql`last_delivered_at = ${instantIn(0)}::timestamptz`,
        sql`last_error = null`,
        sql`state = case when state = 'FAILING' then 'RUNNING' else state end`,
        setAttempts(stream, attemptOf(batch, true, outcome.answer)),
        ...AFRESH,
        ...pending,
      ]);
      if (!state) return undefined;
      if (stream.parkedCount > 0)
        await unpark(
          execute,
          stream,
          stream.position,
          batch.last,
          refused.map(({ sequence }) => sequence),
        );
      if (refused.length > 0) await this.park(execute, stream, refused);
      if (stream.state === StreamState.FAILING && state === StreamState.RUNNING)
        await this.record(execute, 'recovered', stream, {});
      if (state !== StreamState.RUNNING) return undefined;
      return next;
    });
  }

  private async keepRefusal(
    stream: StoredStream,
    batch: BatchToSend,
    outcome: Exclude<Outcome, { kind: 'done' }>,
  ): Promise<void> {
    const { database } = this.parts;
    const { entries } = batch;
    const attempt = setAttempts(stream, attemptOf(batch, false, outcome.answer));
    const said = [attempt, sql`last_error = ${outcome.answer}`];
    await database.seal(stream.tenantId, async (execute) => {
      if (outcome.kind === 'gone') {
        const state = await settle(execute, stream, [...said, sql`state = 'DISABLED'`]);
        if (state) await this.record(execute, 'disabled', stream, { answer: codeOf(outcome.answer) });
        return;
      }
      if (outcome.kind === 'refused' && entries.length > 1) {
        const half = Math.ceil(entries.length / 2);
        this.limits.set(stream.id, half);
        await settle(execute, stream, [...said, sql`pending_last = ${entries[half - 1]!.entry.sequence}`]);
        return;
      }
      if (outcome.kind === 'refused' && stream.parkedInRow < MOST_PARKED_IN_ROW) {
        this.limits.set(stream.id, 1);
        const fails = stream.parkedInRow + 1 === MOST_PARKED_IN_ROW;
        const state = await settle(execute, stream, [
          ...said,
          sql`position = ${batch.last}`,
          sql`parked_in_row = parked_in_row + 1`,
          ...NO_BATCH,
          ...(fails ? [AS_FAILING, sinceNow(), retryIn(MOST_DELAY_MS)] : []),
        ]);
        if (!state) return;
        await this.park(execute, stream, [parkedOf(entries[0]!, outcome.answer)]);
        if (fails && stream.state === StreamState.RUNNING)
          await this.record(execute, 'failed', stream, { answer: codeOf(outcome.answer) });
        return;
      }
      const isFailing =
        outcome.kind !== 'later' ||
        (stream.failingSince !== null && Date.now() - stream.failingSince > FAILING_AFTER_MS);
      const state = await settle(execute, stream, [
        ...said,
        sql`failures = failures + 1`,
        sinceNow(),
        retryIn(outcome.kind === 'later' ? this.delayOf(stream, outcome.retryAfterMs) : MOST_DELAY_MS),
        ...(isFailing ? [AS_FAILING] : []),
      ]);
      if (isFailing && stream.state === StreamState.RUNNING && state === StreamState.FAILING)
        await this.record(execute, 'failed', stream, { answer: codeOf(outcome.answer) });
    });
  }

  /** Doubling, with jitter, and no sooner than what the receiver asked for. */
  private delayOf({ failures }: StoredStream, retryAfterMs = 0): number {
    const { random = Math.random } = this.parts;
    const delay = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 20));
    return Math.max(Math.min(MOST_DELAY_MS, delay * (0.75 + 0.5 * random())), retryAfterMs);
  }

  private grow({ id }: StoredStream, { bounds }: Recipe): void {
    const limit = this.limits.get(id);
    if (limit === undefined) return;
    if (2 * limit >= bounds.entries) this.limits.delete(id);
    else this.limits.set(id, 2 * limit);
  }

  private async park(
    execute: Parameters<typeof park>[0],
    stream: StoredStream,
    refused: readonly ReturnType<typeof parkedOf>[],
  ): Promise<void> {
    await park(execute, stream, refused);
    // What records that its own record was refused would never end.
    const told = refused.filter(({ isOwnRecord }) => !isOwnRecord);
    if (told.length === 0) return;
    const [{ reason, sequence, entryId }] = told as [(typeof told)[number]];
    await this.record(execute, 'parked', stream, {
      entries: told.length,
      sequence,
      entryId,
      last: told.at(-1)!.sequence,
      answer: codeOf(reason),
    });
  }

  private async record(
    execute: Parameters<typeof park>[0],
    action: Parameters<StreamRecords['write']>[1],
    stream: StoredStream,
    data: Record<string, unknown>,
  ): Promise<void> {
    await this.parts.records.write(execute, action, stream, null, data);
    this.parts.onRecorded();
  }

  /** Entries that somebody asked to send again, each alone. `stopped`: the receiver does not take anything now. */
  private async retryParked(
    stream: StoredStream,
    recipe: Recipe,
    signal: AbortSignal,
  ): Promise<'done' | 'stopped'> {
    const { database, reader, senders } = this.parts;
    for (;;) {
      const [parked] = await database.read(
        stream.tenantId,
        (execute) => readParked(execute, stream, { first: 1, toRetry: true }),
        { isBounded: true },
      );
      if (!parked) return 'done';
      signal.throwIfAborted();
      const { sequence } = parked;
      const entry = await reader.single(stream, recipe, sequence);
      let outcome: Outcome | null = null;
      if (entry) {
        const size = await database.read(stream.tenantId, (execute) =>
          checkpointCovering(execute, stream.tenantId, sequence),
        );
        const bounds = { previous: sequence - 1, last: sequence, size: size!.treeSize };
        const batch = await reader.complete(stream, recipe, bounds, [entry]);
        outcome = await senders.send(stream, batch, signal);
        if (outcome.kind !== 'done' && outcome.kind !== 'refused') {
          await this.keepRefusal(stream, batch, outcome);
          return 'stopped';
        }
      }
      const [again] = outcome?.kind === 'done' ? (outcome.refused ?? []) : [];
      const reason = outcome?.kind === 'refused' ? outcome.answer : again?.reason;
      await database.seal(stream.tenantId, async (execute) => {
        if (reason === undefined) await unpark(execute, stream, sequence - 1, sequence);
        else await park(execute, stream, [{ sequence, entryId: parked.entryId, reason }]);
      });
    }
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

  /** To a receiver that acknowledges nothing: the position follows what was written when that has settled. */
  private async deliverSettling(
    stream: StoredStream,
    recipe: Recipe,
    sender: Sender,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { database, reader, senders, onDelivered } = this.parts;
    const until = performance.now() + SETTLING_TURN_MS;
    const sent: { batch: BatchToSend; at: number }[] = [];
    let known = stream;
    let written = { ...stream, pending: null };
    for (;;) {
      signal.throwIfAborted();
      const [oldest] = sent;
      if (oldest && performance.now() - oldest.at >= sender.settleMs!) {
        if (!sender.isOpen) {
          await this.keepRefusal(known, oldest.batch, { kind: 'later', answer: 'the connection was closed' });
          return false;
        }
        sent.shift();
        onDelivered(stream.kind, oldest.batch.entries.length);
        const kept = await this.keepDelivered(known, oldest.batch, { kind: 'done', answer: 'written' }, null);
        if (kept === undefined && known.state === StreamState.RUNNING) return true;
        const fresh = await this.read(stream.tenantId, stream.id);
        if (!fresh || !isDelivering(fresh) || fresh.run !== known.run) return false;
        known = fresh;
        written = { ...written, lastSequence: fresh.lastSequence };
        continue;
      }
      const read =
        performance.now() < until && written.lastSequence > written.position
          ? await reader.next(written, recipe, written.lastSequence, this.mostOf(stream, recipe))
          : null;
      if (!read || read.entries.length === 0) {
        if (read) written = { ...written, position: read.until };
        else if (sent.length > 0) await pause(SETTLE_STEP_MS, undefined, { signal });
        else return this.endSettling(known, written);
        continue;
      }
      const bounds = { previous: written.previous, last: read.until, size: written.lastSequence };
      const batch = await reader.complete(written, recipe, bounds, read.entries);
      const outcome = await senders.send(stream, batch, signal);
      if (outcome.kind !== 'done') {
        await this.keepRefusal(
          known,
          batch,
          outcome.kind === 'refused' ? { ...outcome, kind: 'failing' } : outcome,
        );
        return false;
      }
      sent.push({ batch, at: performance.now() });
      written = { ...written, position: read.until, previous: read.until };
      await database
        .read(stream.tenantId, (execute) => readLastSequence(execute, stream.tenantId), { isBounded: true })
        .then((lastSequence) => {
          written = { ...written, lastSequence };
        });
    }
  }

  /** What does not match at the end is done with, too. */
  private async endSettling(known: StoredStream, written: StoredStream): Promise<boolean> {
    if (written.position > known.position)
      await this.parts.database.seal(known.tenantId, (execute) =>
        settle(execute, known, [sql`position = ${written.position}`]),
      );
    return false;
  }
}

const NO_BATCH = [sql`pending_last = null`, sql`pending_size = null`];
const AS_FAILING = sql`state = case when state = 'RUNNING' then 'FAILING' else state end`;
/** As a value of this server's: a distributed database takes no function of the time in an UPDATE's COALESCE. */
const instantIn = (ms: number): string => new Date(Date.now() + ms).toISOString();
const sinceNow = () => sql`failing_since = coalesce(failing_since, ${instantIn(0)}::timestamptz)`;
const retryIn = (ms: number) => sql`retry_at = ${instantIn(ms)}::timestamptz`;

const isDelivering = ({ state, retryAt }: StoredStream): boolean =>
  (state === StreamState.RUNNING || state === StreamState.FAILING) &&
  (retryAt === null || retryAt <= Date.now());

/** How long a batch that is not full waits for more, in milliseconds. */
function waitOf({ entries, isFull }: Read, { bounds }: Recipe): number {
  if (isFull || bounds.seconds === 0) return 0;
  const since = Date.parse(entries[0]!.entry.createdAt);
  return since + bounds.seconds * 1_000 - Date.now();
}

const attemptOf = ({ first, last }: BatchToSend, delivered: boolean, answer: string) => ({
  at: new Date().toISOString().replace('Z', '000Z'),
  first,
  last,
  delivered,
  answer: answerText(answer),
});

/** The status or the error's name: what else a receiver says may name people, and entries of Reel's own are never erased. */
const codeOf = (answer: string): string => /^(?:\d{3}|[A-Z][A-Z0-9_]+)\b/.exec(answer)?.[0] ?? 'other';

const parkedOf = ({ entry }: Delivered, reason: string) => ({
  sequence: entry.sequence!,
  entryId: entry.id,
  reason: answerText(reason),
  isOwnRecord: entry.module === OWN_MODULE && entry.action === STREAM_ACTIONS.parked,
});
