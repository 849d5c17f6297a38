import type { TextRow } from '../../database/execute.js';
import { FIELDS, type Field, type FieldName } from './fields.js';
import { LogEntry } from './log-entry.entity.js';
import { readEntry, selectList } from './row.js';

/** Types that take long to read, so that it is done once. */
const PARSED: ReadonlySet<string> = new Set(['jsonb', 'ARRAY']);

/** Which columns of entries are read, in the order in which they are. */
export class EntryColumns {
  readonly fields: readonly Field[];
  /** For a SELECT from reel_log_entries; where `hasSequence`, the sequence comes after these. */
  readonly selected: string;
  readonly hasSequence: boolean;
  private readonly places: ReadonlyMap<FieldName, number>;

  /** Those of the fields, and of what is told from them; the id is always read. */
  constructor(names: Iterable<FieldName> = FIELDS.map(({ name }) => name)) {
    const asked = new Set<FieldName>(['id', ...names]);
    for (const { name, toldFrom } of FIELDS)
      if (asked.has(name)) for (const other of toldFrom) asked.add(other);
    this.hasSequence = asked.has('sequence');
    const ofEntries = FIELDS.filter(({ name }) => asked.has(name) && name !== 'sequence');
    this.selected = selectList(ofEntries);
    // It is of another table.
    this.fields = this.hasSequence
      ? [...ofEntries, ...FIELDS.filter(({ name }) => name === 'sequence')]
      : ofEntries;
    this.places = new Map(this.fields.map(({ name }, place) => [name, place]));
  }

  /** Errors: TypeError for a field that is not read. */
  placeOf(name: FieldName): number {
    const place = this.places.get(name);
    if (place === undefined) throw new TypeError(`${name}: expected a field that was read`);
    return place;
  }
}

export const ALL_COLUMNS = new EntryColumns();

/**
 * An entry as its row has it. For an answer its fields are written as they are; otherwise they are read when they
 * are asked for. Errors of reading: TypeError if a column has another type, or was not read.
 */
export class StoredEntry extends LogEntry {
  private entry: LogEntry | null = null;

  constructor(
    private readonly texts: TextRow,
    private readonly columns: EntryColumns,
  ) {
    super();
  }

  /** A field as JSON text. Errors: TypeError. */
  json(name: FieldName): string {
    const place = this.columns.placeOf(name);
    return this.columns.fields[place]!.json(this.texts[place]!, this);
  }

  /** With every field that was read as a property of its own. */
  toJSON(): LogEntry {
    this.entry ??= readEntry(this.row(), this.columns.fields);
    return this.entry;
  }

  /** By column. */
  row(): Record<string, unknown> {
    return Object.fromEntries(
      this.columns.fields.map(({ column, kind }, place) => {
        const text = this.texts[place]!;
        return [column, text === null ? null : kind.parse(text)];
      }),
    );
  }

  /** A field's value. Errors: TypeError. */
  value(name: FieldName): unknown {
    const place = this.columns.placeOf(name);
    const { kind, column, toldFrom } = this.columns.fields[place]!;
    const text = this.texts[place]!;
    const isPlain = !PARSED.has(kind.type) && (text !== null || toldFrom.length === 0);
    if (this.entry || !isPlain) return this.toJSON()[name];
    return kind.read(text === null ? null : kind.parse(text), column);
  }
}

/** The entry with every field as a property of its own, which may be spread and compared. */
export const wholeEntry = (entry: LogEntry): LogEntry =>
  entry instanceof StoredEntry ? entry.toJSON() : entry;

for (const { name } of FIELDS)
  Object.defineProperty(StoredEntry.prototype, name, {
    get(this: StoredEntry) {
      return this.value(name);
    },
  });
