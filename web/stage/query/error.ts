import { shallowRef } from 'vue';
import { QueryLineError } from '../../../src/query-line/terms.js';
import { ReelError } from '../../reel/index.js';

/** An error in a query line; position and length in UTF-16 units. */
export interface QueryError {
  message: string;
  position: number;
  length: number;
  /** The line that it is in. */
  line: string;
}

export function useQueryError() {
  const queryError = shallowRef<QueryError | null>(null);

  /** Shows an error from parsing the line, here or on the server. Ignores any other kind. */
  function showQueryError(cause: unknown, line: string): void {
    if (!(cause instanceof QueryLineError || cause instanceof ReelError)) return;
    const { position, length } = (
      cause instanceof ReelError ? cause.extensions : cause
    ) as Partial<QueryError>;
    if (typeof position !== 'number' || typeof length !== 'number') return;
    queryError.value = { message: cause.message, position, length, line };
  }

  return { queryError, showQueryError };
}
