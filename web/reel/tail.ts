import {
  getCurrentScope,
  type MaybeRefOrGetter,
  onScopeDispose,
  type ShallowRef,
  shallowReadonly,
  shallowRef,
  toValue,
} from 'vue';
import { cannotSubscribe, connected, run } from './connection.js';
import type { ReelError } from './error.js';
import {
  type EntryFieldsFragment,
  LogAddedDocument,
  type LogAddedSubscription,
  LogEndDocument,
  type LogFilter as LogFilterInput,
} from './generated.js';
import { toReelError } from './refusal.js';
import { type LogFilter, toMixedFilter } from './wire.js';

/**
 * connecting: the first connection or another one is on its way. behind: connected, and catching up. live: nothing
 * newer is known. stopped: not started, stopped, or refused.
 */
export type ReelTailState = 'connecting' | 'live' | 'behind' | 'stopped';

export interface UseReelTailOptions {
  /** Read when it starts. */
  filter?: MaybeRefOrGetter<LogFilterInput | LogFilter | null | undefined>;
  /** The last sequence already seen; without it, from now on. */
  after?: MaybeRefOrGetter<number | null | undefined>;
  /** How many of the newest entries are kept; 10,000 where it is not given. */
  keep?: number;
}

export interface UseReelTailReturn {
  /** In GraphQL's own shape, newest first. */
  entries: Readonly<ShallowRef<readonly EntryFieldsFragment[]>>;
  state: Readonly<ShallowRef<ReelTailState>>;
  /** Why it stopped by itself, or why the connection broke last; null while all is well. */
  error: Readonly<ShallowRef<ReelError | null>>;
  /** Goes on after the last entry seen, or from `after` where that is later. Another filter begins another list. */
  start(): void;
  stop(): void;
}

/** The codes of refusals that asking again may overcome. */
const PASSING = /^(NETW|ABORT|OVERL|UNAV|TOO_M|INTERN)/;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
const QUIET_MS = 500;
const RECENT_MS = 10_000;

/**
 * Follows the trail: every entry that matches, once, in the order of the seal, across broken connections.
 * Throws a ReelError over Evoke, which cannot subscribe. Ends with the scope it was made in.
 */
export function useReelTail(options: UseReelTailOptions = {}): UseReelTailReturn {
  const { subscribe } = connected();
  if (!subscribe) throw cannotSubscribe();
  const follow = subscribe;

  const entries = shallowRef<readonly EntryFieldsFragment[]>([]);
  const state = shallowRef<ReelTailState>('stopped');
  const error = shallowRef<ReelError | null>(null);

  let filter: LogFilterInput = {};
  let last: number | null = null;
  let caughtUp = false;
  let breaks = 0;
  let renewed = false;
  let disconnect = () => {};
  let waiting: ReturnType<typeof setTimeout> | undefined;

  /** Quiet for a while means that nothing more is waiting. */
  function settle(): void {
    clearTimeout(waiting);
    state.value = caughtUp ? 'live' : 'behind';
    waiting = setTimeout(() => {
      breaks = 0;
      state.value = 'live';
    }, QUIET_MS);
  }

  function take(entry: EntryFieldsFragment): void {
    if (entry.sequence! <= (last ?? 0)) return;
    last = entry.sequence;
    breaks = 0;
    renewed = false;
    caughtUp = Date.now() - Date.parse(entry.createdAt) < RECENT_MS;
    entries.value = [entry, ...entries.value].slice(0, options.keep ?? 10_000);
    settle();
  }

  /** Finds where the trail ends now: without a place to resume from, a broken connection would leave a gap. */
  async function connectAtEnd(): Promise<void> {
    const gone = new AbortController();
    disconnect = () => gone.abort();
    caughtUp = true;
    try {
      const { nodes } = (await run(LogEndDocument, {}, gone.signal)).logs;
      const sealed = nodes.flatMap(({ sequence }) => sequence ?? []);
      if (sealed.length || !nodes.length) last = Math.max(0, ...sealed);
    } catch {
      // The subscription is refused too, and tells why, or is not, and begins where it begins.
    }
    if (!gone.signal.aborted) connect();
  }

  function connect(): void {
    let current = true;
    let close = () => {};
    const leave = () => {
      current = false;
      clearTimeout(waiting);
      close();
    };
    disconnect = leave;
    const end = (cause: unknown) => {
      if (!current) return;
      leave();
      const refusal = toReelError(cause);
      error.value = refusal;
      // A credential that ran out may have been renewed meanwhile: once.
      const expired = refusal.code === 'UNAUTHENTICATED';
      if (expired ? renewed : !PASSING.test(refusal.code)) return stop();
      renewed ||= expired;
      state.value = 'connecting';
      caughtUp = false;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** breaks++, LONGEST_PAUSE_MS);
      waiting = setTimeout(connect, pause * (0.5 + Math.random() / 2));
    };
    close = follow(
      LogAddedDocument,
      { filter, after: last },
      {
        open() {
          if (!current) return;
          error.value = null;
          settle();
        },
        next(answer) {
          if (!current) return;
          if (answer.data) take((answer.data as LogAddedSubscription).logAdded);
          else end(answer.errors);
        },
        error: end,
        complete: () => end(undefined),
      },
    );
    // It may have been refused before there was anything to close.
    if (!current) close();
  }

  function start(): void {
    if (state.value !== 'stopped') return;
    const wanted = toMixedFilter(toValue(options.filter) ?? {});
    const after = toValue(options.after) ?? null;
    if (JSON.stringify(wanted) !== JSON.stringify(filter)) {
      entries.value = [];
      last = after ?? last;
    }
    filter = wanted;
    if (after !== null && after > (last ?? -1)) last = after;
    state.value = 'connecting';
    error.value = null;
    breaks = 0;
    renewed = caughtUp = false;
    if (last === null) connectAtEnd();
    else connect();
  }

  function stop(): void {
    disconnect();
    clearTimeout(waiting);
    state.value = 'stopped';
  }

  if (getCurrentScope()) onScopeDispose(stop);
  return {
    entries: shallowReadonly(entries),
    state: shallowReadonly(state),
    error: shallowReadonly(error),
    start,
    stop,
  };
}
