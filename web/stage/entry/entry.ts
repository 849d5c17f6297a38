import { onScopeDispose, shallowRef, watch } from 'vue';
import { askReel, ReelError } from '../../reel/index.js';
import { EntryDocument, type EntryQuery } from '../generated.js';

export type Entry = NonNullable<EntryQuery['log']>;

/** Entries are sealed about a second after they are stored. */
const SEAL_DELAY_MS = 1_500;
const SEAL_ATTEMPTS = 5;

/** Loads the entry with this id, and again when `reloadOn` changes and until it is sealed. Null while it loads or if that fails. */
export function useEntry(id: () => string | null, reloadOn: () => unknown) {
  const entry = shallowRef<Entry | null>(null);
  const error = shallowRef<ReelError | null>(null);
  let controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function load(attempt = 0): Promise<void> {
    controller.abort();
    clearTimeout(timer);
    controller = new AbortController();
    const { signal } = controller;
    const wanted = id();
    if (entry.value?.id !== wanted) entry.value = null;
    error.value = null;
    if (!wanted) return;
    try {
      const { log } = await askReel(EntryDocument, { id: wanted }, signal);
      if (signal.aborted) return;
      if (!log) throw new ReelError('NOT_FOUND', 'There is no such entry');
      entry.value = log;
      if ((log.sequence === null || log.proof === null) && attempt < SEAL_ATTEMPTS)
        timer = setTimeout(() => load(attempt + 1), SEAL_DELAY_MS);
    } catch (cause) {
      if (!signal.aborted) error.value = cause as ReelError;
    }
  }

  watch([id, reloadOn], () => load(), { immediate: true });
  onScopeDispose(() => {
    controller.abort();
    clearTimeout(timer);
  });
  return { entry, error, load: () => load() };
}
