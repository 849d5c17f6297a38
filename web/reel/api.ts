import { currentApp, run } from './app.js';
import { resolveUrl } from './connection.js';
import { fromStatus, ReelError, toReelError } from './error.js';
import {
  CreateLogDocument,
  ExportLogsDocument,
  LogCountsDocument,
  LogEntryDocument,
  LogPageDocument,
  type Operation,
} from './generated.js';
import {
  fromEntry,
  fromExport,
  fromPage,
  fromStats,
  inOwnNames,
  type LogEntry,
  type LogEntryCreate,
  type LogEntryList,
  type LogExportRequest,
  type LogExportResponse,
  type LogQueryParams,
  type LogStats,
  toExport,
  toInput,
  toPage,
} from './wire.js';

/** As run, with errors in the callers' names. */
const ask = <Result, Variables extends object>(
  operation: Operation<Result, Variables>,
  variables: Variables,
  signal: AbortSignal | undefined,
): Promise<Result> =>
  run(operation, variables, signal).catch((error) => {
    throw inOwnNames(error);
  });

/** A page of the matching entries, newest first, with their exact total. Rejects with ReelError. */
export async function fetchLogs(params: LogQueryParams = {}, signal?: AbortSignal): Promise<LogEntryList> {
  const variables = toPage(params);
  return fromPage(await ask(LogPageDocument, variables, signal), variables.page, variables.first);
}

/** One entry. Rejects with ReelError, with code NOT_FOUND where there is none. */
export async function fetchLog(id: string, signal?: AbortSignal): Promise<LogEntry> {
  const { log } = await ask(LogEntryDocument, { id }, signal);
  if (!log) throw new ReelError('NOT_FOUND', 'Log entry not found');
  return fromEntry(log);
}

/** Counts of all entries the caller may view. Rejects with ReelError. */
export async function fetchLogStats(signal?: AbortSignal): Promise<LogStats> {
  return fromStats(await ask(LogCountsDocument, {}, signal));
}

/** Prepares an export and resolves with its link. Rejects with ReelError. */
export async function exportLogs(
  request: LogExportRequest = {},
  signal?: AbortSignal,
): Promise<LogExportResponse> {
  return fromExport((await ask(ExportLogsDocument, { input: toExport(request) }, signal)).exportLogs);
}

/** Stores one entry; resolves once it is committed. Rejects with ReelError. */
export async function createLog(entry: LogEntryCreate, signal?: AbortSignal): Promise<LogEntry> {
  return fromEntry((await ask(CreateLogDocument, { input: toInput(entry) }, signal)).createLog);
}

/**
 * Fetches an export by its download_url, resolved against the GraphQL endpoint. The link is its own credential: no
 * other is sent. Rejects with ReelError.
 */
export async function downloadLogExport(url: string, signal?: AbortSignal): Promise<Blob> {
  try {
    const response = await fetch(resolveUrl(url, currentApp().connection.endpoint), {
      signal: signal ?? null,
    });
    if (response.ok) return await response.blob();
    throw fromStatus(response.status, await response.json().catch(() => null));
  } catch (cause) {
    throw toReelError(cause, signal);
  }
}
