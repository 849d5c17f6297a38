/** The audit trail for host applications. Call `app.use(createReel({ url }))` before anything else here. */
export { createLog, downloadLogExport, exportLogs, fetchLog, fetchLogStats, fetchLogs } from './api.js';
export { createReel, run as askReel } from './app.js';
export type { EvokeClient, ReelOptions } from './connection.js';
export { ReelError, type ReelErrorCode, type ReelFault } from './error.js';
export type {
  ActorType,
  CreateLogInput,
  CreateLogMutation,
  CreateLogMutationVariables,
  EntryFieldsFragment,
  ExportLogsInput,
  ExportLogsMutation,
  ExportLogsMutationVariables,
  LogAddedSubscription,
  LogAddedSubscriptionVariables,
  LogFilter as LogFilterInput,
  LogOrder,
  LogOrigin,
  LogOutcome,
  LogQuery,
  LogQueryVariables,
  LogSeverity,
  LogStatsQuery,
  LogStatsQueryVariables,
  LogsQuery,
  LogsQueryVariables,
  StatsInterval,
} from './generated.js';
export { loadReelMessages } from './load-messages.js';
export { type ReelLocale, type ReelMessages, reelMessages } from './messages.js';
export { useReelStore } from './reel.store.js';
export { type ReelTailState, type UseReelTailOptions, type UseReelTailReturn, useReelTail } from './tail.js';
export { type UseReelOptions, type UseReelReturn, useReel } from './useReel.js';
export type {
  LogEntry,
  LogEntryCreate,
  LogEntryList,
  LogExportFormat,
  LogExportRequest,
  LogExportResponse,
  LogFilter,
  LogQueryParams,
  LogStats,
  PaginationParams,
} from './wire.js';
