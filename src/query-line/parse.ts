import { checkTogether } from './check-together.js';
import { QueryLineError } from './fault.js';
import { readTerm } from './read-term.js';
import { isLonger, MAX_LINE, MAX_TERMS, type QueryTerm } from './terms.js';
import type { TimeContext } from './time.js';
import { splitLine } from './words.js';

export interface QueryLineOptions {
  /** Relative times count back from it: one for a whole request. */
  readonly now: Date;
  /** Of dates and of times without an offset: an IANA name, by default UTC. RangeError for what is none. */
  readonly timeZone?: string;
}

/** The terms of a line, in its order; every one must hold. */
export interface ParsedLine {
  readonly terms: readonly QueryTerm[];
}

/** Parses a query line (docs/query-line.md). Throws QueryLineError for the first fault, with the whole line mended. */
export function parseQueryLine(line: string, { now, timeZone = 'UTC' }: QueryLineOptions): ParsedLine {
  const times = { now, timeZone };
  try {
    return { terms: readLine(line, times) };
  } catch (error) {
    if (!(error instanceof QueryLineError)) throw error;
    throw new QueryLineError(error.fault, error.message, error, mendAll(error, times));
  }
}

/** A line with more faults is none that somebody mistyped. */
const MAX_MENDS = 10;

/** Mends one fault after another until the line parses; null where there is one that has no one right spelling. */
function mendAll(first: QueryLineError, times: TimeContext): string | null {
  const tried = new Set<string>();
  let [fault, hadBooleanWord] = [first, false];
  while (tried.size < MAX_MENDS) {
    const line = fault.suggestion;
    if (line === null || line.trim() === '' || tried.has(line)) return null;
    // `module:a AND module:b` is not `module:a,b`.
    if (fault.fault === 'REPEATED_FIELD' && hadBooleanWord) return null;
    hadBooleanWord ||= fault.fault === 'BOOLEAN_WORD';
    tried.add(line);
    try {
      readLine(line, times);
      return line;
    } catch (error) {
      if (!(error instanceof QueryLineError)) throw error;
      fault = error;
    }
  }
  return null;
}

/** As parseQueryLine, but that a suggestion is the line with this one fault mended. */
function readLine(line: string, times: TimeContext): QueryTerm[] {
  if (isLonger(line, MAX_LINE)) {
    const whole = { position: 0, length: line.length };
    throw new QueryLineError('LINE_TOO_LONG', `expected at most ${MAX_LINE} characters`, whole);
  }
  const words = splitLine(line);
  const terms: QueryTerm[] = [];
  for (const [index, word] of words.entries()) {
    if (index >= MAX_TERMS)
      throw new QueryLineError('TOO_MANY_TERMS', `expected at most ${MAX_TERMS} terms`, word);
    const term = readTerm(line, words, index, times);
    checkTogether(line, words, terms, term);
    terms.push(term);
  }
  return terms;
}
