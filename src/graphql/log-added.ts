import { VIEW } from '../auth/actions.js';
import type { Scope } from '../auth/scope.js';
import { forbidden, unavailable } from '../errors.js';
import type { Answer } from '../http/answer.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { Criteria } from '../log/filter/criteria.js';
import { sizeOf } from '../log/read/tail.js';
import { takeTurn } from '../time-slice.js';
import type { ReelContext } from './context.js';
import type { Loaders } from './loaders.js';

/**
 * The source stream of `logAdded`: entries as they are sealed, in order and without gaps, from the one after sequence
 * `after` on (null: from now on). Before each batch that is read, and
 * every 5 s while nothing is sealed, the credential and the grants are checked again; the stream fails with
 * UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE once they no longer cover the criteria's scope.
 */
export function followLog(
  { caller, services: { authorizer, tail }, loaders, answer }: ReelContext,
  criteria: Criteria,
  after: number | null,
): AsyncIterableIterator<LogEntry> {
  const stopped = new AbortController();
  const check = async () => {
    const now = await authorizer.require(caller, VIEW, ['ACCOUNT', 'CLIENT']);
    if (!covers(now, criteria.scope))
      throw forbidden(`${VIEW} is no longer granted for all that this subscription covers`);
  };
  const entries = flatten(
    tail.follow(criteria, after, stopped.signal, check),
    criteria.scope.tenantId,
    loaders,
    answer,
  );
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => entries.next(),
    // The generator's own return() would wait for the next entry first.
    return: () => {
      stopped.abort(unavailable('Nobody follows any more'));
      return entries.return();
    },
  };
}

async function* flatten(
  batches: AsyncIterable<readonly LogEntry[]>,
  tenantId: string,
  loaders: Loaders,
  answer: Answer,
): AsyncGenerator<LogEntry, void> {
  for await (const batch of batches) {
    // Each a whole batch at a time: a thousand that take turns by the entry are slower by a third.
    await takeTurn(tenantId);
    loaders.startBatch(batch);
    answer.keep(batch, sizeOf(batch));
    for (const entry of batch) yield entry;
    answer.keep(null);
  }
}

/** Whether a scope still covers all that an earlier one did. */
const covers = (now: Scope, then: Scope): boolean =>
  now.tenantId === then.tenantId &&
  (now.clients === null || (then.clients?.every((client) => now.clients?.includes(client)) ?? false));
