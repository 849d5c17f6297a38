import type { RawBuilder } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import { copiedRows } from '../../database/copy-out.js';
import { conflict } from '../../errors.js';
import { passTurn } from '../../time-slice.js';
import { GrowingBytes } from '../entry/growing-bytes.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { type ExportColumn, exportColumns } from '../entry/wire.js';
import type { Criteria } from '../filter/criteria.js';
import {
  type CopiedFormat,
  checkpointLine,
  EXPORT_FORMATS,
  type ExportFormat,
  SPREADSHEET_FORMAT,
} from './export-format.js';
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
  /** The same as copied rows (LogReader.copySequenced); null where they cannot be copied. */
  copySequenced?(
    criteria: Criteria,
    columns: RawBuilder<unknown>,
    upTo: number,
  ): AsyncIterable<Buffer> | null;
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
  request: ExportRequest,
  sources: ContentSources,
): AsyncGenerator<string | Buffer> {
  const { criteria, includeData, includeProofs, upTo, recordCount } = request;
  const format = request.spreadsheet ? SPREADSHEET_FORMAT : EXPORT_FORMATS[request.format];
  const columns = exportColumns(request.allFields).filter(({ field }) => includeData || field !== 'data');
  let pending = format.head(columns);
  let count = 0;
  for await (const { entries, rows } of rowsOf(request, sources, format, columns)) {
    count += entries;
    if (count > recordCount) break;
    yield typeof rows === 'string'
      ? pending + rows
      : pending === ''
        ? rows
        : Buffer.concat([Buffer.from(pending), rows]);
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
    (includeProofs ? checkpointLine(await sources.proofs.note(criteria.scope, upTo)) : '');
  if (end !== '') yield end;
}

/** Rows of a file, of so many entries. */
interface Rows {
  entries: number;
  rows: string | Buffer;
}

/** Proofs need whole entries; all else is written of copied rows where they can be had. */
function rowsOf(
  request: ExportRequest,
  sources: ContentSources,
  format: ExportFormat,
  columns: readonly ExportColumn[],
): AsyncIterable<Rows> {
  const { criteria, includeProofs, upTo } = request;
  const { reader } = sources;
  const copied = format.copied(columns);
  const stretches = includeProofs ? null : reader.copySequenced?.(criteria, copied.columns.select, upTo);
  return stretches ? copiedRowsOf(stretches, copied) : entryRows(request, sources, format, columns);
}

async function* entryRows(
  { criteria, includeData, includeProofs, upTo }: ExportRequest,
  { reader, proofs }: ContentSources,
  format: ExportFormat,
  columns: readonly ExportColumn[],
): AsyncGenerator<Rows> {
  const batch = includeData ? BATCH_WITH_DATA : BATCH;
  let isFirst = true;
  for await (const entries of reader.streamSequenced(criteria, upTo, batch)) {
    if (entries.length === 0) continue;
    const bundles = includeProofs
      ? await proofs.bundles(criteria.scope, entries, upTo, includeData)
      : undefined;
    yield { entries: entries.length, rows: format.rows(entries, columns, isFirst, bundles) };
    isFirst = false;
  }
}

/** Bytes of a piece of copied rows, but for a row that is longer. */
const PIECE_BYTES = 64 * 1024;
/** A byte of a row is six at most, as in `\u001f`; and what is around a row's values. */
const MAX_ESCAPED_BYTES = 6;
const AROUND_VALUES = 4_096;

async function* copiedRowsOf(stretches: AsyncIterable<Buffer>, format: CopiedFormat): AsyncGenerator<Rows> {
  const out = new GrowingBytes(2 * PIECE_BYTES);
  let isFirst = true;
  for await (const stretch of stretches) {
    let entries = 0;
    for (const row of copiedRows(stretch, format.columns.count)) {
      out.ensure(MAX_ESCAPED_BYTES * row.size + AROUND_VALUES);
      if (!isFirst) out.text(format.between);
      isFirst = false;
      format.write(out, row);
      entries += 1;
      if (out.length < PIECE_BYTES) continue;
      yield { entries, rows: out.take() };
      entries = 0;
      await passTurn();
    }
    if (entries > 0) yield { entries, rows: out.take() };
  }
}
