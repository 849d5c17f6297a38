import { FIELDS, type Field, type FieldName } from './fields.js';
import { bytesOf, type GrowingBytes, listOf } from './growing-bytes.js';
import type { LogEntry } from './log-entry.entity.js';
import { complete } from './row.js';
import { EntryWriter, StoredEntry } from './stored-entry.js';

/** A field of an entry, with its name in exported files. */
export interface ExportColumn {
  readonly field: FieldName;
  readonly name: string;
  /** Whether its values are free text. */
  readonly isText: boolean;
}

const restFields = (fields: readonly Field[]): Field[] => fields.filter(({ rest }) => rest);

/** An entry's names over REST and in proof bundles, in order. */
export const entryNames = (fields: readonly Field[] = FIELDS): string[] =>
  restFields(fields).map(({ column }) => column);

/** Columns of exported files, in order: the first edition's, or all. */
export const exportColumns = (allFields = false, fields: readonly Field[] = FIELDS): ExportColumn[] =>
  fields
    .filter((field) => field.export !== null && (allFields || field.standard))
    .sort((a, b) => a.export! - b.export!)
    .map(({ name, column, kind }) => ({ field: name, name: column, isText: kind.type === 'text' }));

const REST_FIELDS = restFields(FIELDS);

/** An entry as REST shows it: every key present, null if empty. */
export const entryToWire = (entry: LogEntry): Record<string, unknown> => showEntry(entry, REST_FIELDS);

const WRITER = new EntryWriter(REST_FIELDS.map(({ name, column }) => ({ key: column, field: name })));

/** Writes the same as JSON. Errors: TypeError if a column has another type; part of it is written then. */
export function writeEntry(out: GrowingBytes, entry: LogEntry): void {
  if (entry instanceof StoredEntry) WRITER.write(out, entry);
  else out.text(JSON.stringify(entryToWire(entry)));
}

/** Likewise, by itself. */
export const entryToJson = (entry: LogEntry): Buffer => bytesOf((out) => writeEntry(out, entry));

/** Entries as a JSON list, in pieces. Errors: as above. */
export const entriesToJson = (entries: readonly LogEntry[]): Buffer[] => listOf(entries, writeEntry);

export function showEntry(entry: LogEntry, fields: readonly Field[]): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const { name, column, rest } of fields) if (rest) wire[column] = entry[name] ?? null;
  return wire;
}

/**
 * What entryToWire wrote of an entry of that leaf version, with data null where it is left out; null where a field is
 * missing or of another type. Fields that came with a later version are not read, but are as such an entry shows them.
 */
export function entryFromWire(
  wire: Readonly<Record<string, unknown>>,
  version: number,
  isErased: boolean,
): LogEntry | null {
  const entry: Partial<LogEntry> = { erasedAt: null };
  const later: Field[] = [];
  for (const field of REST_FIELDS)
    if (field.since > version) later.push(field);
    else if (!field.accept(wire[field.column] ?? null, entry)) return null;
  showLater(later, { ...wire, erased_at: isErased || null }, entry);
  return complete(entry, FIELDS);
}

/** Fields as an entry shows them that was written before there were such fields, given its others by column. */
export function showLater(
  later: readonly Field[],
  row: Record<string, unknown>,
  entry: Partial<LogEntry>,
): void {
  for (const { column } of later) row[column] = null;
  for (const field of later) field.read(row, entry);
}
