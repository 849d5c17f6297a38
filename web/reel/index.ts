/** The audit trail for host applications. Call `app.use(createReel({ client }))` before anything else here. */
export { createLog, downloadLogExport, exportLogs, fetchLog, fetchLogStats, fetchLogs } from './api.js';
export { createReel, type EvokeClient, type ReelOptions, run as askReel } from './connection.js';
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
export {
  useCreateLogMutation,
  useExportLogsMutation,
  useLogAddedSubscription,
  useLogQuery,
  useLogStatsQuery,
  useLogsQuery,
} from './queries.js';
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
