import { type EffectScope, effectScope, shallowRef, watch } from 'vue';
import { type LogFilterInput, type ReelError, type ReelTailState, useReelTail } from '../reel/index.js';
import type { Row } from './entries.js';

/** Follows the trail from a place on, one subscription at a time. */
export function useLive(take: (rows: Row[]) => void) {
  const state = shallowRef<ReelTailState>('stopped');
  const error = shallowRef<ReelError | null>(null);
  let scope: EffectScope | undefined;

  function stop(): void {
    scope?.stop();
    scope = undefined;
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
        if (fresh.length > 0) take(fresh.map((entry) => ({ ...entry })));
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
