import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Recipe } from './batches.js';
import { isDelivering, readStream } from './due.js';
import type { BatchToSend, Sender } from './kinds/kind.js';
import type { Done } from './kinds/outcome.js';
import type { RetryParts } from './parked.js';
import { readLastSequence, type StoredStream, settle } from './store.js';
import { StreamState } from './stream.js';

/** How long such a stream is served before others have their turn: its batches have to settle. */
const TURN_MS = 20_000;
const STEP_MS = 100;

export interface UnacknowledgedParts extends RetryParts {
  /** Entries that a receiver took. */
  readonly onDelivered: (kind: string, entries: number) => void;
}

/** Delivers to receivers that acknowledge nothing: the position follows what was written when that has settled. */
export class UnacknowledgedDelivery {
  constructor(private readonly parts: UnacknowledgedParts) {}

  /** For one turn. Resolves to whether there is more to deliver now. */
  async deliver(stream: StoredStream, recipe: Recipe, sender: Sender, signal: AbortSignal): Promise<boolean> {
    const { database, reader, senders, progress, onDelivered } = this.parts;
    const until = performance.now() + TURN_MS;
    const sent: { batch: BatchToSend; outcome: Done; at: number; connection: number | null | undefined }[] =
      [];
    let known = stream;
    let written = { ...stream, pending: null };
    for (;;) {
      signal.throwIfAborted();
      const [oldest] = sent;
      if (oldest && performance.now() - oldest.at >= sender.settleMs!) {
        // Another one in its place says nothing of what was on the way.
        if (oldest.connection === null || sender.connection !== oldest.connection) {
          await progress.keepRefusal(known, oldest.batch, {
            kind: 'later',
            answer: 'the connection was closed',
          });
          return false;
        }
        sent.shift();
        onDelivered(stream.kind, oldest.batch.entries.length);
        const kept = await progress.keepDelivered(known, oldest.batch, oldest.outcome, null);
        if (kept === undefined && known.state === StreamState.RUNNING) return true;
        const fresh = await readStream(database, stream);
        if (!fresh || !isDelivering(fresh) || fresh.run !== known.run) return false;
        known = fresh;
        written = { ...written, lastSequence: fresh.lastSequence };
        continue;
      }
      const read =
        performance.now() < until && written.lastSequence > written.position
          ? await reader.next(written, recipe, written.lastSequence, progress.mostOf(stream, recipe))
          : null;
      if (!read || read.entries.length === 0) {
        if (read) written = { ...written, position: read.until };
        else if (sent.length > 0) await pause(STEP_MS, undefined, { signal });
        else return this.end(known, written);
        continue;
      }
      const bounds = { previous: written.previous, last: read.until, size: written.lastSequence };
      const batch = await reader.complete(written, recipe, bounds, read.entries);
      const outcome = await senders.send(stream, batch, signal);
      if (outcome.kind !== 'done') {
        await progress.keepRefusal(
          known,
          batch,
          outcome.kind === 'refused' ? { ...outcome, kind: 'failing' } : outcome,
        );
        return false;
      }
      sent.push({ batch, outcome, at: performance.now(), connection: sender.connection });
      written = { ...written, position: read.until, previous: read.until };
      const lastSequence = await database.read(
        stream.tenantId,
        (execute) => readLastSequence(execute, stream.tenantId),
        { isBounded: true },
      );
      written = { ...written, lastSequence };
    }
  }

  /** What does not match at the end is done with, too. */
  private async end(known: StoredStream, written: StoredStream): Promise<boolean> {
    if (written.position > known.position)
      await this.parts.database.seal(known.tenantId, (execute) =>
        settle(execute, known, [sql`position = ${written.position}`]),
      );
    return false;
  }
}
