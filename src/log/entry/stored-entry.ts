import { CopiedRow } from '../../database/copy-out.js';
import type { TextRow } from '../../database/execute.js';
import { FIELDS, type Field, type FieldName } from './fields.js';
import type { GrowingBytes } from './growing-bytes.js';
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
  /** The same with a place for the sequence, and with the other columns. */
  readonly everything: string;
  private readonly places: ReadonlyMap<FieldName, number>;
  /** Of one row at a time. */
  readonly reader: CopiedRow;

  /** Those of the fields, and of what is told from them; the id is always read. `others`: SQL of more columns, behind these. */
  constructor(names: Iterable<FieldName> = FIELDS.map(({ name }) => name), others: readonly string[] = []) {
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
    this.reader = new CopiedRow(this.fields.length + others.length);
    this.everything = [
      this.selected,
      ...(this.hasSequence ? ['null::bigint as sequence'] : []),
      ...others,
    ].join(', ');
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
    readonly columns: EntryColumns,
  ) {
    super();
  }

  /** The row's columns, to be read before those of another row. */
  read(): CopiedRow {
    this.texts.readBy(this.columns.reader);
    return this.columns.reader;
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
        const text = this.texts.text(place);
        return [column, text === null ? null : kind.parse(text)];
      }),
    );
  }

  /** A field's value. Errors: TypeError. */
  value(name: FieldName): unknown {
    const place = this.columns.placeOf(name);
    const { kind, column, toldFrom } = this.columns.fields[place]!;
    const text = this.texts.text(place);
    const isPlain = !PARSED.has(kind.type) && (text !== null || toldFrom.length === 0);
    if (this.entry || !isPlain) return this.toJSON()[name];
    return kind.read(text === null ? null : kind.parse(text), column);
  }
}

/** A member of a JSON object that shows an entry: a field, or always the same value. */
export type EntryMember = { readonly key: string } & (
  | { readonly field: FieldName }
  | { readonly always: string }
);

/** Writes stored entries as JSON objects. */
export class EntryWriter {
  /** Of the last entry: what the members below are of. */
  private columns: EntryColumns | null = null;
  private written: readonly { before: Buffer; place: number; field: Field }[] = [];
  private end: Buffer = Buffer.alloc(0);

  constructor(private readonly members: readonly EntryMember[]) {}

  /** Errors: TypeError for a column of another type, or a field that was not read; part of it is written then. */
  write(out: GrowingBytes, entry: StoredEntry): void {
    if (this.columns !== entry.columns) this.prepare(entry.columns);
    const row = entry.read();
    for (const { before, place, field } of this.written) {
      out.ensureValue(row, place, before.length);
      out.append(before);
      field.write(out, row, place, entry);
    }
    out.ensure(this.end.length);
    out.append(this.end);
  }

  private prepare(columns: EntryColumns): void {
    const written: { before: Buffer; place: number; field: Field }[] = [];
    let text = '{';
    for (const [index, member] of this.members.entries()) {
      text += `${index === 0 ? '' : ','}${JSON.stringify(member.key)}:`;
      if ('always' in member) text += member.always;
      else {
        const place = columns.placeOf(member.field);
        written.push({ before: Buffer.from(text), place, field: columns.fields[place]! });
        text = '';
      }
    }
    this.written = written;
    this.end = Buffer.from(`${text}}`);
    this.columns = columns;
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
