import { isSeverityOf } from '../../../src/query-line/check-together.js';
import { type FieldName, takesSeveral } from '../../../src/query-line/fields.js';
import { parseQueryLine } from '../../../src/query-line/parse.js';
import { printQueryLine } from '../../../src/query-line/print.js';
import type { QueryTerm, QueryValue } from '../../../src/query-line/terms.js';
import { SEVERITIES } from '../../../src/query-line/values.js';

export type Terms = readonly QueryTerm[];

/** A value of a field, as a term of the query line has it. */
export interface FieldValue {
  field: FieldName;
  value: QueryValue;
}

/** The terms of a line, whose times without an offset are of the zone. Throws QueryLineError. */
export const termsOf = (line: string, timeZone: string): Terms =>
  parseQueryLine(line, { now: new Date(), timeZone }).terms;

/** The line in its canonical form. Throws QueryLineError. */
export const canonicalLine = (line: string, timeZone: string) => printQueryLine(termsOf(line, timeZone));

/** The same with its times as instants, so that it means the same tomorrow and in any zone. */
export const pinnedLine = (line: string, timeZone: string) =>
  printQueryLine(
    termsOf(line, timeZone).map((term) => ({
      ...term,
      values: term.values.map((value) => ('written' in value ? { is: value.is } : value)),
    })),
  );

const isSame = (one: QueryValue, other: QueryValue) => JSON.stringify(one) === JSON.stringify(other);
const has = (values: readonly QueryValue[], value: QueryValue) => values.some((each) => isSame(each, value));

/** The severities that match: all of them where no term is about severity. */
export const matchingSeverities = (terms: Terms) =>
  SEVERITIES.filter((severity) =>
    terms.every((term) => term.field !== 'severity' || isSeverityOf(term, severity)),
  );

const isOf = (term: QueryTerm, field: FieldName, negated: boolean) =>
  term.field === field && term.negated === negated;

/** The values that the terms limit a field to. */
export function includedValues(terms: Terms, field: FieldName): QueryValue[] {
  const included = terms.filter((term) => isOf(term, field, false));
  if (field === 'severity' && included.length > 0)
    return matchingSeverities(included).map((severity) => ({ is: severity }));
  return included.flatMap(({ values }) => values);
}

/** The values that the terms exclude by name. */
export const excludedValues = (terms: Terms, field: FieldName): QueryValue[] =>
  terms.filter((term) => isOf(term, field, true) && term.op === ':').flatMap(({ values }) => values);

function termOf(field: FieldName, values: readonly QueryValue[], negated: boolean): QueryTerm[] {
  return values.length === 0 ? [] : [{ position: 0, length: 0, field, negated, op: ':', values }];
}

/** The terms with other values that a field is limited to; none: it is not limited. */
function withIncluded(terms: Terms, field: FieldName, values: readonly QueryValue[]): Terms {
  return [...terms.filter((term) => !isOf(term, field, false)), ...termOf(field, values, false)];
}

function withoutExcluded(terms: Terms, field: FieldName, value: QueryValue): Terms {
  return terms.flatMap((term) => {
    if (!isOf(term, field, true) || term.op !== ':') return [term];
    return termOf(
      field,
      term.values.filter((each) => !isSame(each, value)),
      true,
    );
  });
}

/** Adds a value to those that the field may have, or removes it if it is one of them. */
export function toggleValue(terms: Terms, { field, value }: FieldValue): Terms {
  const values = includedValues(terms, field);
  const others = takesSeveral(field) ? values.filter((each) => !isSame(each, value)) : [];
  const toggled = has(values, value) ? others : [...others, value];
  return withIncluded(
    withoutExcluded(terms, field, value),
    field,
    field === 'severity' ? byGravity(toggled) : toggled,
  );
}

const byGravity = (values: readonly QueryValue[]): QueryValue[] =>
  SEVERITIES.map((severity) => ({ is: severity })).filter((value) => has(values, value));

/** Makes this the only value that the field may have. */
export const setValue = (terms: Terms, { field, value }: FieldValue): Terms =>
  withIncluded(withoutExcluded(terms, field, value), field, [value]);

/** Excludes a value, or stops excluding it if it is excluded. */
export function toggleExcluded(terms: Terms, { field, value }: FieldValue): Terms {
  if (has(excludedValues(terms, field), value)) return withoutExcluded(terms, field, value);
  const values = includedValues(terms, field);
  const rest = has(values, value)
    ? withIncluded(
        terms,
        field,
        values.filter((each) => !isSame(each, value)),
      )
    : terms;
  return [...rest, ...termOf(field, [value], true)];
}
