import { type App, hasInjectionContext, type InjectionKey, inject } from 'vue';
import { connect, type ReelOptions } from './connection.js';
import { fromErrors, ReelError, toReelError } from './error.js';
import type { Operation } from './generated.js';
import type { Connection } from './transport.js';

/** What one app was given. Given anew, it serves the app's stores and tails, too. */
export interface ReelApp {
  connection: Connection;
}

const REEL: InjectionKey<ReelApp> = Symbol('reel');

/** How many apps have the module and are not unmounted. An app that is rendered on a server never is. */
let count = 0;
/** Those of them that are still in memory: weakly, since a server renders without end. */
let apps: WeakRef<ReelApp>[] = [];
/** The one app, where there is one. */
let only: ReelApp | undefined;

/** Counts an app that comes (1) or goes (-1). */
function settle(app: ReelApp, change: 1 | -1): void {
  count += change;
  apps = apps.filter((each) => each.deref() && each.deref() !== app);
  if (change > 0) apps.push(new WeakRef(app));
  only = count === 1 ? apps[0]?.deref() : undefined;
}

/** A plugin that connects each app it is installed in by itself. */
export function pluginFor(makeConnection: () => Connection): { install(app: App): void } {
  return {
    install(app) {
      const given = app.runWithContext(() => inject(REEL, undefined));
      if (given) {
        given.connection = makeConnection();
        return;
      }
      const reel = { connection: makeConnection() };
      app.provide(REEL, reel).onUnmount(() => settle(reel, -1));
      settle(reel, 1);
    },
  };
}

/**
 * Connects an app to Reel: `app.use(createReel({ url }))`. Other apps of the page, or of a process that renders on a server,
 * never use what it was given.
 */
export function createReel(options: ReelOptions): { install(app: App): void } {
  connect(options);
  return pluginFor(() => connect(options));
}

let chosen: ReelApp | undefined;

/** Runs `work` for an app; the outermost counts. What `work` asks of Reel picks the app up as it starts, synchronously. */
export function inApp<T>(app: ReelApp | undefined, work: () => T): T {
  const before = chosen;
  chosen ??= app;
  try {
    return work();
  } finally {
    chosen = before;
  }
}

/** The app of the component or of runWithContext, and outside both the one that there is; undefined where that is none. */
export const findApp = (): ReelApp | undefined =>
  chosen ?? (hasInjectionContext() ? inject(REEL, undefined) : only);

/** As findApp. Throws ReelError where there is none. */
export function currentApp(): ReelApp {
  const app = findApp();
  if (app) return app;
  throw new ReelError(
    'UNAVAILABLE',
    count > 1 && !hasInjectionContext()
      ? 'Several apps use createReel(): call this in a setup or runWithContext()'
      : 'Call app.use(createReel()) first',
  );
}

/** Sends one operation. Always rejects with ReelError, and at once when the signal aborts, whatever the client does with it. */
export async function run<Result, Variables extends object>(
  operation: Operation<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  let onAbort = () => {};
  try {
    signal?.throwIfAborted();
    const response = await Promise.race([
      currentApp().connection.send(operation, variables, signal),
      new Promise<never>((_, reject) => {
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener('abort', onAbort);
      }),
    ]);
    if (response.errors?.length) throw fromErrors(response.errors);
    return response.data as Result;
  } catch (cause) {
    throw toReelError(cause, signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
