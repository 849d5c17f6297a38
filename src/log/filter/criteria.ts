import type { Scope } from '../../auth/scope.js';
import { badInput } from '../../errors.js';
import { isStorable, parseInstant, parseUuid } from '../../query-line/values.js';
import { foldEmail } from '../entry/email.js';
import { searchNeedle } from '../entry/search-text.js';
import { addressRange } from './address-range.js';
import type { LogFilter } from './log-filter.js';
import { parseQuery } from './query-filter.js';

/** The fields that conditions can be on. */
export type FilterField =
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'actorId'
  | 'actorEmail'
  | 'resourceType'
  | 'resourceId'
  | 'clientId'
  | 'requestId'
  | 'ipAddress'
  | 'search';

/** One test of a field's value. Values are LogEntry's; an e-mail address and a text that is searched for are folded. */
export type Match =
  | { readonly is: string }
  | { readonly prefix: string }
  /** Of severities: this one or graver. */
  | { readonly atLeast: string }
  /** Both ends inclusive. */
  | { readonly between: readonly [first: string, last: string] }
  | { readonly contains: string };

/** Holds where one of the tests does; negated, where none does, an entry without a value included. */
export interface Condition {
  readonly field: FilterField;
  readonly negated: boolean;
  /** At least one. */
  readonly anyOf: readonly Match[];
}

/**
 * Which entries are wanted, and whose: a checked filter without relative times. Plain data, so that it can be stored as
 * JSON; equal filters have equal JSON.
 */
export interface Criteria {
  readonly scope: Scope;
  /** All must hold. */
  readonly conditions: readonly Condition[];
  /** Stored at or after, `2026-01-05T10:00:00.123456Z`; null: from the first entry. */
  readonly start: string | null;
  /** Stored at or before. */
  readonly end: string | null;
}

/** Fields that are columns of reel_log_counts: it suffices for conditions on these alone. */
const COUNTED: ReadonlySet<FilterField> = new Set(['module', 'severity', 'clientId']);

export const MAX_LIST = 20;
export const MAX_TEXT = 320;
export const MAX_SEARCH = 255;

/**
 * Checks a filter, its query line included. Relative times are relative to `now`: one for a whole request.
 * Errors: BAD_USER_INPUT that names the field, what was expected and what was given; for a query line with position and length.
 */
export function toCriteria(scope: Scope, filter: LogFilter | null | undefined, now: Date): Criteria {
  const given = filter ?? {};
  const filters = given.query ? [given, ...parseQuery(given.query, now)] : [given];
  return {
    scope,
    conditions: filters.flatMap(conditionsOf),
    start: sorted(filters.map(({ startDate }) => startDate)).at(-1) ?? null,
    end: sorted(filters.map(({ endDate }) => endDate)).at(0) ?? null,
  };
}

const sorted = (instants: readonly (string | null | undefined)[]): string[] =>
  instants.flatMap((at) => (at && parseInstant(at)) || []).sort();

/** The same without the conditions on some fields, for facets. */
export const withoutConditionsOn = (criteria: Criteria, fields: readonly FilterField[]): Criteria => ({
  ...criteria,
  conditions: criteria.conditions.filter(({ field }) => !fields.includes(field)),
});

/** Whether reel_log_counts suffices to count the matching entries. */
export const isCountable = (criteria: Criteria): boolean =>
  criteria.conditions.every(({ field }) => COUNTED.has(field));

type ConditionName = Exclude<keyof LogFilter, 'startDate' | 'endDate' | 'query'>;

interface ConditionReader {
  field: FilterField;
  negated?: true;
  /** Reads one item of the filter's field. Errors: BAD_USER_INPUT for `name`. */
  match(item: string, name: ConditionName): Match;
}

const identical = (value: string): Match => ({ is: value });
const text = (value: string, name: ConditionName): Match => ({ is: checkText(name, value, MAX_TEXT) });

/** UUIDs are stored in lower case. */
const id = (value: string, name: ConditionName): Match => ({
  is: parseUuid(value) ?? checkText(name, value, MAX_TEXT),
});

/** How LogFilter's conditions are read, in the order in which they are checked. */
const CONDITION_READERS: Readonly<Record<ConditionName, ConditionReader>> = {
  modules: { field: 'module', match: text },
  notModules: { field: 'module', negated: true, match: text },
  actions: { field: 'action', match: actions },
  notActions: { field: 'action', negated: true, match: actions },
  severities: { field: 'severity', match: identical },
  minSeverity: { field: 'severity', match: (severity) => ({ atLeast: severity }) },
  origin: { field: 'origin', match: identical },
  actorIds: { field: 'actorId', match: id },
  actorEmail: {
    field: 'actorEmail',
    match: (email, name) => ({ is: foldEmail(checkText(name, email, MAX_TEXT)) }),
  },
  resourceType: { field: 'resourceType', match: text },
  resourceId: { field: 'resourceId', match: id },
  clientId: { field: 'clientId', match: identical },
  requestId: { field: 'requestId', match: id },
  ipAddress: { field: 'ipAddress', match: addresses },
  search: {
    field: 'search',
    match: (words, name) => ({ contains: searchNeedle(checkText(name, words, MAX_SEARCH)) }),
  },
};

function conditionsOf(filter: LogFilter): Condition[] {
  return (Object.keys(CONDITION_READERS) as ConditionName[]).flatMap((name) => {
    const given = filter[name];
    const items = Array.isArray(given) ? given : given ? [given] : [];
    if (items.length === 0) return [];
    if (items.length > MAX_LIST) throw badInput(name, `at most ${MAX_LIST} items`, `${items.length} items`);
    const { field, negated = false, match } = CONDITION_READERS[name];
    return [{ field, negated, anyOf: items.map((item) => match(item, name)) }];
  });
}

function checkText(name: ConditionName, value: string, max: number): string {
  const length = [...value].length;
  if (length > max) throw badInput(name, `at most ${max} characters`, `${length} characters`);
  if (!isStorable(value)) throw badInput(name, 'text without NUL or lone surrogates', value);
  return value;
}

/** `users.*` means every action below `users.`; elsewhere `*` is literal. */
function actions(pattern: string, name: ConditionName): Match {
  checkText(name, pattern, MAX_TEXT);
  return pattern.endsWith('.*') ? { prefix: pattern.slice(0, -1) } : { is: pattern };
}

function addresses(value: string, name: ConditionName): Match {
  const range = addressRange(checkText(name, value, MAX_TEXT));
  if (!range) throw badInput(name, 'an IP address or a CIDR block, such as 10.0.0.0/8', value);
  return { between: [range.first, range.last] };
}
