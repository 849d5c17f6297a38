import type { Scope } from '../../auth/scope.js';
import { badInput } from '../../errors.js';
import type { DataStep } from '../../query-line/data-path.js';
import { isStorable, parseInstant, parseUuid } from '../../query-line/values.js';
import { foldEmail } from '../entry/email.js';
import { isSearchable, searchNeedle } from '../entry/search-text.js';
import { addressRange } from './address-range.js';
import type { LogFilter } from './log-filter.js';
import { parseQuery } from './query-filter.js';

/** The fields that tests can be of: LogEntry's. */
export type FilterField =
  | 'id'
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'occurredAt'
  | 'actorId'
  | 'actorEmail'
  | 'actorName'
  | 'actorType'
  | 'onBehalfOfId'
  | 'outcome'
  | 'resourceType'
  | 'resourceId'
  | 'clientId'
  | 'requestId'
  | 'ipAddress';

/** Operators on a value in data; that it is another one is a negated EQ. */
export type DataOp = 'EQ' | 'GT' | 'GE' | 'LT' | 'LE' | 'EXISTS';

/** One test of an entry. Values are LogEntry's; e-mail addresses, names of people and texts that are searched for are folded. */
export type Test =
  | { readonly field: FilterField; readonly is: string }
  | { readonly field: FilterField; readonly prefix: string }
  /** Of severities from mild to grave, and of instants. */
  | { readonly field: 'severity' | 'occurredAt'; readonly atLeast: string }
  | { readonly field: 'severity' | 'occurredAt'; readonly atMost: string }
  /** Both ends inclusive. */
  | { readonly field: FilterField; readonly between: readonly [first: string, last: string] }
  /** `actor`: no id, e-mail address or name. */
  | { readonly field: 'actor' | 'clientId'; readonly absent: true }
  /** Anywhere in what an entry shows. */
  | { readonly contains: string }
  /** A value in data. `value` is not given with EXISTS alone. */
  | { readonly path: readonly DataStep[]; readonly op: DataOp; readonly value?: string };

/** What a test is about. */
export type Subject = FilterField | 'actor' | 'text' | 'data';

/** Holds where all tests of one of its groups hold; negated, where none does, an entry without a value included. */
export interface Condition {
  readonly negated: boolean;
  /** At least one, each of at least one test. */
  readonly anyOf: readonly (readonly Test[])[];
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

export function subjectOf(test: Test): Subject {
  if ('field' in test) return test.field;
  return 'path' in test ? 'data' : 'text';
}

const everyTest = ({ anyOf }: Condition, holds: (test: Test) => boolean): boolean =>
  anyOf.every((group) => group.every(holds));

/** The same without the conditions that are about some subjects alone, for facets. */
export const withoutConditionsOn = (criteria: Criteria, subjects: readonly Subject[]): Criteria => ({
  ...criteria,
  conditions: criteria.conditions.filter(
    (condition) => !everyTest(condition, (test) => subjects.includes(subjectOf(test))),
  ),
});

/** Columns of reel_log_counts. */
const COUNTED: ReadonlySet<Subject> = new Set<Subject>(['module', 'severity', 'clientId']);

/** Whether reel_log_counts suffices to count the matching entries. */
export const isCountable = (criteria: Criteria): boolean =>
  criteria.conditions.every((condition) => everyTest(condition, (test) => COUNTED.has(subjectOf(test))));

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

type ConditionName = Exclude<keyof LogFilter, 'startDate' | 'endDate' | 'query'>;

interface ConditionReader {
  negated?: true;
  /** Reads one item of the filter's field. Errors: BAD_USER_INPUT for `name`. */
  test(item: string, name: ConditionName): Test;
}

const enumerated = (field: FilterField): ConditionReader => ({ test: (value) => ({ field, is: value }) });

const text = (field: FilterField): ConditionReader => ({
  test: (value, name) => ({ field, is: checkText(name, value, MAX_TEXT) }),
});

/** UUIDs are stored in lower case. */
const id = (field: FilterField): ConditionReader => ({
  test: (value, name) => ({ field, is: parseUuid(value) ?? checkText(name, value, MAX_TEXT) }),
});

/** `users.*` means every action below `users.`; elsewhere `*` is literal. */
const actions: ConditionReader = {
  test: (pattern, name) => {
    checkText(name, pattern, MAX_TEXT);
    return pattern.endsWith('.*')
      ? { field: 'action', prefix: pattern.slice(0, -1) }
      : { field: 'action', is: pattern };
  },
};

const addresses: ConditionReader = {
  test: (value, name) => {
    const range = addressRange(checkText(name, value, MAX_TEXT));
    if (!range) throw badInput(name, 'an IP address or a CIDR block, such as 10.0.0.0/8', value);
    return { field: 'ipAddress', between: [range.first, range.last] };
  },
};

const not = (reader: ConditionReader): ConditionReader => ({ ...reader, negated: true });

/** How LogFilter's conditions are read, in the order in which they are checked. */
const CONDITION_READERS: Readonly<Record<ConditionName, ConditionReader>> = {
  modules: text('module'),
  notModules: not(text('module')),
  actions,
  notActions: not(actions),
  severities: enumerated('severity'),
  minSeverity: { test: (severity) => ({ field: 'severity', atLeast: severity }) },
  origin: enumerated('origin'),
  actorIds: id('actorId'),
  actorEmail: {
    test: (email, name) => ({ field: 'actorEmail', is: foldEmail(checkText(name, email, MAX_TEXT)) }),
  },
  resourceType: text('resourceType'),
  resourceId: id('resourceId'),
  clientId: enumerated('clientId'),
  requestId: id('requestId'),
  ipAddress: addresses,
  search: {
    test: (words, name) => {
      const needle = searchNeedle(checkText(name, words, MAX_SEARCH));
      if (!isSearchable(needle))
        throw badInput(name, 'text with a character other than white space and invisible ones', words);
      return { contains: needle };
    },
  },
};

function conditionsOf(filter: LogFilter): Condition[] {
  return (Object.keys(CONDITION_READERS) as ConditionName[]).flatMap((name) => {
    const given = filter[name];
    const items = Array.isArray(given) ? given : given ? [given] : [];
    if (items.length === 0) return [];
    if (items.length > MAX_LIST) throw badInput(name, `at most ${MAX_LIST} items`, `${items.length} items`);
    const { negated = false, test } = CONDITION_READERS[name];
    return [{ negated, anyOf: items.map((item) => [test(item, name)]) }];
  });
}

function checkText(name: ConditionName, value: string, max: number): string {
  const length = [...value].length;
  if (length > max) throw badInput(name, `at most ${max} characters`, `${length} characters`);
  if (!isStorable(value)) throw badInput(name, 'text without NUL or lone surrogates', value);
  return value;
}
