import { isSeverityOf } from '../../../src/query-line/check-together.js';
import type { DataStep } from '../../../src/query-line/data-path.js';
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
  /** Of field `data`. */
  path?: readonly DataStep[];
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

const isOfPath = (term: QueryTerm, path: FieldValue['path']) =>
  path === undefined || JSON.stringify(term.path) === JSON.stringify(path);

function termOf(
  field: FieldName,
  values: readonly QueryValue[],
  negated: boolean,
  path?: FieldValue['path'],
): QueryTerm[] {
  return values.length === 0
    ? []
    : [{ position: 0, length: 0, field, negated, op: ':', values, ...(path && { path }) }];
}

/** The terms with other values that a field is limited to; none: it is not limited. */
function withIncluded(
  terms: Terms,
  { field, path }: Omit<FieldValue, 'value'>,
  values: readonly QueryValue[],
): Terms {
  const others = terms.filter((term) => !isOf(term, field, false) || !isOfPath(term, path));
  return [...others, ...termOf(field, values, false, path)];
}

function withoutExcluded(terms: Terms, { field, value, path }: FieldValue): Terms {
  return terms.flatMap((term) => {
    if (!isOf(term, field, true) || term.op !== ':' || !isOfPath(term, path)) return [term];
    return termOf(
      field,
      term.values.filter((each) => !isSame(each, value)),
      true,
      path,
    );
  });
}

/** Adds a value to those that the field may have, or removes it if it is one of them. */
export function toggleValue(terms: Terms, condition: FieldValue): Terms {
  const { field, value } = condition;
  const values = includedValues(terms, field);
  const others = takesSeveral(field) ? values.filter((each) => !isSame(each, value)) : [];
  const toggled = has(values, value) ? others : [...others, value];
  return withIncluded(
    withoutExcluded(terms, condition),
    condition,
    field === 'severity' ? byGravity(toggled) : toggled,
  );
}

const byGravity = (values: readonly QueryValue[]): QueryValue[] =>
  SEVERITIES.map((severity) => ({ is: severity })).filter((value) => has(values, value));

/** Makes this the only value that the field may have. */
export const setValue = (terms: Terms, condition: FieldValue): Terms =>
  withIncluded(withoutExcluded(terms, condition), condition, [condition.value]);

/** Excludes a value, or stops excluding it if it is excluded. */
export function toggleExcluded(terms: Terms, condition: FieldValue): Terms {
  const { field, value, path } = condition;
  const without = withoutExcluded(terms, condition);
  if (JSON.stringify(without) !== JSON.stringify(terms)) return without;
  const values = path ? [] : includedValues(terms, field);
  const rest = has(values, value)
    ? withIncluded(
        terms,
        condition,
        values.filter((each) => !isSame(each, value)),
      )
    : terms;
  return [...rest, ...termOf(field, [value], true, path)];
}
