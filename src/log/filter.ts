import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../auth/scope.js';
import { badInput } from '../errors.js';
import { isStorable, parseUuid } from '../query-line/values.js';
import { addressRange } from './address-range.js';
import type { LogFilter } from './inputs.js';
import { ORIGINS } from './origin.js';
import { readQueryLine } from './query-filter.js';
import { searchNeedle } from './search-text.js';
import { SEVERITIES } from './severity.js';

/** What a condition speaks of; a facet leaves out the conditions of its own field. */
export type FilterField =
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'actor'
  | 'resourceType'
  | 'resourceId'
  | 'client'
  | 'request'
  | 'ip'
  | 'search';

interface Condition {
  field: FilterField;
  sql: RawBuilder<unknown>;
}

/** A filter made ready: which of the caller's entries match. Columns are those of reel_log_entries, or of reel_log_counts where `countable`. */
export interface Criteria {
  readonly scope: Scope;
  readonly conditions: readonly Condition[];
  /** At or after, `…Z` with six digits; null: from the first entry. */
  readonly start: string | null;
  /** At or before. */
  readonly end: string | null;
}

/** Columns that the counts are kept by; conditions on these alone can be answered from them. */
const COUNTED: ReadonlySet<FilterField> = new Set(['module', 'severity', 'client']);

export const MAX_LIST = 20;
export const MAX_TEXT = 320;
export const MAX_SEARCH = 255;

/** Errors: BAD_USER_INPUT that names the field, what was expected and what came. `now` is what relative times of the query line count from. */
export function readFilter(scope: Scope, filter: LogFilter | null | undefined, now: Date): Criteria {
  const given = filter ?? {};
  const line = given.query ? readQueryLine(given.query, now) : null;
  const sources = line ? [given, line] : [given];
  return {
    scope,
    conditions: sources.flatMap(conditionsOf),
    start: latest(sources.map((source) => source.startDate)),
    end: earliest(sources.map((source) => source.endDate)),
  };
}

/** The same without the conditions on some fields, for facets. */
export const leavingOut = (criteria: Criteria, fields: readonly FilterField[]): Criteria => ({
  ...criteria,
  conditions: criteria.conditions.filter((condition) => !fields.includes(condition.field)),
});

/** Whether the counts alone can tell which entries match. */
export const isCountable = (criteria: Criteria): boolean =>
  criteria.conditions.every((condition) => COUNTED.has(condition.field));

/** The tenant, the clients the caller may see, and every condition but the time: the one place where the tenant is added. */
export function whereMatches(criteria: Criteria): RawBuilder<boolean> {
  const { tenantId, clients } = criteria.scope;
  return every([
    sql`tenant_id = ${tenantId}::uuid`,
    ...(clients === null ? [] : [anyOf('client_id', clients, 'uuid')]),
    ...criteria.conditions.map((condition) => condition.sql),
  ]);
}

/** The time range as a range of ids, which follow created_at, and exactly: `from` and `until` as in Criteria, both inclusive. */
export function whereWithin(from: string | null, until: string | null): RawBuilder<boolean> {
  const bounds: RawBuilder<unknown>[] = [];
  if (from) bounds.push(sql`id >= ${idFloor(from)}::uuid`, sql`created_at >= ${from}::timestamptz`);
  if (until) bounds.push(sql`id < ${idFloor(until, 1)}::uuid`, sql`created_at <= ${until}::timestamptz`);
  return every(bounds);
}

/** Everything: tenant, clients, conditions and time. */
export const whereAll = (criteria: Criteria): RawBuilder<boolean> =>
  every([whereMatches(criteria), whereWithin(criteria.start, criteria.end)]);

export function every(conditions: readonly RawBuilder<unknown>[]): RawBuilder<boolean> {
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

const FIRST_MS = 0;
const LAST_MS = 2 ** 48 - 1;

/** The first UUIDv7 of an instant's millisecond, or of one `later`. */
export function idFloor(instant: string, later = 0): string {
  const ms = Math.min(Math.max(Date.parse(instant) + later, FIRST_MS), LAST_MS);
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

type Source = LogFilter & { searches?: string[] };

function conditionsOf(source: Source): Condition[] {
  const found: Condition[] = [];
  const add = (field: FilterField, condition: RawBuilder<unknown>) => found.push({ field, sql: condition });
  const list = <T>(
    name: keyof LogFilter,
    values: readonly T[] | null | undefined,
    use: (values: readonly T[]) => void,
  ) => {
    if (!values || values.length === 0) return;
    if (values.length > MAX_LIST) throw badInput(name, `at most ${MAX_LIST} items`, `${values.length} items`);
    use(values);
  };
  const text = (name: keyof LogFilter, value: string | null | undefined, use: (value: string) => void) => {
    if (value) use(checkText(name, value));
  };
  const texts = (
    name: keyof LogFilter,
    values: string[] | null | undefined,
    use: (values: readonly string[]) => void,
  ) => list(name, values, (items) => use(items.map((item) => checkText(name, item))));

  texts('modules', source.modules, (items) => add('module', anyOf('module', items, 'text')));
  texts('notModules', source.notModules, (items) =>
    add('module', sql`not ${anyOf('module', items, 'text')}`),
  );
  texts('actions', source.actions, (items) => add('action', anyAction(items)));
  texts('notActions', source.notActions, (items) => add('action', sql`not ${anyAction(items)}`));
  list('severities', source.severities, (items) =>
    add(
      'severity',
      anyOf(
        'severity',
        items.map((item) => SEVERITIES.indexOf(item)),
        'smallint',
      ),
    ),
  );
  if (source.minSeverity)
    add('severity', sql`severity >= ${SEVERITIES.indexOf(source.minSeverity)}::smallint`);
  if (source.origin) add('origin', sql`origin = ${ORIGINS.indexOf(source.origin)}::smallint`);
  list('actorIds', source.actorIds, (items) => add('actor', anyOf('actor_id', items, 'uuid')));
  text('actorEmail', source.actorEmail, (value) =>
    add('actor', sql`actor_email_folded = ${foldEmail(value)}`),
  );
  text('resourceType', source.resourceType, (value) => add('resourceType', sql`resource_type = ${value}`));
  text('resourceId', source.resourceId, (value) =>
    add('resourceId', sql`resource_id = ${parseUuid(value) ?? value}`),
  );
  if (source.clientId) add('client', sql`client_id = ${source.clientId}::uuid`);
  if (source.requestId) add('request', sql`request_id = ${source.requestId}::uuid`);
  text('ipAddress', source.ipAddress, (value) => {
    const range = addressRange(value);
    if (!range) throw badInput('ipAddress', 'an IP address or a CIDR block, such as 10.0.0.0/8', value);
    add('ip', sql`ip_address between ${range.first}::inet and ${range.last}::inet`);
  });
  for (const search of [source.search, ...(source.searches ?? [])]) {
    if (!search) continue;
    if ([...search].length > MAX_SEARCH)
      throw badInput('search', `at most ${MAX_SEARCH} characters`, `${[...search].length} characters`);
    if (!isStorable(search)) throw badInput('search', 'text without NUL and lone surrogates', search);
    add('search', sql`strpos(search_text, ${searchNeedle(search)}) > 0`);
  }
  return found;
}

function checkText(name: keyof LogFilter, value: string): string {
  if ([...value].length > MAX_TEXT)
    throw badInput(name, `at most ${MAX_TEXT} characters`, `${[...value].length} characters`);
  if (!isStorable(value)) throw badInput(name, 'text without NUL and lone surrogates', value);
  return value;
}

function anyOf(
  column: string,
  values: readonly (string | number)[],
  type: 'text' | 'uuid' | 'smallint',
): RawBuilder<boolean> {
  const name = sql.ref(column);
  if (values.length === 1) return sql<boolean>`(${name} = ${values[0]}::${sql.raw(type)})`;
  return sql<boolean>`(${name} = any (${values}::${sql.raw(type)}[]))`;
}

/** `users.*` as the range of texts from `users.` to before `users/`: LIKE would keep row-level security from the index. */
function anyAction(patterns: readonly string[]): RawBuilder<boolean> {
  const exact = patterns.filter((pattern) => !pattern.endsWith('.*'));
  const below = patterns.filter((pattern) => pattern.endsWith('.*'));
  const conditions = below.map((pattern) => {
    const prefix = pattern.slice(0, -2);
    return sql`(action >= ${`${prefix}.`} and action < ${`${prefix}/`})`;
  });
  if (exact.length > 0) conditions.push(anyOf('action', exact, 'text'));
  return sql<boolean>`(${sql.join(conditions, sql` or `)})`;
}

/** E-mail addresses are compared, and stored a second time, in Unicode's lower case. */
export const foldEmail = (email: string) => email.toLowerCase();

const present = (instants: (string | null | undefined)[]) =>
  instants.filter((at): at is string => Boolean(at)).sort();
const latest = (instants: (string | null | undefined)[]) => present(instants).at(-1) ?? null;
const earliest = (instants: (string | null | undefined)[]) => present(instants)[0] ?? null;
