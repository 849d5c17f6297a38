import type { Scope } from '../../auth/scope.js';
import { conflict } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { exportColumns } from '../entry/wire.js';
import type { Criteria } from '../filter/criteria.js';
import { checkpointLine, EXPORT_FORMATS, SPREADSHEET_FORMAT } from './export-format.js';
import type { LogExportFormat } from './export-logs-input.js';

/** Which entries an export has, and in which form. */
export interface ExportRequest {
  criteria: Criteria;
  format: LogExportFormat;
  includeData: boolean;
  /** All against the first checkpoint that covers the sequence `upTo`. */
  includeProofs: boolean;
  allFields: boolean;
  spreadsheet: boolean;
  /** The last sequence that the export covers. */
  upTo: number;
  recordCount: number;
}

/** Reads entries with the sequences 1 to `upTo`. */
export interface SealedReader {
  countSequenced(criteria: Criteria, upTo: number): Promise<number>;
  /** In sealed order, batch by batch, each read on demand. */
  streamSequenced(criteria: Criteria, upTo: number, batchSize: number): AsyncIterable<LogEntry[]>;
}

/** Proofs of entries against one checkpoint, the first that covers the sequence `upTo`. */
export interface ExportProofs {
  /** The `proof` of each entry's line, in order. Errors: CONFLICT if an entry was removed or erased since it was read. */
  bundles(
    scope: Scope,
    entries: readonly LogEntry[],
    upTo: number,
    includeData: boolean,
  ): Promise<readonly unknown[]>;
  /** The checkpoint's signed note; null if nothing is sealed. */
  note(scope: Scope, upTo: number): Promise<string | null>;
}

export interface ContentSources {
  reader: SealedReader;
  proofs: ExportProofs;
}

const BATCH = 1000;
/** With data, which may be 64 KiB per entry. */
const BATCH_WITH_DATA = 200;

/**
 * The content of an exported file, piece by piece. The head comes with the first rows, so that a database error is reported
 * before anything is sent. Errors: CONFLICT where the entries are not as many as counted.
 */
export async function* exportContent(
  { criteria, includeData, includeProofs, upTo, recordCount, ...request }: ExportRequest,
  { reader, proofs }: ContentSources,
): AsyncGenerator<string> {
  const format = request.spreadsheet ? SPREADSHEET_FORMAT : EXPORT_FORMATS[request.format];
  const columns = exportColumns(request.allFields).filter(({ field }) => includeData || field !== 'data');
  const batch = includeData ? BATCH_WITH_DATA : BATCH;
  let pending = format.head(columns);
  let count = 0;
  for await (const entries of reader.streamSequenced(criteria, upTo, batch)) {
    if (entries.length === 0) continue;
    const bundles = includeProofs
      ? await proofs.bundles(criteria.scope, entries, upTo, includeData)
      : undefined;
    const rows = format.rows(entries, columns, count === 0, bundles);
    count += entries.length;
    if (count > recordCount) break;
    yield pending + rows;
    pending = '';
  }
  // Entries may have been removed since. A truncated download is noticed, a file with too few entries is not.
  if (count !== recordCount)
    throw conflict(
      `Expected ${recordCount} entries, got ${count}: some were removed or erased since; prepare the export again`,
    );
  const end =
    pending +
    format.tail(count) +
    (includeProofs ? checkpointLine(await proofs.note(criteria.scope, upTo)) : '');
  if (end !== '') yield end;
}
