import type { Scope } from '../../auth/scope.js';
import { parseInstant } from '../../query-line/values.js';
import { type Condition, everyTest, type Subject, subjectOf } from './condition.js';
import { conditionsOf } from './field-conditions.js';
import type { FilterInput } from './log-filter.js';
import { readQuery } from './query-filter.js';
import { readTimeZone } from './time-zone.js';

export type { Condition, DataOp, FilterField, Subject, Test } from './condition.js';
export { MAX_LIST, MAX_QUERY, MAX_RESOURCE_ID, MAX_SEARCH, MAX_TEXT } from './field-conditions.js';

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

/**
 * Checks a filter, its query line included. Relative times of the line are relative to `now`, one for a whole request; a
 * time without an offset is of `timeZone`. Errors: BAD_USER_INPUT that names the field, what was expected and what was
 * given; for a query line as readQuery.
 */
export function toCriteria(
  scope: Scope,
  filter: FilterInput | null | undefined,
  now: Date,
  timeZone = 'UTC',
): Criteria {
  const zone = readTimeZone(timeZone);
  const given = filter ?? {};
  const line = given.query ? readQuery(given.query, now, zone) : null;
  return {
    scope,
    conditions: filter ? [...conditionsOf(filter), ...(line?.conditions ?? [])] : [],
    start: sorted([given.startDate, line?.start]).at(-1) ?? null,
    end: sorted([given.endDate, line?.end]).at(0) ?? null,
  };
}

const sorted = (instants: readonly (string | null | undefined)[]): string[] =>
  instants.flatMap((at) => (at && parseInstant(at)) || []).sort();

/** Whether every entry of the tenant is wanted. */
export const isEverything = ({ scope, conditions, start, end }: Criteria): boolean =>
  scope.clients === null && conditions.length === 0 && start === null && end === null;

/** Of a tenant. */
export const everything = (tenantId: string): Criteria => ({
  scope: { tenantId, clients: null },
  conditions: [],
  start: null,
  end: null,
});

/** The same without the conditions that are about some subjects alone, for facets. */
export const withoutConditionsOn = (criteria: Criteria, subjects: readonly Subject[]): Criteria => ({
  ...criteria,
  conditions: criteria.conditions.filter(
    (condition) => !everyTest(condition, (test) => subjects.includes(subjectOf(test))),
  ),
});

/** Columns of reel_log_counts, and of reel_log_action_counts. */
const COUNTED: ReadonlySet<Subject> = new Set<Subject>(['module', 'severity', 'clientId']);
const COUNTED_BY_DAY: ReadonlySet<Subject> = new Set<Subject>([...COUNTED, 'action']);

const isOnlyOn = (subjects: ReadonlySet<Subject>, { conditions }: Criteria): boolean =>
  conditions.every((condition) => everyTest(condition, (test) => subjects.has(subjectOf(test))));

/** Whether reel_log_counts suffices to count the matching entries. */
export const isCountable = (criteria: Criteria): boolean => isOnlyOn(COUNTED, criteria);

/** Whether reel_log_action_counts does, as far as whole days go. */
export const isCountableByDay = (criteria: Criteria): boolean => isOnlyOn(COUNTED_BY_DAY, criteria);
