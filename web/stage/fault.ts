import { shallowRef } from 'vue';
import { QueryLineError } from '../../src/query-line/terms.js';
import { ReelError } from '../reel/index.js';

/** Where a query line is wrong, in UTF-16 units, and why. */
export interface Fault {
  message: string;
  position: number;
  length: number;
  /** The line that has it. */
  line: string;
}

/** The fault that is shown. */
export function useFault() {
  const fault = shallowRef<Fault | null>(null);

  /** Takes what reading the line threw, here or on the server; anything else is none of its matter. */
  function take(cause: unknown, line: string): void {
    const place = cause instanceof ReelError ? cause.extensions : cause;
    if (!(cause instanceof QueryLineError || cause instanceof ReelError)) return;
    const { position, length } = place as Partial<Fault>;
    if (typeof position !== 'number' || typeof length !== 'number') return;
    fault.value = { message: cause.message, position, length, line };
  }

  return { fault, take };
}
