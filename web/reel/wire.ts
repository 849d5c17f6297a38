import { ReelError, type ReelFault, wayOf } from './error.js';
import type {
  ActorType,
  CreateLogInput,
  EntryFieldsFragment,
  ExportLogsInput,
  ExportLogsMutation,
  LogCountsQuery,
  LogFilter as LogFilterInput,
  LogOrigin,
  LogOutcome,
  LogPageQuery,
  LogSeverity,
} from './generated.js';

/** The snake_case types of the functions and the store, as in the first edition, and their conversion to and from GraphQL's. */

type Maybe<T> = T | null | undefined;

/** An entry as the functions and the store return it. Times are UTC with microseconds: `2026-01-05T10:00:00.123456Z`. */
export interface LogEntry {
  id: string;
  module: string;
  action: string;
  severity: LogSeverity;
  resource_type: string | null;
  resource_id: string | null;
  data: Record<string, unknown> | null;
  actor_id: string | null;
  actor_email: string | null;
  actor_name: string | null;
  tenant_id: string;
  client_id: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  created_at: string;
  origin: LogOrigin;
  occurred_at: string;
  /** Null until the entry is sealed, about a second after it is stored. */
  sequence: number | null;
  /** For whom the actor acted. */
  on_behalf_of_id: string | null;
  actor_type: ActorType;
  outcome: LogOutcome | null;
  on_behalf_of_name: string | null;
  resource_name: string | null;
  /** Fields that were cut or replaced at entry, in snake_case. */
  repaired: string[];
}

/** Conditions that must all hold. Null, undefined and an empty string are no condition. */
export interface LogFilter {
  /** RFC 3339, inclusive. UTC where there is no offset; a bare date is midnight UTC. */
  start_date?: Maybe<string>;
  /** Like start_date, and inclusive too. */
  end_date?: Maybe<string>;
  actor_id?: Maybe<string>;
  module?: Maybe<string>;
  /** Exact, or `users.*` for every action that starts with `users.`; `users*` for every one that starts with `users`. */
  action?: Maybe<string>;
  severity?: Maybe<LogSeverity | ''>;
  /** This severity or a more severe one. */
  min_severity?: Maybe<LogSeverity | ''>;
  resource_type?: Maybe<string>;
  resource_id?: Maybe<string>;
  client_id?: Maybe<string>;
  /** Text anywhere in what an entry shows, case-insensitive. */
  search?: Maybe<string>;
  /** A query line (docs/query-line.md). */
  query?: Maybe<string>;
}

export interface PaginationParams {
  /** From 1, the default. */
  page?: number | undefined;
  /** 1 to 100; 50 by default. */
  page_size?: number | undefined;
}

export interface LogQueryParams extends LogFilter, PaginationParams {}

export interface LogEntryList {
  items: LogEntry[];
  /** Exact. */
  total: number;
  page: number;
  page_size: number;
  /** 0 where total is 0. */
  pages: number;
  /** Only where looking stopped at Reel's budget before the page was full: everything down to this time has been looked at. */
  searched_until?: string;
}

export interface LogStats {
  total_entries: number;
  /** Severities without entries are left out. */
  entries_by_severity: Record<string, number>;
  entries_by_module: Record<string, number>;
  /** Since midnight UTC. */
  entries_today: number;
  /** Since Monday midnight UTC. */
  entries_this_week: number;
}

export type LogExportFormat = 'csv' | 'json' | 'ndjson';

export interface LogExportRequest {
  filter?: LogFilter | undefined;
  /** csv by default. */
  format?: LogExportFormat | undefined;
  include_data?: boolean | undefined;
}

export interface LogExportResponse {
  /** For downloadLogExport or an <a href>; works without credentials until expires_at. */
  download_url: string;
  filename: string;
  record_count: number;
  expires_at: string;
}

export interface LogEntryCreate {
  module: string;
  action: string;
  /** INFO by default. */
  severity?: Maybe<LogSeverity>;
  resource_type?: Maybe<string>;
  resource_id?: Maybe<string>;
  data?: Maybe<Record<string, unknown>>;
  actor_id?: Maybe<string>;
  actor_email?: Maybe<string>;
  actor_name?: Maybe<string>;
  tenant_id?: Maybe<string>;
  client_id?: Maybe<string>;
  ip_address?: Maybe<string>;
  user_agent?: Maybe<string>;
  request_id?: Maybe<string>;
  on_behalf_of_id?: Maybe<string>;
  /** USER by default where an actor field is given, else SYSTEM. */
  actor_type?: Maybe<ActorType>;
  outcome?: Maybe<LogOutcome>;
  on_behalf_of_name?: Maybe<string>;
  resource_name?: Maybe<string>;
  occurred_at?: Maybe<string>;
  /** Modules only: mends what is out of bounds instead of rejecting; the entry's `repaired` names it. */
  repair?: Maybe<boolean>;
  /** The same key and entry are stored once, however often they are sent. */
  idempotency_key?: Maybe<string>;
}

/** GraphQL's names of the conditions; `module=modules` where GraphQL takes a list. */
const CONDITIONS =
  'startDate endDate module=modules action=actions severity=severities minSeverity actorId=actorIds resourceType resourceId clientId search query';
const PROPERTIES =
  'module action severity resourceType resourceId data actorId actorEmail actorName tenantId clientId ipAddress userAgent requestId onBehalfOfId actorType outcome onBehalfOfName resourceName occurredAt repair idempotencyKey';

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Completes a bare date to midnight UTC and a time without an offset to UTC; anything else is left for the server to check. */
const instant = (value: unknown) =>
  (value as string).replace?.(
    /^(\d{4}-\d\d-\d\d)(?:([Tt ]\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?$/,
    (_, day: string, time = 'T00:00', seconds = ':00') => `${day}${time}${seconds}Z`,
  ) ?? value;

/** Names as the caller spells them, of a list such as CONDITIONS. */
const spelled = (names: string) => snakeCase(names.replace(/=\w+/g, '')).split(' ');

/** How many letters to insert, delete or replace make one name of another (Levenshtein). */
function distance(from: string, to: string): number {
  let above = [...to, ''].map((_, index) => index);
  for (const [row, letter] of [...from].entries()) {
    const line = [row + 1];
    for (const [column, other] of [...to].entries())
      line.push(
        Math.min(line[column]! + 1, above[column + 1]! + 1, above[column]! + Number(letter !== other)),
      );
    above = line;
  }
  return above.at(-1)!;
}

/** Throws ReelError where `given` has other names than these: a misspelt condition must not become none. */
function checkNames(given: object, names: string, at: string[] = []): void {
  const known = spelled(names);
  const faults = Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name): ReelFault => {
      const came = name.slice(0, 40);
      const far = (other: string) => distance(snakeCase(came), other);
      const [nearest] = known.toSorted((a, b) => far(a) - far(b));
      return { loc: [...at, came], msg: `unknown name ${came}, did you mean ${nearest}?` };
    });
  if (faults.length) throw new ReelError('BAD_USER_INPUT', faults[0]!.msg, faults);
}

/** Picks the named properties of `from`, without empty ones. */
function pick(from: object, names: string): Record<string, unknown> {
  const to: Record<string, unknown> = {};
  for (const name of names.split(' ')) {
    const [single = '', list] = name.split('=');
    const value = (from as Record<string, unknown>)[snakeCase(single)];
    if (value == null || value === '') continue;
    to[list ?? single] = list ? [value] : /(Date|dAt)$/.test(single) ? instant(value) : value;
  }
  return to;
}

/** Accepts GraphQL's conditions and the snake_case ones together. Throws ReelError for a name that is neither. */
export function toMixedFilter(filter: LogFilter & LogFilterInput): LogFilterInput {
  const [own, theirs]: Record<string, unknown>[] = [{}, {}];
  for (const [name, value] of Object.entries(filter))
    (/_|^(module|action|severity)$/.test(name) ? own : theirs)![name] = value;
  checkNames(own!, CONDITIONS);
  return { ...theirs, ...pick(filter, CONDITIONS) };
}

export function toPage(params: LogQueryParams) {
  checkNames(params, `${CONDITIONS} page pageSize`);
  return {
    filter: pick(params, CONDITIONS),
    page: params.page ?? 1,
    first: params.page_size ?? 50,
  };
}

export function toInput(entry: LogEntryCreate): CreateLogInput {
  checkNames(entry, PROPERTIES);
  return pick(entry, PROPERTIES) as CreateLogInput;
}

export function toExport(request: LogExportRequest): ExportLogsInput {
  checkNames(request, 'filter format includeData');
  const filter = request.filter ?? {};
  checkNames(filter, CONDITIONS, ['filter']);
  return {
    filter: pick(filter, CONDITIONS),
    format: String(request.format ?? 'csv').toUpperCase() as 'CSV' | 'JSON' | 'NDJSON',
    includeData: request.include_data ?? false,
  };
}

/** Renames the properties of one object, but not those of nested objects. */
const toSnakeCase = <T>({ __typename: _, ...from }: Record<string, unknown>): T =>
  Object.fromEntries(Object.entries(from).map(([name, value]) => [snakeCase(name), value])) as T;

export const fromEntry: (entry: EntryFieldsFragment) => LogEntry = toSnakeCase;

export function fromPage({ logs }: LogPageQuery, page: number, size: number): LogEntryList {
  const total = logs.totalCount.value;
  const { searchedUntil: searched_until } = logs.pageInfo;
  return {
    items: logs.nodes.map(fromEntry),
    total,
    page,
    page_size: size,
    pages: Math.ceil(total / size),
    ...(searched_until && { searched_until }),
  };
}

export function fromStats({ logStats }: LogCountsQuery): LogStats {
  const counts = (list: { key: string | null; count: number }[]) =>
    Object.fromEntries(list.map(({ key, count }) => [key, count]));
  return toSnakeCase<LogStats>({
    ...logStats,
    entriesBySeverity: counts(logStats.entriesBySeverity),
    entriesByModule: counts(logStats.entriesByModule),
  });
}

export const fromExport: (result: ExportLogsMutation['exportLogs']) => LogExportResponse = toSnakeCase;

/** GraphQL's names that the functions have others for than snake_case; all but the first are of lists. */
const RENAMED: Record<string, string> = {
  first: 'page_size',
  modules: 'module',
  actions: 'action',
  severities: 'severity',
  actorIds: 'actor_id',
};

/** A way into GraphQL's variables as one into what the caller gave: `input.filter.severities[0]` is `filter.severity`. */
function toOwnWay([first = '', ...inner]: ReelFault['loc']): ReelFault['loc'] {
  const way = inner.length && /^(input|filter)$/.test(first as string) ? inner : [first, ...inner];
  // Below data, names are the caller's already.
  if (way[0] === 'data') return way;
  return way
    .filter((step, index) => typeof step === 'string' || !RENAMED[way[index - 1]!])
    .map((step) => (typeof step === 'string' ? (RENAMED[step] ?? snakeCase(step)) : step));
}

/** An error of the functions, in the names that their callers use. */
export function inOwnNames({ code, message, faults, extensions }: ReelError): ReelError {
  const renamed = (text: string) =>
    text.replace(/^\w[\w.[\]]*(?=: )/, (path) => toOwnWay(wayOf(path)).join('.'));
  return new ReelError(
    code,
    renamed(message),
    faults.map(({ loc, msg }) => ({ loc: toOwnWay(loc), msg: renamed(msg) })),
    extensions,
  );
}

export const pageOf = (filter: LogFilter, page: number, size: number): LogQueryParams => ({
  ...filter,
  page,
  page_size: size,
});

export const exportOf = (
  filter: LogFilter,
  format: LogExportFormat,
  includeData: boolean,
): LogExportRequest => ({
  filter,
  format,
  include_data: includeData,
});

export const dateRange = (start: Maybe<string>, end: Maybe<string>): LogFilter => ({
  start_date: start,
  end_date: end,
});
