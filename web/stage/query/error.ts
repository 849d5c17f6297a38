import { shallowRef } from 'vue';
import { QueryLineError } from '../../../src/query-line/fault.js';
import { ReelError } from '../../reel/index.js';

/** A fault in a query line; position and length in UTF-16 units. */
export interface QueryError {
  /** A code of src/query-line/fault; of a newer server perhaps another one. */
  fault: string;
  position: number;
  length: number;
  /** The line mended, where there is one right spelling. */
  suggestion: string | null;
  /** The line that it is in. */
  line: string;
}

export function useQueryError() {
  const queryError = shallowRef<QueryError | null>(null);

  /** Shows a fault from parsing the line, here or on the server. Ignores any other error. */
  function showQueryError(cause: unknown, line: string): void {
    if (!(cause instanceof QueryLineError || cause instanceof ReelError)) return;
    const { position, length, fault, suggestion } = (
      cause instanceof ReelError ? cause.extensions : cause
    ) as Partial<QueryError>;
    if (typeof position !== 'number' || typeof length !== 'number') return;
    queryError.value = { fault: `${fault}`, position, length, suggestion: suggestion ?? null, line };
  }

  return { queryError, showQueryError };
}

export type QueryErrorState = ReturnType<typeof useQueryError>;
