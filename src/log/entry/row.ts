import { FIELDS, type Field } from './fields.js';
import type { LogEntry } from './log-entry.entity.js';

/** A row of reel_log_entries as the driver gives it, with `sequence` from reel_log_sequence if it was read. */
type Row = Readonly<Record<string, unknown>>;

const isEntryColumn = ({ column }: Field): boolean => column !== 'sequence';

/** The columns of a SELECT from reel_log_entries for an entry, without salts and digests, which only proofs need. */
export const selectList = (fields: readonly Field[] = FIELDS): string =>
  fields
    .filter(isEntryColumn)
    .map(({ column, kind }) => kind.select(column))
    .join(', ');

/** The entry of a stored row, as GraphQL and REST show it. Errors: TypeError if a column has another type. */
export const toEntry = (row: Row): LogEntry => readEntry(row, FIELDS);

export function readEntry(row: Row, fields: readonly Field[]): LogEntry {
  const entry: Partial<LogEntry> = {};
  for (const field of fields) field.read(row, entry);
  return complete(entry, fields);
}

/** The entry, checked to have every field. Errors: TypeError. */
export function complete(entry: Partial<LogEntry>, fields: readonly Field[]): LogEntry {
  if (isComplete(entry, fields)) return entry;
  const missing = fields.filter(({ name }) => entry[name] === undefined).map(({ name }) => name);
  throw new TypeError(`expected an entry with every field, got none for ${missing.join(', ')}`);
}

function isComplete(entry: Partial<LogEntry>, fields: readonly Field[]): entry is LogEntry {
  for (const { name } of fields) if (entry[name] === undefined) return false;
  return true;
}
