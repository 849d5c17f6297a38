import { ReelError } from '../../errors.js';
import { parseQueryLine } from '../../query-line/parse.js';
import { QueryLineError } from '../../query-line/terms.js';
import type { Condition } from './condition.js';
import { conditionsOf } from './field-conditions.js';

/** What a query line asks for. */
export interface QueryConditions {
  readonly conditions: readonly Condition[];
  readonly start: string | null;
  readonly end: string | null;
}

/** Relative times are relative to `now`. Errors: BAD_USER_INPUT with position and length. */
export function readQuery(line: string, now: Date, _timeZone: string): QueryConditions {
  try {
    const { since, until, searches, ...fields } = parseQueryLine(line, now).filter;
    const conditions = [...conditionsOf(fields), ...searches.flatMap((search) => conditionsOf({ search }))];
    return { conditions, start: since, end: until };
  } catch (error) {
    if (!(error instanceof QueryLineError)) throw error;
    const { message, position, length } = error;
    throw new ReelError('BAD_USER_INPUT', `query: ${message}`, {
      extensions: { position, length },
      faults: [{ type: 'value_error', loc: ['query'], msg: message, input: line.slice(0, 200) }],
    });
  }
}
