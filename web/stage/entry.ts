import { onScopeDispose, shallowRef, watch } from 'vue';
import { askReel, ReelError } from '../reel/index.js';
import { EntryDocument, type EntryQuery } from './generated.js';

export type Entry = NonNullable<EntryQuery['log']>;

/** An entry gets its place in the sealed log about a second after it was stored. */
const SEAL_MS = 1_500;
const SEAL_TRIES = 5;

/** The entry of an id with all there is to know of it; null while it is fetched, and where it is not to be had. */
export function useEntry(id: () => string | null, again: () => unknown) {
  const entry = shallowRef<Entry | null>(null);
  const error = shallowRef<ReelError | null>(null);
  let under = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function load(tries = 0): Promise<void> {
    under.abort();
    clearTimeout(timer);
    under = new AbortController();
    const { signal } = under;
    const wanted = id();
    if (entry.value?.id !== wanted) entry.value = null;
    error.value = null;
    if (!wanted) return;
    try {
      const { log } = await askReel(EntryDocument, { id: wanted }, signal);
      if (signal.aborted) return;
      if (!log) throw new ReelError('NOT_FOUND', 'There is no such entry');
      entry.value = log;
      if ((log.sequence === null || log.proof === null) && tries < SEAL_TRIES)
        timer = setTimeout(() => load(tries + 1), SEAL_MS);
    } catch (cause) {
      if (!signal.aborted) error.value = cause as ReelError;
    }
  }

  watch([id, again], () => load(), { immediate: true });
  onScopeDispose(() => {
    under.abort();
    clearTimeout(timer);
  });
  return { entry, error, load: () => load() };
}
