import {
  type MaybeRefOrGetter,
  onScopeDispose,
  type ShallowRef,
  shallowReadonly,
  shallowRef,
  toValue,
} from 'vue';
import { currentApp, inApp, run } from './app.js';
import { type ReelError, toReelError } from './error.js';
import {
  type EntryFieldsFragment,
  LogAddedDocument,
  type LogAddedSubscription,
  LogEndDocument,
  type LogFilter as LogFilterInput,
} from './generated.js';
import { subscriberOf } from './socket.js';
import { type LogFilter, toMixedFilter } from './wire.js';

/**
 * connecting: connecting, for the first time or again. behind: connected and catching up. live: caught up.
 * stopped: not started, stopped, or refused by the server.
 */
export type ReelTailState = 'connecting' | 'live' | 'behind' | 'stopped';

export interface UseReelTailOptions {
  /** Read by start(). */
  filter?: MaybeRefOrGetter<LogFilterInput | LogFilter | null | undefined>;
  /** Sequence of the last entry already seen; without it, the tail starts with the next entry. */
  after?: MaybeRefOrGetter<number | null | undefined>;
  /** How many of the newest entries to keep; 10,000 by default. */
  keep?: number;
}

export interface UseReelTailReturn {
  /** In GraphQL's shape, newest first. */
  entries: Readonly<ShallowRef<readonly EntryFieldsFragment[]>>;
  state: Readonly<ShallowRef<ReelTailState>>;
  /** Why it stopped by itself or why it is reconnecting; null otherwise. */
  error: Readonly<ShallowRef<ReelError | null>>;
  /** Continues after the last entry seen, or after `after` where that is later. A different filter clears the list; one with an unknown name is refused in `error`. */
  start(): void;
  stop(): void;
}

/** Codes of errors worth reconnecting after. */
const RETRYABLE = /^(NETW|ABORT|OVERL|UNAV|TOO_M|INTERN)/;
const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 15_000;
const QUIET_MS = 500;
const RECENT_MS = 10_000;

/**
 * Follows the audit log: every matching entry exactly once, in sequence, across broken connections.
 * Throws ReelError with an Evoke client, which cannot subscribe. Stops with the effect scope it was created in.
 */
export function useReelTail(options: UseReelTailOptions = {}): UseReelTailReturn {
  const app = currentApp();
  subscriberOf(app.connection);

  const entries = shallowRef<readonly EntryFieldsFragment[]>([]);
  const state = shallowRef<ReelTailState>('stopped');
  const error = shallowRef<ReelError | null>(null);

  let filter: LogFilterInput = {};
  let last: number | null = null;
  let caughtUp = false;
  let failures = 0;
  /** Whether it has reconnected after UNAUTHENTICATED without receiving an entry since. */
  let reauthenticated = false;
  let disconnect = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** No entry for a while means that it has caught up. */
  function updateState(): void {
    clearTimeout(timer);
    state.value = caughtUp ? 'live' : 'behind';
    timer = setTimeout(() => {
      failures = 0;
      state.value = 'live';
    }, QUIET_MS);
  }

  function receive(entry: EntryFieldsFragment): void {
    if (entry.sequence! <= (last ?? 0)) return;
    last = entry.sequence;
    failures = 0;
    reauthenticated = false;
    caughtUp = Date.now() - Date.parse(entry.createdAt) < RECENT_MS;
    entries.value = [entry, ...entries.value].slice(0, options.keep ?? 10_000);
    updateState();
  }

  /** Looks up the last sequence first: without one to resume after, a broken connection would leave a gap. */
  async function connectAtEnd(): Promise<void> {
    const controller = new AbortController();
    disconnect = () => controller.abort();
    caughtUp = true;
    try {
      const { nodes } = (await inApp(app, () => run(LogEndDocument, {}, controller.signal))).logs;
      const sequences = nodes.flatMap(({ sequence }) => sequence ?? []);
      if (sequences.length || !nodes.length) last = Math.max(0, ...sequences);
    } catch {
      // If the subscription fails too, it reports why; if not, it starts with the next entry.
    }
    if (!controller.signal.aborted) connect();
  }

  function connect(): void {
    let current = true;
    let close = () => {};
    const leave = () => {
      current = false;
      clearTimeout(timer);
      close();
    };
    disconnect = leave;
    const fail = (cause: unknown) => {
      if (!current) return;
      leave();
      const failure = toReelError(cause);
      error.value = failure;
      // The host may have renewed an expired token by now: try once.
      const isExpired = failure.code === 'UNAUTHENTICATED';
      if (isExpired ? reauthenticated : !RETRYABLE.test(failure.code)) return stop();
      reauthenticated ||= isExpired;
      state.value = 'connecting';
      caughtUp = false;
      const delay = Math.min(MIN_DELAY_MS * 2 ** failures++, MAX_DELAY_MS);
      timer = setTimeout(connect, delay * (0.5 + Math.random() / 2));
    };
    close = subscriberOf(app.connection)(
      LogAddedDocument,
      { filter, after: last },
      {
        open() {
          if (!current) return;
          error.value = null;
          updateState();
        },
        next(response) {
          if (!current) return;
          if (response.data) receive((response.data as LogAddedSubscription).logAdded);
          else fail(response.errors);
        },
        error: fail,
        complete: () => fail(undefined),
      },
    );
    // It may have failed before subscribe() returned.
    if (!current) close();
  }

  function start(): void {
    if (state.value !== 'stopped') return;
    let newFilter: LogFilterInput;
    try {
      newFilter = toMixedFilter(toValue(options.filter) ?? {});
    } catch (cause) {
      error.value = toReelError(cause);
      return;
    }
    const after = toValue(options.after) ?? null;
    if (JSON.stringify(newFilter) !== JSON.stringify(filter)) {
      entries.value = [];
      last = after ?? last;
    }
    filter = newFilter;
    if (after !== null && after > (last ?? -1)) last = after;
    state.value = 'connecting';
    error.value = null;
    failures = 0;
    reauthenticated = caughtUp = false;
    if (last === null) connectAtEnd();
    else connect();
  }

  function stop(): void {
    disconnect();
    clearTimeout(timer);
    state.value = 'stopped';
  }

  onScopeDispose(stop, true);
  return {
    entries: shallowReadonly(entries),
    state: shallowReadonly(state),
    error: shallowReadonly(error),
    start,
    stop,
  };
}
