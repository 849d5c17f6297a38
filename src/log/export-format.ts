import { LogExportFormat } from './inputs.js';
import type { LogEntry } from './log-entry.entity.js';

/** A field of an entry under the name that files give it. */
export interface ExportColumn {
  readonly field: keyof LogEntry & string;
  readonly name: string;
}

/** Writes a file piece by piece: `head`, then each batch of rows, then `tail`. */
export interface ExportFormat {
  readonly contentType: string;
  /** Of the file's name, without the dot. */
  readonly extension: string;
  head(columns: readonly ExportColumn[]): string;
  /** `proofs`: one an entry, or none at all; only NDJSON has them. */
  rows(
    entries: readonly LogEntry[],
    columns: readonly ExportColumn[],
    isFirst: boolean,
    proofs?: readonly unknown[],
  ): string;
  tail(count: number): string;
}

const CSV: ExportFormat = {
  contentType: 'text/csv; charset=utf-8',
  extension: 'csv',
  head: (columns) => `${columns.map(({ name }) => name).join(',')}\r\n`,
  rows(entries, columns) {
    let text = '';
    for (const entry of entries) text += csvRow(entry, columns);
    return text;
  },
  tail: () => '',
};

const JSON_FILE: ExportFormat = {
  contentType: 'application/json',
  extension: 'json',
  head: () => '{"logs":[',
  rows(entries, columns, isFirst) {
    const list = JSON.stringify(entries.map((entry) => pick(entry, columns))).slice(1, -1);
    return isFirst ? list : `,${list}`;
  },
  tail: (count) => `],"count":${count}}`,
};

const NDJSON: ExportFormat = {
  contentType: 'application/x-ndjson',
  extension: 'ndjson',
  head: () => '',
  rows(entries, columns, _isFirst, proofs) {
    let text = '';
    for (const [at, entry] of entries.entries()) {
      const row = pick(entry, columns);
      text += `${JSON.stringify(proofs ? { ...row, proof: proofs[at] } : row)}\n`;
    }
    return text;
  },
  tail: () => '',
};

/** The last line of an NDJSON file with proofs: the signed note that they all lead to; null where nothing is sealed. */
export const checkpointLine = (note: string | null): string => `${JSON.stringify({ checkpoint: note })}\n`;

export const EXPORT_FORMATS: Readonly<Record<LogExportFormat, ExportFormat>> = {
  [LogExportFormat.CSV]: CSV,
  [LogExportFormat.JSON]: JSON_FILE,
  [LogExportFormat.NDJSON]: NDJSON,
};

function pick(entry: LogEntry, columns: readonly ExportColumn[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const { field, name } of columns) row[name] = entry[field] ?? null;
  return row;
}

/** One record of RFC 4180. By hand: csv-stringify writes the same bytes in four times the time, and would not know which cells to guard. */
function csvRow(entry: LogEntry, columns: readonly ExportColumn[]): string {
  let row = '';
  let comma = '';
  for (const { field } of columns) {
    const value = entry[field];
    row += comma;
    comma = ',';
    if (value === null || value === undefined) continue;
    row += csvCell(typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  return `${row}\r\n`;
}

const FORMULA = /^[=+\-@\t\r]/;
const PLAIN_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const NEEDS_QUOTES = /[",\r\n]/;

/** A cell that a spreadsheet would run as a formula is guarded with a single quote; null and empty text are both empty. */
export function csvCell(text: string): string {
  const cell = FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
  return NEEDS_QUOTES.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
