/** The fields of the query line, in the order of the canonical form. */
export const FIELDS = [
  'module',
  'action',
  'severity',
  'outcome',
  'origin',
  'actor',
  'type',
  'behalf',
  'resource',
  'client',
  'request',
  'id',
  'ip',
  'since',
  'until',
  'occurred-since',
  'occurred-until',
  'data',
] as const;

export type FieldName = (typeof FIELDS)[number];
export type TimeField = 'since' | 'until' | 'occurred-since' | 'occurred-until';

/** `:` is equality, or any of several values. */
export const OPERATORS = [':', '>=', '>', '<=', '<'] as const;
export type Operator = (typeof OPERATORS)[number];

const SEVERAL: ReadonlySet<FieldName> = new Set([
  'module',
  'action',
  'severity',
  'outcome',
  'actor',
  'type',
  'id',
  'data',
]);
const ORDERED: ReadonlySet<FieldName> = new Set(['severity', 'data']);
const TIMES: ReadonlySet<FieldName> = new Set(['since', 'until', 'occurred-since', 'occurred-until']);

export const isField = (name: string): name is FieldName => (FIELDS as readonly string[]).includes(name);

/** Whether a field takes several values after `:`. */
export const takesSeveral = (field: FieldName): boolean => SEVERAL.has(field);
/** Whether a field takes the operators besides `:`. */
export const isOrdered = (field: FieldName): boolean => ORDERED.has(field);
export const isTimeField = (field: FieldName): field is TimeField => TIMES.has(field);
export const isNegatable = (field: FieldName): boolean => !isTimeField(field);
/** Whether a field may be named by several terms that are not negated. */
export const isRepeatable = (field: FieldName): boolean => field === 'data';
