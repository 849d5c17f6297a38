import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestContext } from './entry.js';

/** Asked when an entry is made, so that it knows who was authenticated meanwhile. */
const contexts = new AsyncLocalStorage<() => RequestContext>();

/** What the request that is being answered says of each entry. */
export const currentContext = (): RequestContext => contexts.getStore()?.() ?? {};

/** Runs a function, and all that it starts, in a context: that of a job or a message, where there is no request. */
export function runInContext<T>(context: RequestContext | (() => RequestContext), run: () => T): T {
  return contexts.run(typeof context === 'function' ? context : () => context, run);
}
