import { ref, shallowRef } from 'vue';
import type { ReelError } from '../../reel/index.js';
import type { Session } from './session.js';

/** A call to the server that somebody asked for: one at a time, and what came of it. */
export function useCall<Name extends string>(session: Session) {
  /** What is under way. */
  const busy = ref<Name | null>(null);
  const error = shallowRef<ReelError | null>(null);

  /** False where it failed, or another is under way. */
  async function call(name: Name, work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = name as never;
    error.value = null;
    try {
      await work();
      return true;
    } catch (cause) {
      error.value = cause as ReelError;
      if (error.value.code === 'UNAUTHENTICATED') session.expire();
      return false;
    } finally {
      busy.value = null;
    }
  }

  return { busy, error, call };
}
