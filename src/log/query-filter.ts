import { ReelError } from '../errors.js';
import { parseQueryLine } from '../query-line/parse.js';
import { QueryLineError } from '../query-line/terms.js';
import type { LogFilter } from './inputs.js';

/** The conditions of a query line, as LogFilter's; several texts stand in `searches`. Errors: BAD_USER_INPUT with position and length. */
export function readQueryLine(line: string, now: Date): LogFilter & { searches: string[] } {
  try {
    const { since, until, ...conditions } = parseQueryLine(line, now).filter;
    return { ...conditions, startDate: since, endDate: until } as LogFilter & { searches: string[] };
  } catch (error) {
    if (!(error instanceof QueryLineError)) throw error;
    const { message, position, length } = error;
    throw new ReelError('BAD_USER_INPUT', `query: ${message}`, {
      extensions: { position, length },
      faults: [{ type: 'value_error', loc: ['query'], msg: message, input: line.slice(0, 200) }],
    });
  }
}
