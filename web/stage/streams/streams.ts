import { onScopeDispose, shallowRef, watch } from 'vue';
import { askReel, type ReelError } from '../../reel/index.js';
import {
  type Operation,
  type StreamFragment,
  StreamHistoryDocument,
  type StreamHistoryQuery,
  StreamsDocument,
} from '../generated.js';

/** How often the page looks again while it is seen. */
const LOOK_MS = 3_000;

export type StreamHistory = StreamHistoryQuery;

/** The tenant's streams, and of the open one what happened last, looked at again and again while the page is seen. */
export function useStreams(openId: () => string | null, reloadOn: () => unknown) {
  const streams = shallowRef<readonly StreamFragment[] | null>(null);
  const history = shallowRef<(StreamHistory & { id: string }) | null>(null);
  const error = shallowRef<ReelError | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let controller = new AbortController();

  async function load(): Promise<void> {
    controller.abort();
    clearTimeout(timer);
    controller = new AbortController();
    const { signal } = controller;
    const id = openId();
    if (history.value?.id !== id) history.value = null;
    try {
      const [list, found] = await Promise.all([
        askReel(StreamsDocument, {}, signal),
        // One that was removed meanwhile is not in the list either.
        id ? askReel(StreamHistoryDocument, { id }, signal).catch(ignoreMissing) : null,
      ]);
      if (signal.aborted) return;
      streams.value = list.streams;
      history.value = found && id ? { ...found, id } : null;
      error.value = null;
    } catch (cause) {
      if (signal.aborted) return;
      error.value = cause as ReelError;
    }
    timer = setTimeout(lookAgain, LOOK_MS);
  }

  function lookAgain(): void {
    if (document.visibilityState === 'visible' && error.value?.code !== 'UNAUTHENTICATED') void load();
  }

  /** Asks for a change of a stream and looks again. Rejects with ReelError. */
  async function change<Result, Variables extends object>(
    operation: Operation<Result, Variables>,
    variables: Variables,
  ): Promise<Result> {
    const result = await askReel(operation, variables);
    await load();
    return result;
  }

  watch(openId, () => void load());
  watch(
    reloadOn,
    () => {
      streams.value = null;
      void load();
    },
    { immediate: true },
  );
  document.addEventListener('visibilitychange', lookAgain);
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', lookAgain);
    controller.abort();
    clearTimeout(timer);
  });
  return { streams, history, error, load, change };
}

function ignoreMissing(cause: unknown): null {
  if ((cause as ReelError).code === 'NOT_FOUND') return null;
  throw cause;
}
