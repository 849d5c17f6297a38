import { checkpointCovering } from '../seal/stored-tree.js';
import type { BatchReader, Recipe } from './batches.js';
import { forgetAnswersOfErased } from './erased-meanwhile.js';
import type { BatchToSend } from './kinds/kind.js';
import type { Outcome } from './kinds/outcome.js';
import type { Progress } from './progress.js';
import type { Senders } from './senders.js';
import { park, readParked, type StoredStream, type StreamDatabase, unpark } from './store.js';

export interface RetryParts {
  readonly database: StreamDatabase;
  readonly reader: BatchReader;
  readonly senders: Senders;
  readonly progress: Progress;
}

/** Entries that somebody asked to send again, each alone. `stopped`: the receiver does not take anything now. */
export async function retryParked(
  { database, reader, senders, progress }: RetryParts,
  stream: StoredStream,
  recipe: Recipe,
  signal: AbortSignal,
): Promise<'done' | 'stopped'> {
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
    let sent: BatchToSend | null = null;
    if (entry) {
      const size = await database.read(stream.tenantId, (execute) =>
        checkpointCovering(execute, stream.tenantId, sequence),
      );
      const bounds = { previous: sequence - 1, last: sequence, size: size!.treeSize };
      sent = await reader.complete(stream, recipe, bounds, [entry]);
      outcome = await senders.send(stream, sent, signal);
      if (outcome.kind !== 'done' && outcome.kind !== 'refused') {
        await progress.keepRefusal(stream, sent, outcome);
        return 'stopped';
      }
    }
    const [again] = outcome?.kind === 'done' ? (outcome.refused ?? []) : [];
    const reason = outcome?.kind === 'refused' ? outcome.answer : again?.reason;
    await database.seal(stream.tenantId, async (execute) => {
      if (reason === undefined) await unpark(execute, stream, sequence - 1, sequence);
      else await park(execute, stream, [{ sequence, entryId: parked.entryId, reason }]);
      if (sent && reason !== undefined) await forgetAnswersOfErased(execute, sent, [reason]);
    });
  }
}
