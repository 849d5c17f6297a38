import { printDataPath } from './data-path.js';
import { FIELDS, takesSeveral } from './fields.js';
import { quote } from './quote.js';
import type { QueryTerm, QueryText, QueryValue } from './terms.js';
import { printTime } from './time.js';
import { isBareText, isSpacedOperator } from './words.js';

/**
 * The canonical form: fields in the order of FIELDS, of each field what is negated last, texts behind all fields, nothing
 * twice, and quotes only where needed. Parsing it gives the same filter.
 */
export function printQueryLine(terms: readonly QueryTerm[]): string {
  const printed: string[] = [];
  for (const term of canonicalTerms(terms)) {
    const text = printTerm(term);
    const isOperator = term.field === null && isSpacedOperator(printed.at(-1) ?? '', text);
    printed.push(isOperator ? quote(text) : text);
  }
  return printed.join(' ');
}

/** The terms in canonical order, without repetitions, what is negated of a field in one term. Positions keep no meaning. */
export function canonicalTerms(terms: readonly QueryTerm[]): QueryTerm[] {
  const ordered = [...FIELDS, null].flatMap((field) =>
    [false, true].flatMap((negated) =>
      terms.filter((each) => each.field === field && each.negated === negated),
    ),
  );
  const canonical = new Map<string, QueryTerm>();
  for (const term of ordered) {
    const { field, negated, op } = term;
    const isMerged = negated && op === ':' && field !== null && field !== 'data' && takesSeveral(field);
    const key = isMerged ? `-${field}:` : printTerm(term);
    const values = [...(canonical.get(key)?.values ?? []), ...term.values];
    const distinct = new Map(values.map((value) => [JSON.stringify(value), value]));
    canonical.set(key, { ...term, values: [...distinct.values()] });
  }
  return [...canonical.values()];
}

function printTerm(term: QueryTerm): string {
  const { field, path, negated, op, values } = term;
  const minus = negated ? '-' : '';
  const [value] = values;
  if (field === null) {
    const text = value && 'is' in value ? value.is : '';
    return minus + (isBareText(text) ? text : quote(text));
  }
  const name = path ? `${field}.${printDataPath(path)}` : field;
  return minus + name + op + values.map((each) => printValue(term, each)).join(',');
}

function printValue({ field }: QueryTerm, value: QueryValue): string {
  if ('none' in value) return 'none';
  if ('exists' in value) return '*';
  if ('prefix' in value) return `${value.prefix}*`;
  if ('type' in value) return printPart(value.type) + (value.id ? `/${printId(value.id)}` : '');
  if (value.written !== undefined) return value.written;
  const { is } = value;
  if (field === 'outcome' || field === 'origin' || field === 'type') return is.toLowerCase();
  if (field?.endsWith('since') || field?.endsWith('until')) return printTime(is);
  const isOther =
    ((field === 'actor' || field === 'client') && is.toLowerCase() === 'none') ||
    (field === 'data' && /^[<>=]/.test(is));
  return isOther ? quote(is) : printItem(is);
}

/** A `*` without quotes is no text. */
const printItem = (text: string): string => (/^[^\s",*]+$/.test(text) ? text : quote(text));
const printPart = (type: string): string => (type.includes('/') ? quote(type) : printItem(type));
const printId = (id: QueryText | { prefix: string }): string =>
  'prefix' in id ? `${id.prefix}*` : printItem(id.is);
