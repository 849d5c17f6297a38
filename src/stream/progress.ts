import { sql } from 'kysely';
import type { Execute } from '../database/execute.js';
import { OWN_MODULE } from '../log/entry/module-name.js';
import type { Recipe } from './batches.js';
import { isRefusedForLong } from './due.js';
import { forgetAnswersOfErased } from './erased-meanwhile.js';
import { MOST_PARKED_IN_ROW, rowOf } from './in-a-row.js';
import type { BatchToSend, Delivered } from './kinds/kind.js';
import { answerText, type Done, type Outcome } from './kinds/outcome.js';
import { STREAM_ACTIONS, type StreamAction, type StreamRecords } from './records.js';
import { addAttempt, afresh, park, type StoredStream, type StreamDatabase, settle, unpark } from './store.js';
import { StreamState } from './stream.js';

const FIRST_DELAY_MS = 1_000;
export const MOST_DELAY_MS = 300_000;

export interface ProgressParts {
  readonly database: StreamDatabase;
  readonly records: StreamRecords;
  /** To be called after something was recorded. */
  readonly onRecorded: () => void;
  readonly random?: () => number;
}

/** Of a batch that is stored. */
export interface Bounds {
  readonly last: number;
  /** Of the checkpoint. */
  readonly size: number;
}

/** Keeps what became of batches: how far a stream is, when it is tried again, what is parked, and what it is to be told of. */
export class Progress {
  /** Entries of the next batch at most, by stream, after one was refused: it grows again with each that is taken. */
  private readonly limits = new Map<string, number>();

  constructor(private readonly parts: ProgressParts) {}

  isLimited({ id }: StoredStream): boolean {
    return this.limits.has(id);
  }

  /** Entries that the next batch may have. */
  mostOf({ id }: StoredStream, { bounds }: Recipe): number {
    return Math.min(this.limits.get(id) ?? bounds.entries, bounds.entries);
  }

  /** The next batch that was begun with it; null: none; undefined: the stream is not as it was known. */
  keepDelivered<Next extends Bounds>(
    stream: StoredStream,
    batch: BatchToSend,
    outcome: Done,
    next: Next | null,
  ): Promise<Next | null | undefined> {
    const { database } = this.parts;
    const { tenantId } = stream;
    const row = rowOf(stream.parkedInRow, batch.entries.length, outcome);
    const refused = row.parked.map(({ index, reason }) => parkedOf(batch.entries[index]!, reason));
    if (row.inRow >= MOST_PARKED_IN_ROW)
      return this.keepRow(
        stream,
        row.done === batch.entries.length
          ? batch.last
          : (batch.entries[row.done - 1]?.entry.sequence ?? null),
        batch,
        refused,
        outcome.refused![0]!.reason,
      );
    return database.seal(tenantId, async (execute) => {
      const pending = next ? [sql`pending_last = ${next.last}`, sql`pending_size = ${next.size}`] : NO_BATCH;
      const state = await settle(execute, stream, [
        sql`position = ${batch.last}`,
        sql`previous = ${batch.last}`,
        sql`last_delivered_at = ${instantIn(0)}::timestamptz`,
        sql`last_error = null`,
        sql`state = case when state = 'FAILING' then 'RUNNING' else state end`,
        addAttempt(attemptOf(batch, true, outcome.answer)),
        ...afresh(row.inRow),
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
      await forgetAnswersOfErased(execute, batch, [outcome.answer, ...refused.map(({ reason }) => reason)]);
      if (stream.state === StreamState.FAILING && state === StreamState.RUNNING)
        await this.record(execute, 'recovered', stream, {});
      if (state !== StreamState.RUNNING) return undefined;
      return next;
    });
  }

  /** Ten are parked in a row: the stream fails, and what comes after `last` waits; null: the whole batch does. */
  private keepRow(
    stream: StoredStream,
    last: number | null,
    batch: BatchToSend,
    refused: readonly ReturnType<typeof parkedOf>[],
    answer: string,
  ): Promise<undefined> {
    this.limits.set(stream.id, 1);
    return this.parts.database.seal(stream.tenantId, async (execute) => {
      const state = await settle(execute, stream, [
        addAttempt(attemptOf(batch, false, answer)),
        sql`last_error = ${answerText(answer)}`,
        ...(last === null ? [] : [sql`position = ${last}`, sql`previous = ${last}`, ...NO_BATCH]),
        sql`failures = failures + 1`,
        sql`parked_in_row = ${MOST_PARKED_IN_ROW}`,
        AS_FAILING,
        sinceNow(),
        retryIn(MOST_DELAY_MS),
      ]);
      if (!state) return undefined;
      if (stream.parkedCount > 0 && last !== null)
        await unpark(
          execute,
          stream,
          stream.position,
          last,
          refused.map(({ sequence }) => sequence),
        );
      await this.park(execute, stream, refused);
      await forgetAnswersOfErased(execute, batch, [answer, ...refused.map(({ reason }) => reason)]);
      if (stream.state === StreamState.RUNNING && state === StreamState.FAILING)
        await this.record(execute, 'failed', stream, { answer: codeOf(answer) });
      return undefined;
    });
  }

  async keepRefusal(
    stream: StoredStream,
    batch: BatchToSend,
    outcome: Exclude<Outcome, { kind: 'done' }>,
  ): Promise<void> {
    await this.parts.database.seal(stream.tenantId, async (execute) => {
      await this.settleRefusal(execute, stream, batch, outcome);
      await forgetAnswersOfErased(execute, batch, [outcome.answer]);
    });
  }

  private async settleRefusal(
    execute: Execute,
    stream: StoredStream,
    batch: BatchToSend,
    outcome: Exclude<Outcome, { kind: 'done' }>,
  ): Promise<void> {
    const { entries } = batch;
    const attempt = addAttempt(attemptOf(batch, false, outcome.answer));
    const said = [attempt, sql`last_error = ${outcome.answer}`];
    if (outcome.kind === 'gone') {
      const state = await settle(execute, stream, [...said, sql`state = 'DISABLED'`]);
      if (state) await this.record(execute, 'disabled', stream, { answer: codeOf(outcome.answer) });
      return;
    }
    if (outcome.kind === 'refused' && entries.length > 1) {
      const half = Math.ceil(entries.length / 2);
      this.limits.set(stream.id, half);
      await settle(execute, stream, [
        ...said,
        ...ANSWERED,
        sql`pending_last = ${entries[half - 1]!.entry.sequence}`,
      ]);
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
        ...(fails ? [AS_FAILING, sinceNow(), retryIn(MOST_DELAY_MS)] : ANSWERED),
      ]);
      if (!state) return;
      await this.park(execute, stream, [parkedOf(entries[0]!, outcome.answer)]);
      if (fails && stream.state === StreamState.RUNNING)
        await this.record(execute, 'failed', stream, { answer: codeOf(outcome.answer) });
      return;
    }
    const isFailing = outcome.kind !== 'later' || isRefusedForLong(stream);
    const state = await settle(execute, stream, [
      ...said,
      sql`failures = failures + 1`,
      sinceNow(),
      retryIn(outcome.kind === 'later' ? this.delayOf(stream, outcome.retryAfterMs) : MOST_DELAY_MS),
      ...(isFailing ? [AS_FAILING] : []),
    ]);
    if (isFailing && stream.state === StreamState.RUNNING && state === StreamState.FAILING)
      await this.record(execute, 'failed', stream, { answer: codeOf(outcome.answer) });
  }

  /** Of a stream whose receiver has refused for long, while its next attempt is far off. */
  async fail(stream: StoredStream): Promise<void> {
    await this.parts.database.seal(stream.tenantId, async (execute) => {
      // Nobody has resumed it, nor begun it anew, since it was read.
      const isStill = sql`state = 'RUNNING' and failing_since is not null`;
      const state = await settle(execute, stream, [
        sql`state = case when ${isStill} then 'FAILING' else state end`,
      ]);
      if (state === StreamState.FAILING)
        await this.record(execute, 'failed', stream, { answer: codeOf(stream.lastError ?? '') });
    });
  }

  grow({ id }: StoredStream, { bounds }: Recipe): void {
    const limit = this.limits.get(id);
    if (limit === undefined) return;
    if (2 * limit >= bounds.entries) this.limits.delete(id);
    else this.limits.set(id, 2 * limit);
  }

  /** Doubling, with jitter, and no sooner than what the receiver asked for. */
  private delayOf({ failures }: StoredStream, retryAfterMs = 0): number {
    const { random = Math.random } = this.parts;
    const delay = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 20));
    return Math.max(Math.min(MOST_DELAY_MS, delay * (0.75 + 0.5 * random())), retryAfterMs);
  }

  private async park(
    execute: Execute,
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
    execute: Execute,
    action: StreamAction,
    stream: StoredStream,
    data: Record<string, unknown>,
  ): Promise<void> {
    await this.parts.records.write(execute, action, stream, null, data);
    this.parts.onRecorded();
  }
}

export const NO_BATCH = [sql`pending_last = null`, sql`pending_size = null`];
/** Its receiver did not refuse for now. */
const ANSWERED = [sql`failures = 0`, sql`failing_since = null`];
const AS_FAILING = sql`state = case when state = 'RUNNING' then 'FAILING' else state end`;
/** As a value of this server's: a distributed database takes no function of the time in an UPDATE's COALESCE. */
const instantIn = (ms: number): string => new Date(Date.now() + ms).toISOString();
const sinceNow = () => sql`failing_since = coalesce(failing_since, ${instantIn(0)}::timestamptz)`;
export const retryIn = (ms: number) => sql`retry_at = ${instantIn(ms)}::timestamptz`;

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
