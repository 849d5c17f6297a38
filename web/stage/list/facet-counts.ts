import type { FieldName } from '../../../src/query-line/fields.js';
import type { QueryValue } from '../../../src/query-line/terms.js';

/** How many values of a facet are asked for at most. */
const MAX_VALUES = 50;

/**
 * How many entries have a value of the query line, by the counts of a facet's values; null where those do not tell.
 * `isStopped`: counting stopped short, and there may be more values. Values are compared as the server does.
 */
export function countOfValue(
  field: FieldName,
  value: QueryValue,
  list: readonly { key: string | null; count: number }[],
  isStopped: boolean,
): number | null {
  const isWhole = list.length < MAX_VALUES && !isStopped;
  if ('none' in value || 'is' in value) {
    const wanted = 'is' in value ? value.is : null;
    const found = list.find(({ key }) => key === wanted);
    if (found) return found.count;
    // A name or an e-mail address finds entries of actors that are listed by their ids.
    return isWhole && !(field === 'actor' && wanted !== null) ? 0 : null;
  }
  // The beginning is that of an id alone, and actors without one are listed by other things.
  if (!('prefix' in value) || field === 'actor' || !isWhole) return null;
  return list.filter(({ key }) => key?.startsWith(value.prefix)).reduce((sum, { count }) => sum + count, 0);
}
