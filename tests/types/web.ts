/** The public types of web/reel, said once more: the type check fails when one changes. */
import type { ApolloClient } from '@apollo/client/core';
import { expectTypeOf } from 'vitest';
import type { Ref } from 'vue';
import * as apollo from '../../web/reel/apollo';
import type {
  ActorType,
  LogEntry,
  LogEntryCreate,
  LogEntryList,
  LogExportRequest,
  LogExportResponse,
  LogFilter,
  LogOutcome,
  LogQueryParams,
  LogSeverity,
  LogStats,
  PaginationParams,
  UseReelOptions,
  UseReelReturn,
} from '../../web/reel/index';
import * as reel from '../../web/reel/index';

type Text = string | null;
type Given<T> = T | null | undefined;
type Readable<T> = Readonly<Ref<T>>;

expectTypeOf<LogSeverity>().toEqualTypeOf<'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'>();
expectTypeOf<ActorType>().toEqualTypeOf<'USER' | 'SERVICE' | 'AGENT' | 'SYSTEM' | 'ANONYMOUS'>();
expectTypeOf<LogOutcome>().toEqualTypeOf<'SUCCESS' | 'FAILURE' | 'DENIED'>();
expectTypeOf<LogEntry>().toEqualTypeOf<{
  id: string;
  module: string;
  action: string;
  severity: LogSeverity;
  resource_type: Text;
  resource_id: Text;
  data: Record<string, unknown> | null;
  actor_id: Text;
  actor_email: Text;
  actor_name: Text;
  tenant_id: string;
  client_id: Text;
  ip_address: Text;
  user_agent: Text;
  request_id: Text;
  created_at: string;
  origin: 'MODULE' | 'BROWSER';
  occurred_at: string;
  sequence: number | null;
  on_behalf_of_id: Text;
  actor_type: ActorType;
  outcome: LogOutcome | null;
  on_behalf_of_name: Text;
  resource_name: Text;
  repaired: string[];
}>();
expectTypeOf<LogFilter>().toEqualTypeOf<{
  start_date?: Given<string>;
  end_date?: Given<string>;
  actor_id?: Given<string>;
  module?: Given<string>;
  action?: Given<string>;
  severity?: Given<LogSeverity | ''>;
  min_severity?: Given<LogSeverity | ''>;
  resource_type?: Given<string>;
  resource_id?: Given<string>;
  client_id?: Given<string>;
  search?: Given<string>;
  query?: Given<string>;
}>();
expectTypeOf<PaginationParams>().toEqualTypeOf<{
  page?: number | undefined;
  page_size?: number | undefined;
}>();
expectTypeOf<keyof LogQueryParams>().toEqualTypeOf<keyof LogFilter | keyof PaginationParams>();
expectTypeOf<LogEntryList>().toEqualTypeOf<{
  items: LogEntry[];
  total: number;
  page: number;
  page_size: number;
  pages: number;
  searched_until?: string;
}>();
expectTypeOf<LogStats>().toEqualTypeOf<{
  total_entries: number;
  entries_by_severity: Record<string, number>;
  entries_by_module: Record<string, number>;
  entries_today: number;
  entries_this_week: number;
}>();
expectTypeOf<LogExportRequest>().toEqualTypeOf<{
  filter?: LogFilter | undefined;
  format?: 'csv' | 'json' | 'ndjson' | undefined;
  include_data?: boolean | undefined;
}>();
expectTypeOf<LogExportResponse>().toEqualTypeOf<{
  download_url: string;
  filename: string;
  record_count: number;
  expires_at: string;
}>();
expectTypeOf<LogEntryCreate>().toEqualTypeOf<{
  module: string;
  action: string;
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
  actor_type?: Given<ActorType>;
  outcome?: Given<LogOutcome>;
  on_behalf_of_name?: Given<string>;
  resource_name?: Given<string>;
  occurred_at?: Given<string>;
  repair?: Given<boolean>;
  idempotency_key?: Given<string>;
}>();

expectTypeOf(reel.fetchLogs).toEqualTypeOf<
  (params?: LogQueryParams, signal?: AbortSignal) => Promise<LogEntryList>
>();
expectTypeOf(reel.fetchLog).toEqualTypeOf<(id: string, signal?: AbortSignal) => Promise<LogEntry>>();
expectTypeOf(reel.fetchLogStats).toEqualTypeOf<(signal?: AbortSignal) => Promise<LogStats>>();
expectTypeOf(reel.exportLogs).toEqualTypeOf<
  (request?: LogExportRequest, signal?: AbortSignal) => Promise<LogExportResponse>
>();
expectTypeOf(reel.createLog).toEqualTypeOf<
  (entry: LogEntryCreate, signal?: AbortSignal) => Promise<LogEntry>
>();
expectTypeOf(reel.downloadLogExport).toEqualTypeOf<(url: string, signal?: AbortSignal) => Promise<Blob>>();

declare const client: ApolloClient<unknown>;
declare const axios: {
  post(url: string, data?: object, config?: { headers?: object; signal?: object }): Promise<{ data: object }>;
};
apollo.createReel({ client });
apollo.createReel({ client, url: '/graphql' });
apollo.createReel({ url: '/graphql' });
// @ts-expect-error a client is for reel/apollo
reel.createReel({ client });
reel.createReel({ evoke: axios as unknown as reel.EvokeClient });
reel.createReel({ url: '/graphql', headers: { authorization: 'Bearer …' } });
reel.createReel({ url: '/graphql', headers: async () => ({ authorization: 'Bearer …' }) });
// @ts-expect-error one of evoke and url is needed
reel.createReel({});

expectTypeOf<UseReelOptions>().toEqualTypeOf<{
  autoLoad?: boolean;
  autoLoadStats?: boolean;
  initialFilter?: LogFilter;
  pageSize?: number;
}>();
expectTypeOf(reel.useReel).toEqualTypeOf<(options?: UseReelOptions) => UseReelReturn>();
expectTypeOf<UseReelReturn['logs']>().toExtend<Readable<LogEntry[]>>();
expectTypeOf<UseReelReturn['currentLog']>().toExtend<Readable<LogEntry | null>>();
expectTypeOf<UseReelReturn['filter']>().toExtend<Readable<LogFilter>>();
expectTypeOf<UseReelReturn['stats']>().toExtend<Readable<LogStats | null>>();
expectTypeOf<UseReelReturn['error' | 'logErrorMessage']>().toExtend<Readable<string | null>>();
expectTypeOf<
  UseReelReturn['totalLogs' | 'currentPage' | 'pageSize' | 'totalPages' | 'activeFiltersCount']
>().toExtend<Readable<number>>();
expectTypeOf<
  UseReelReturn[
    | 'isLoading'
    | 'isLoadingStats'
    | 'isExporting'
    | 'isLogging'
    | 'hasLogs'
    | 'hasMorePages'
    | 'hasPreviousPage'
    | 'hasActiveFilters']
>().toExtend<Readable<boolean>>();
expectTypeOf<UseReelReturn['loadLogs']>().toEqualTypeOf<(resetPage?: boolean) => Promise<void>>();
expectTypeOf<UseReelReturn['loadLog']>().toEqualTypeOf<(id: string) => Promise<LogEntry | undefined>>();
expectTypeOf<UseReelReturn['log']>().toEqualTypeOf<(entry: LogEntryCreate) => Promise<LogEntry | null>>();
expectTypeOf<UseReelReturn['logInfo' | 'logWarning' | 'logError']>().toEqualTypeOf<
  (module: string, action: string, data?: Record<string, unknown>) => Promise<LogEntry | null>
>();
expectTypeOf<UseReelReturn['exportLogs']>().toEqualTypeOf<
  (format?: 'csv' | 'json' | 'ndjson', includeData?: boolean) => Promise<LogExportResponse | null>
>();
expectTypeOf<UseReelReturn['setFilter']>().toEqualTypeOf<(filter: LogFilter) => Promise<void>>();
expectTypeOf<UseReelReturn['goToPage']>().toEqualTypeOf<(page: number) => Promise<void>>();

expectTypeOf(reel.reelMessages).toExtend<Record<'en' | 'pt-BR', { reel: { title: string } }>>();
expectTypeOf(reel.loadReelMessages).parameter(0).toEqualTypeOf<'en' | 'pt-BR'>();
expectTypeOf<reel.ReelError>().toExtend<{
  code: reel.ReelErrorCode;
  message: string;
  faults: { loc: (string | number)[]; msg: string }[];
}>();

/** Only read by the type check, never called. */
export function useEverything() {
  const store = reel.useReelStore();
  expectTypeOf(store.$id).toEqualTypeOf<'reel'>();
  expectTypeOf(store.logs).toEqualTypeOf<LogEntry[]>();
  expectTypeOf(store.currentLog).toEqualTypeOf<LogEntry | null>();
  expectTypeOf(store.stats).toEqualTypeOf<LogStats | null>();
  expectTypeOf(store.error).toEqualTypeOf<string | null>();
  expectTypeOf(store.activeFiltersCount).toEqualTypeOf<number>();
  expectTypeOf(store.hasActiveFilters).toEqualTypeOf<boolean>();
  expectTypeOf(store.loadLogs).toEqualTypeOf<(resetPage?: boolean) => Promise<void>>();
  expectTypeOf(store.loadLog).toEqualTypeOf<(id: string) => Promise<LogEntry | undefined>>();
  expectTypeOf(store.exportCurrentLogs).toEqualTypeOf<
    (format?: 'csv' | 'json' | 'ndjson', includeData?: boolean) => Promise<LogExportResponse>
  >();
  expectTypeOf(store.setPageSize).toEqualTypeOf<(size: number) => Promise<void>>();
  expectTypeOf(store.clearCurrentLog).toEqualTypeOf<() => void>();
  // @ts-expect-error no condition of that name
  store.setFilter({ modul: 'guardian' });

  const { result } = apollo.useLogsQuery({ filter: { modules: ['guardian'] }, first: 50 });
  expectTypeOf(result.value?.logs.nodes[0]?.severity).toEqualTypeOf<LogSeverity | undefined>();
  // @ts-expect-error an entry needs its action
  apollo.useCreateLogMutation().mutate({ input: { module: 'guardian' } });
  const tail = reel.useReelTail({ filter: { minSeverity: 'ERROR' }, after: 42 });
  expectTypeOf(tail.state.value).toEqualTypeOf<'connecting' | 'live' | 'behind' | 'stopped'>();
  expectTypeOf(tail.entries.value[0]?.createdAt).toEqualTypeOf<string | undefined>();
  expectTypeOf(tail.start).toEqualTypeOf<() => void>();
}
