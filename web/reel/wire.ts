import type {
  CreateLogInput,
  EntryFieldsFragment,
  ExportLogsInput,
  ExportLogsMutation,
  LogFilter as LogFilterInput,
  LogOrigin,
  LogSeverity,
  LogStatsQuery,
  LogsQuery,
} from './generated.js';

/** The first edition's names, kept so that a host's code goes on working, and their way to and from GraphQL's. */

type Given<T> = T | null | undefined;

/** An entry as the functions and the store answer it. Times are UTC with microseconds: `2026-01-05T10:00:00.123456Z`. */
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
  /** Null until the entry is sealed, about a second after it was stored. */
  sequence: number | null;
  on_behalf_of_id: string | null;
}

/** Conditions that must all hold. Null, undefined and an empty text are no condition. */
export interface LogFilter {
  /** RFC 3339, inclusive; without an offset UTC, a bare date is its midnight UTC. */
  start_date?: Given<string>;
  /** As start_date, inclusive too. */
  end_date?: Given<string>;
  actor_id?: Given<string>;
  module?: Given<string>;
  /** Exact, or `users.*` for everything below `users.`. */
  action?: Given<string>;
  severity?: Given<LogSeverity | ''>;
  /** This severity or graver. */
  min_severity?: Given<LogSeverity | ''>;
  resource_type?: Given<string>;
  resource_id?: Given<string>;
  client_id?: Given<string>;
  /** Text anywhere in the data payload, in any case. */
  search?: Given<string>;
  /** The query line. */
  query?: Given<string>;
}

export interface PaginationParams {
  /** From 1; 1 where it is not given. */
  page?: number | undefined;
  /** 1 to 100; 50 where it is not given. */
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
}

export interface LogStats {
  total_entries: number;
  /** Only those that occur. */
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
  /** csv where it is not given. */
  format?: LogExportFormat | undefined;
  include_data?: boolean | undefined;
}

export interface LogExportResponse {
  /** For downloadLogExport, or as a link; works without credentials until expires_at. */
  download_url: string;
  filename: string;
  record_count: number;
  expires_at: string;
}

export interface LogEntryCreate {
  module: string;
  action: string;
  /** INFO where it is not given. */
  severity?: Given<LogSeverity>;
  resource_type?: Given<string>;
  resource_id?: Given<string>;
  data?: Given<Record<string, unknown>>;
  actor_id?: Given<string>;
  actor_email?: Given<string>;
  actor_name?: Given<string>;
  tenant_id?: Given<string>;
  client_id?: Given<string>;
  ip_address?: Given<string>;
  user_agent?: Given<string>;
  request_id?: Given<string>;
  on_behalf_of_id?: Given<string>;
  occurred_at?: Given<string>;
  /** Stores the same entry once, however often it is sent. */
  idempotency_key?: Given<string>;
}

/** GraphQL's names of the conditions; behind a `=` that of the condition that takes several values. */
const CONDITIONS =
  'startDate endDate module=modules action=actions severity=severities minSeverity actorId=actorIds resourceType resourceId clientId search query';
const PROPERTIES =
  'module action severity resourceType resourceId data actorId actorEmail actorName tenantId clientId ipAddress userAgent requestId onBehalfOfId occurredAt idempotencyKey';

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A bare date is its midnight UTC, a time without an offset is UTC; anything else is the server's to judge. */
const instant = (value: unknown) =>
  (value as string).replace?.(
    /^(\d{4}-\d\d-\d\d)(?:([Tt ]\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?$/,
    (_, day: string, time = 'T00:00', seconds = ':00') => `${day}${time}${seconds}Z`,
  ) ?? value;

/** The named properties that `from` gives. An empty text is not given. */
function given(from: object, names: string): Record<string, unknown> {
  const to: Record<string, unknown> = {};
  for (const name of names.split(' ')) {
    const [one = '', many] = name.split('=');
    const value = (from as Record<string, unknown>)[snake(one)];
    if (value == null || value === '') continue;
    to[many ?? one] = many ? [value] : /(Date|dAt)$/.test(one) ? instant(value) : value;
  }
  return to;
}

export const toFilter = (filter: LogFilter): LogFilterInput => given(filter, CONDITIONS);

/** GraphQL's own conditions and the first edition's, side by side. */
export const toMixedFilter = (filter: LogFilter & LogFilterInput): LogFilterInput => ({
  ...Object.fromEntries(
    Object.entries(filter).filter(([name]) => !/_|^(module|action|severity)$/.test(name)),
  ),
  ...toFilter(filter),
});

export const toPage = (params: LogQueryParams) => ({
  filter: toFilter(params),
  page: params.page ?? 1,
  first: params.page_size ?? 50,
  count: true,
  exact: true,
});

export const toInput = (entry: LogEntryCreate) => given(entry, PROPERTIES) as CreateLogInput;

export const toExport = (request: LogExportRequest): ExportLogsInput => ({
  filter: toFilter(request.filter ?? {}),
  format: (request.format ?? 'csv').toUpperCase() as 'CSV' | 'JSON' | 'NDJSON',
  includeData: request.include_data ?? false,
});

/** Renames the properties of one object, not of what they hold. */
const renamed = <T>(from: object): T =>
  Object.fromEntries(
    Object.entries(from).flatMap(([name, value]) => (name === '__typename' ? [] : [[snake(name), value]])),
  ) as T;

export const fromEntry: (entry: EntryFieldsFragment) => LogEntry = renamed;

export function fromPage({ logs }: LogsQuery, page: number, size: number): LogEntryList {
  const total = logs.totalCount?.value ?? 0;
  return { items: logs.nodes.map(fromEntry), total, page, page_size: size, pages: Math.ceil(total / size) };
}

export function fromStats({ logStats }: LogStatsQuery): LogStats {
  const counts = (list: { key: string | null; count: number }[]) =>
    Object.fromEntries(list.map(({ key, count }) => [key, count]));
  return renamed<LogStats>({
    ...logStats,
    entriesBySeverity: counts(logStats.entriesBySeverity),
    entriesByModule: counts(logStats.entriesByModule),
  });
}

export const fromExport: (answer: ExportLogsMutation['exportLogs']) => LogExportResponse = renamed;

/** Where a fault is, in the caller's spelling. */
export const fromLocation = (loc: (string | number)[]) =>
  loc.map((step) =>
    typeof step === 'string'
      ? snake(step.replace(/^(module|action|actorId)s$/, '$1').replace('severities', 'severity'))
      : step,
  );

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

export const dateRange = (start: Given<string>, end: Given<string>): LogFilter => ({
  start_date: start,
  end_date: end,
});
