import { FIELDS, type Field } from './fields.js';
import type { LogEntry } from './log-entry.entity.js';

/** A row of reel_log_entries as the driver gives it, with `sequence` from reel_log_sequence where it was read. */
type Row = Readonly<Record<string, unknown>>;

const isKept = ({ column }: Field): boolean => column !== 'sequence';

/** What a SELECT from reel_log_entries reads of an entry; salts and digests are read where a proof needs them. */
export const selectList = (fields: readonly Field[] = FIELDS): string =>
  fields
    .filter(isKept)
    .map(({ column, kind }) => kind.select(column))
    .join(', ');

/** A stored row as the entry that GraphQL and REST show. Errors: TypeError where a column has another type. */
export const toEntry = (row: Row): LogEntry => readEntry(row, FIELDS);

export function readEntry(row: Row, fields: readonly Field[]): LogEntry {
  const entry: Partial<LogEntry> = {};
  for (const field of fields) field.read(row, entry);
  return whole(entry, fields);
}

/** The same entry, once every field is there. */
export function whole(entry: Partial<LogEntry>, fields: readonly Field[]): LogEntry {
  if (isWhole(entry, fields)) return entry;
  const missing = fields.filter(({ name }) => entry[name] === undefined).map(({ name }) => name);
  throw new TypeError(`expected an entry with every field, got none for ${missing.join(', ')}`);
}

function isWhole(entry: Partial<LogEntry>, fields: readonly Field[]): entry is LogEntry {
  for (const { name } of fields) if (entry[name] === undefined) return false;
  return true;
}
