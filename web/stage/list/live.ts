import { type EffectScope, effectScope, shallowRef, watch } from 'vue';
import { type LogFilterInput, type ReelError, type ReelTailState, useReelTail } from '../../reel/index.js';
import type { Row } from './entries.js';

/** Entries that arrive within this time are delivered together, so that a busy log does not keep the page rendering. */
const BATCH_MS = 100;

/** Follows the log through one subscription at a time. */
export function useLive(onRows: (rows: Row[]) => void) {
  const state = shallowRef<ReelTailState>('stopped');
  const error = shallowRef<ReelError | null>(null);
  let scope: EffectScope | undefined;
  let batch: Row[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function deliver(): void {
    timer = undefined;
    const rows = batch;
    batch = [];
    onRows(rows);
  }

  function stop(): void {
    scope?.stop();
    scope = undefined;
    clearTimeout(timer);
    timer = undefined;
    batch = [];
    state.value = 'stopped';
  }

  /** `after`: the highest sequence that is listed; null starts with the next entry. */
  function start(filter: LogFilterInput, after: number | null): void {
    stop();
    scope = effectScope(true);
    scope.run(() => {
      const tail = useReelTail({ filter, after, keep: 500 });
      let newest = '';
      watch(tail.entries, (entries) => {
        const known = entries.findIndex(({ id }) => id === newest);
        const arrived = known < 0 ? entries : entries.slice(0, known);
        newest = entries[0]?.id ?? '';
        if (arrived.length === 0) return;
        batch = [...arrived, ...batch];
        timer ??= setTimeout(deliver, BATCH_MS);
      });
      watch(
        [tail.state, tail.error],
        () => {
          state.value = tail.state.value;
          error.value = tail.error.value;
        },
        { immediate: true },
      );
      tail.start();
      state.value = tail.state.value;
    });
  }

  return { state, error, start, stop };
}
