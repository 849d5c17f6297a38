import { ReelError } from '../../errors.js';
import { parseQueryLine } from '../../query-line/parse.js';
import { QueryLineError } from '../../query-line/terms.js';
import type { LogFilter } from './log-filter.js';

/**
 * A query line as filters that must all hold: one for its fields, and one for each of its texts. Relative times are
 * relative to `now`. Errors: BAD_USER_INPUT with position and length.
 */
export function parseQuery(line: string, now: Date): LogFilter[] {
  try {
    const { since, until, searches, ...conditions } = parseQueryLine(line, now).filter;
    const fields: LogFilter = { ...conditions, startDate: since, endDate: until };
    return [fields, ...searches.map((search): LogFilter => ({ search }))];
  } catch (error) {
    if (!(error instanceof QueryLineError)) throw error;
    const { message, position, length } = error;
    throw new ReelError('BAD_USER_INPUT', `query: ${message}`, {
      extensions: { position, length },
      faults: [{ type: 'value_error', loc: ['query'], msg: message, input: line.slice(0, 200) }],
    });
  }
}
