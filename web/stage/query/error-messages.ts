import type { QueryError } from './error.js';

const MAX_TERM = 80;

/** What is wrong with a query line, in the page's language: by its code, never by the server's English. */
export function queryErrorMessage(
  { fault, line, position, length }: QueryError,
  t: (key: string, named: Record<string, string>) => string,
  te: (key: string) => boolean,
): string {
  const term = line.slice(position, position + length);
  const cut = term.length > MAX_TERM ? `${term.slice(0, MAX_TERM - 1).toWellFormed()}…` : term;
  const key = `queryFaults.${fault}`;
  // Backticks mark what is shown as code.
  const shown = cut.replaceAll('`', 'ˋ');
  return t(te(key) ? key : 'queryFaults.other', { term: `\`${shown}\`` });
}
