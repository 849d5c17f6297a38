import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import { COLUMNS, type Column } from './columns.js';
import type { Condition, FilterField, Test } from './condition.js';
import type { Criteria } from './criteria.js';
import { whereData } from './where-data.js';

/** The tenant, and those of its clients whose entries may be seen; nothing else adds the tenant. */
export function whereInScope({ tenantId, clients }: Scope): RawBuilder<boolean> {
  const ofTenant = sql<boolean>`tenant_id = ${tenantId}::uuid`;
  return clients === null ? ofTenant : every([ofTenant, sql`(${isAnyOf(COLUMNS.clientId, clients)})`]);
}

/** The scope and all conditions, without the time. */
export const whereMatches = ({ scope, conditions }: Criteria): RawBuilder<boolean> =>
  every([whereInScope(scope), ...conditions.map(whereHolds)]);

/** The time range as a range of ids, which follow created_at, and exactly: `from` and `until` as in Criteria, both inclusive. */
export function whereWithin(from: string | null, until: string | null): RawBuilder<boolean> {
  const bounds: RawBuilder<unknown>[] = [];
  if (from) bounds.push(sql`id >= ${idFloor(from)}::uuid`, sql`created_at >= ${from}::timestamptz`);
  if (until) bounds.push(sql`id < ${idFloor(until, 1)}::uuid`, sql`created_at <= ${until}::timestamptz`);
  return every(bounds);
}

/** Everything: scope, conditions and time. */
export const whereAll = (criteria: Criteria): RawBuilder<boolean> =>
  every([whereMatches(criteria), whereWithin(criteria.start, criteria.end)]);

export function every(conditions: readonly RawBuilder<unknown>[]): RawBuilder<boolean> {
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

const FIRST_MS = 0;
const LAST_MS = 2 ** 48 - 1;

/** The lowest UUID of an instant's millisecond, or of `later` milliseconds after it. */
export const idFloor = (instant: string, later = 0): string => idOf(Date.parse(instant) + later);

/** The lowest UUID of a Unix time in milliseconds. */
export function idOf(milliseconds: number): string {
  const ms = Math.min(Math.max(milliseconds, FIRST_MS), LAST_MS);
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

function whereHolds({ negated, anyOf }: Condition): RawBuilder<unknown> {
  const values = new Map<FilterField, string[]>();
  const tests: RawBuilder<unknown>[] = [];
  for (const group of anyOf) {
    const [test] = group;
    if (group.length > 1 || !test) tests.push(sql`(${every(group.map(wherePasses))})`);
    else if ('is' in test) values.set(test.field, [...(values.get(test.field) ?? []), test.is]);
    else tests.push(wherePasses(test));
  }
  // An index serves one array, not many comparisons.
  for (const [field, all] of values) tests.push(isAnyOf(COLUMNS[field], all));
  const found = sql`(${sql.join(tests, sql` or `)})`;
  return negated ? sql`${found} is not true` : found;
}

/** One test; null where the entry has no value. */
export function wherePasses(test: Test): RawBuilder<unknown> {
  if ('path' in test) return whereData(test);
  if ('contains' in test) return sql`strpos(search_text, ${test.contains}::text) > 0`;
  if ('absent' in test) return test.field === 'actor' ? WITHOUT_ACTOR : sql`client_id is null`;
  const column = COLUMNS[test.field];
  const value = sql.raw(column.sql);
  const stored = (text: string) => sql`${encode(column, text)}::${sql.raw(column.type)}`;
  if ('is' in test) return isAnyOf(column, [test.is]);
  if ('prefix' in test) {
    const beyond = textBeyond(test.prefix);
    const from = sql`${value} >= ${stored(test.prefix)}`;
    return beyond === null ? from : sql`(${from} and ${value} < ${stored(beyond)})`;
  }
  if ('atLeast' in test) return sql`${value} >= ${stored(test.atLeast)}`;
  if ('atMost' in test) return sql`${value} <= ${stored(test.atMost)}`;
  return sql`${value} between ${stored(test.between[0])} and ${stored(test.between[1])}`;
}

const WITHOUT_ACTOR = sql`(actor_id is null and actor_email is null and actor_name is null)`;

function isAnyOf(column: Column, values: readonly string[]): RawBuilder<boolean> {
  const [value, type] = [sql.raw(column.sql), sql.raw(column.type)];
  const stored = values.map((each) => encode(column, each));
  return stored.length === 1
    ? sql<boolean>`${value} = ${stored[0]}::${type}`
    : sql<boolean>`${value} = any (${stored}::${type}[])`;
}

const encode = ({ enumeration }: Column, value: string): string | number =>
  enumeration ? enumeration.indexOf(value) : value;

const LAST_POINT = 0x10ffff;
const BEFORE_SURROGATES = 0xd7ff;

/** The smallest text greater than all that begin with `prefix`, by code point as with COLLATE "C"; null if there is none. */
export function textBeyond(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.at(-1) === LAST_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  return String.fromCodePoint(...points, last === BEFORE_SURROGATES ? 0xe000 : last + 1);
}
