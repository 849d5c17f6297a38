import { onScopeDispose, type ShallowRef, shallowRef, watch } from 'vue';
import type { LogFilterInput } from '../../reel/index.js';

export interface Question {
  filter: LogFilterInput;
  timeZone: string;
}
/** As `totalCount` has it. */
export interface Total {
  value: number;
  precision: string;
}

/**
 * How many entries each of the questions finds, by its position: null where counting failed, nothing while it goes on.
 * They are asked anew only when they say something else. Ends with the scope that it is called in.
 */
export function useTotals(
  questions: () => readonly Question[],
  ask: (question: Question, signal: AbortSignal) => Promise<Total | null>,
): Readonly<ShallowRef<ReadonlyMap<number, Total | null>>> {
  const totals = shallowRef<ReadonlyMap<number, Total | null>>(new Map());
  let controller = new AbortController();
  watch(
    () => JSON.stringify(questions()),
    () => {
      controller.abort();
      controller = new AbortController();
      const { signal } = controller;
      totals.value = new Map();
      for (const [position, question] of questions().entries())
        void ask(question, signal)
          .catch(() => null)
          .then((total) => {
            if (!signal.aborted) totals.value = new Map([...totals.value, [position, total]]);
          });
    },
    { immediate: true },
  );
  onScopeDispose(() => controller.abort());
  return totals;
}
