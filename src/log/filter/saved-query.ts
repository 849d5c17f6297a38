import { badInput } from '../../errors.js';
import { toCriteria } from './criteria.js';

/** Of a view or a stream. */
const [MAX_NAME, MAX_QUERY] = [100, 2_000];

/** The name of a view or a stream. Errors: BAD_USER_INPUT. */
export function checkSavedName(name: string): string {
  if (!isLabel(name, MAX_NAME))
    throw badInput('name', `1 to ${MAX_NAME} characters without control characters`, name);
  return name;
}

/** The query line of a view or a stream, which may be empty. Errors: BAD_USER_INPUT. */
export function checkSavedQuery(tenantId: string, query: string): string {
  if (query.length > MAX_QUERY) throw badInput('query', `at most ${MAX_QUERY} characters`, query);
  toCriteria({ tenantId, clients: null }, { query }, new Date());
  return query;
}

/** Whether it is a text that people can read, of at most so many characters. */
export const isLabel = (text: string, most: number): boolean =>
  text.trim() !== '' && [...text].length <= most && !/\p{Cc}/u.test(text) && text.isWellFormed();
