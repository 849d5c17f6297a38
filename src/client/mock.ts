import type { ActionMap, Actions } from './actions.js';
import type { Reel } from './client.js';
import type { EntryFields } from './entry.js';
import { ReelLogError } from './error.js';
import { type PreparationOptions, preparation } from './prepare.js';
import type { Rejection } from './rejected.js';
import type { Stored } from './store.js';

export interface MockReel<M extends ActionMap = ActionMap> extends Reel<M> {
  /** What was taken, by the names of POST /logs/batch, redacted as it would be sent. */
  readonly entries: Record<string, unknown>[];
  /** What was not. */
  readonly rejections: Rejection[];
  /** Forgets both. */
  clear(): void;
}

/**
 * A client that sends nothing: it collects entries, which it completes, checks and redacts as a real one does. Errors: a
 * TypeError where options are not as expected.
 */
export function mockReel<const M extends ActionMap = ActionMap>(
  options: Omit<PreparationOptions, 'actions'> & { actions?: Actions<M> },
): MockReel<M> {
  const prepare = preparation(options);
  const entries: Record<string, unknown>[] = [];
  const rejections: Rejection[] = [];

  /** Errors: ReelLogError. */
  function take(action: string, entry: EntryFields): Stored {
    const { payload, fault } = prepare(action, entry);
    const taken = JSON.parse(payload) as Record<string, unknown>;
    if (fault) {
      rejections.push({ code: 'INVALID', reason: fault, entry: taken });
      throw new ReelLogError('INVALID', fault);
    }
    entries.push(taken);
    return { id: String(taken.idempotency_key), createdAt: String(taken.occurred_at) };
  }

  const logAndWait = async (action: string, entry: EntryFields) => take(action, entry);
  return {
    entries,
    rejections,
    clear() {
      entries.length = 0;
      rejections.length = 0;
    },
    log(action: string, entry: EntryFields, given?: { wait?: boolean }) {
      if (given?.wait) return logAndWait(action, entry);
      try {
        take(action, entry);
        return true;
      } catch {
        return false;
      }
    },
    logAndWait,
    flush: async () => true,
    close: async () => {},
    stats: () => ({
      spooled: 0,
      sent: entries.length,
      rejected: rejections.length,
      dropped: 0,
      oldestSeconds: 0,
    }),
  } as MockReel<M>;
}
