import type { TextRow } from '../../database/execute.js';
import { FIELDS, type Field, type FieldName } from './fields.js';
import { LogEntry } from './log-entry.entity.js';
import { selectList, toEntry } from './row.js';

/** The last column is the sequence, which is of another table. */
const COLUMNS: readonly Field[] = [
  ...FIELDS.filter(({ column }) => column !== 'sequence'),
  ...FIELDS.filter(({ column }) => column === 'sequence'),
];
const PLACES = new Map(COLUMNS.map(({ name }, place) => [name, place]));

/** The columns of a SELECT from reel_log_entries for a StoredEntry; after them it reads the sequence. */
export const STORED_COLUMNS = selectList();

/**
 * An entry as its row has it. For an answer its fields are written as they are; otherwise they are read, all of them, once
 * one is asked for. Errors of reading: TypeError if a column has another type.
 */
export class StoredEntry extends LogEntry {
  private entry: LogEntry | null = null;

  constructor(private readonly columns: TextRow) {
    super();
  }

  /** A field as JSON text. Errors: TypeError. */
  json(name: FieldName): string {
    const place = PLACES.get(name)!;
    return COLUMNS[place]!.json(this.columns[place]!, () => this.row());
  }

  /** With every field as a property of its own. */
  toJSON(): LogEntry {
    this.entry ??= toEntry(this.row());
    return this.entry;
  }

  private row(): Record<string, unknown> {
    return Object.fromEntries(
      COLUMNS.map(({ column, kind }, place) => {
        const text = this.columns[place]!;
        return [column, text === null ? null : kind.parse(text)];
      }),
    );
  }
}

/** The entry with every field as a property of its own, which may be spread and compared. */
export const wholeEntry = (entry: LogEntry): LogEntry =>
  entry instanceof StoredEntry ? entry.toJSON() : entry;

for (const { name } of FIELDS)
  Object.defineProperty(StoredEntry.prototype, name, {
    get(this: StoredEntry) {
      return this.toJSON()[name];
    },
  });
