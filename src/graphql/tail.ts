import { VIEW } from '../auth/actions.js';
import type { Authorizer } from '../auth/authorize.js';
import type { Scope } from '../auth/scope.js';
import { forbidden } from '../errors.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { Tail as Trail } from '../log/read/tail.js';
import type { Tail } from './context.js';

/**
 * logAdded's source. As long as it runs, the credential's end and the grants are looked at again before each batch and
 * every 5 s; it ends with UNAUTHENTICATED or FORBIDDEN where they no longer open what was asked for.
 */
export function subscribableTail(
  trail: Trail,
  authorizer: Pick<Authorizer, 'require'>,
  closing: AbortSignal,
): Tail {
  return {
    follow: (caller, criteria, after) => {
      const ended = new AbortController();
      const signal = AbortSignal.any([ended.signal, closing]);
      const check = async () => {
        const now = await authorizer.require(caller, VIEW, ['ACCOUNT', 'CLIENT']);
        if (!covers(now, criteria.scope))
          throw forbidden(`${VIEW} no longer opens what this subscription was begun with`);
      };
      const entries = trail.follow(criteria, after, signal, check);
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => entries.next(),
          // Ends the wait for the next entry, which a generator's own return() would queue behind.
          return: (value?: readonly LogEntry[]) => {
            ended.abort();
            return entries.return(value);
          },
        }),
      };
    },
  };
}

/** Whether one scope still opens all that another opened. */
const covers = (now: Scope, then: Scope): boolean =>
  now.tenantId === then.tenantId &&
  (now.clients === null || (then.clients?.every((client) => now.clients?.includes(client)) ?? false));
