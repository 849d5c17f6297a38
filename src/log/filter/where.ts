import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import { ORIGINS } from '../entry/origin.js';
import { SEVERITIES } from '../entry/severity.js';
import type { Condition, Criteria, FilterField, Match } from './criteria.js';

/**
 * Where a field's value is stored. Row-level security lets a condition use an index only where its operator is leakproof:
 * comparisons of these types are, LIKE is not.
 */
interface Column {
  readonly name: string;
  readonly type: 'text' | 'uuid' | 'smallint' | 'inet';
  readonly nullable: boolean;
  /** The names whose indices the column stores. */
  readonly enumeration?: readonly string[];
}

/** Of reel_log_entries; those that isCountable accepts are columns of reel_log_counts, too. */
const COLUMNS: Readonly<Record<FilterField, Column>> = {
  module: { name: 'module', type: 'text', nullable: false },
  action: { name: 'action', type: 'text', nullable: false },
  severity: { name: 'severity', type: 'smallint', nullable: false, enumeration: SEVERITIES },
  origin: { name: 'origin', type: 'smallint', nullable: false, enumeration: ORIGINS },
  actorId: { name: 'actor_id', type: 'text', nullable: true },
  actorEmail: { name: 'actor_email_folded', type: 'text', nullable: true },
  resourceType: { name: 'resource_type', type: 'text', nullable: true },
  resourceId: { name: 'resource_id', type: 'text', nullable: true },
  clientId: { name: 'client_id', type: 'uuid', nullable: true },
  requestId: { name: 'request_id', type: 'text', nullable: true },
  ipAddress: { name: 'ip_address', type: 'inet', nullable: true },
  search: { name: 'search_text', type: 'text', nullable: true },
};

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
export function idFloor(instant: string, later = 0): string {
  const ms = Math.min(Math.max(Date.parse(instant) + later, FIRST_MS), LAST_MS);
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

function whereHolds({ field, negated, anyOf }: Condition): RawBuilder<unknown> {
  const column = COLUMNS[field];
  const values = anyOf.flatMap((match) => ('is' in match ? [match.is] : []));
  const tests = anyOf.flatMap((match) => ('is' in match ? [] : [whereMatch(column, match)]));
  if (values.length > 0) tests.push(isAnyOf(column, values));
  const found = sql`(${sql.join(tests, sql` or `)})`;
  if (!negated) return found;
  return column.nullable ? sql`${found} is not true` : sql`not ${found}`;
}

function whereMatch(column: Column, match: Exclude<Match, { is: string }>): RawBuilder<unknown> {
  const name = sql.ref(column.name);
  const stored = (value: string) => sql`${encode(column, value)}::${sql.raw(column.type)}`;
  if ('prefix' in match) {
    const beyond = textBeyond(match.prefix);
    const from = sql`${name} >= ${stored(match.prefix)}`;
    return beyond === null ? from : sql`(${from} and ${name} < ${stored(beyond)})`;
  }
  if ('atLeast' in match) return sql`${name} >= ${stored(match.atLeast)}`;
  if ('between' in match)
    return sql`${name} between ${stored(match.between[0])} and ${stored(match.between[1])}`;
  return sql`strpos(${name}, ${stored(match.contains)}) > 0`;
}

function isAnyOf(column: Column, values: readonly string[]): RawBuilder<boolean> {
  const [name, type] = [sql.ref(column.name), sql.raw(column.type)];
  const stored = values.map((value) => encode(column, value));
  return stored.length === 1
    ? sql<boolean>`${name} = ${stored[0]}::${type}`
    : sql<boolean>`${name} = any (${stored}::${type}[])`;
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
