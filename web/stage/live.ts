import { type EffectScope, effectScope, shallowRef, watch } from 'vue';
import { type LogFilterInput, type ReelError, type ReelTailState, useReelTail } from '../reel/index.js';
import type { Row } from './entries.js';

/** What comes in within this time is taken together, so that a busy trail does not keep the page busy. */
const TOGETHER_MS = 100;

/** Follows the trail from a place on, one subscription at a time. */
export function useLive(take: (rows: Row[]) => void) {
  const state = shallowRef<ReelTailState>('stopped');
  const error = shallowRef<ReelError | null>(null);
  let scope: EffectScope | undefined;
  let gathered: Row[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function deliver(): void {
    timer = undefined;
    const rows = gathered;
    gathered = [];
    take(rows);
  }

  function stop(): void {
    scope?.stop();
    scope = undefined;
    clearTimeout(timer);
    timer = undefined;
    gathered = [];
    state.value = 'stopped';
  }

  /** `after`: the last place in the sealed log that is shown; null follows from now on. */
  function start(filter: LogFilterInput, after: number | null): void {
    stop();
    scope = effectScope(true);
    scope.run(() => {
      const tail = useReelTail({ filter, after, keep: 500 });
      let newest = '';
      watch(tail.entries, (entries) => {
        const known = entries.findIndex(({ id }) => id === newest);
        const fresh = known < 0 ? entries : entries.slice(0, known);
        newest = entries[0]?.id ?? '';
        if (fresh.length === 0) return;
        gathered = [...fresh, ...gathered];
        timer ??= setTimeout(deliver, TOGETHER_MS);
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
