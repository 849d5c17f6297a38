import { type RawBuilder, sql } from 'kysely';
import type { CopiedRow } from '../../database/copy-out.js';
import { FIELDS, type Field } from '../entry/fields.js';
import type { GrowingBytes } from '../entry/growing-bytes.js';
import { instant } from '../entry/instant.js';
import type { ExportColumn } from '../entry/wire.js';

/** The column of a copied row that is a value's source, and how it is written. */
export interface Source {
  readonly field: Field;
  readonly at: number;
  readonly form: 'text' | 'uuid' | 'instant' | 'name' | 'list' | 'json' | 'sequence';
  readonly isText: boolean;
  /** Of a closed list of names, each as JSON and as text. */
  readonly names: readonly { readonly json: Buffer; readonly text: Buffer }[];
}

/** What an entry's value is guessed from where its row is older than its column (fields.ts). */
const GUESSED_FROM = ['actor_id', 'actor_email', 'actor_name', 'erased_at'];

/** The columns of copied rows that hold what an export's columns show. */
export class CopiedColumns {
  readonly sources: readonly Source[];
  /** Of a SELECT from entries, after their sequence. */
  readonly select: RawBuilder<unknown>;
  /** With the sequence. */
  readonly count: number;
  private readonly selected: readonly Field[];

  constructor(columns: readonly ExportColumn[]) {
    const fields = columns.map(({ field }) => FIELDS.find(({ name }) => name === field)!);
    const isSelected = (field: Field) => fields.includes(field) || GUESSED_FROM.includes(field.column);
    this.selected = FIELDS.filter((field) => field.column !== 'sequence' && isSelected(field));
    this.select = sql.raw(this.selected.map(selectOf).join(', '));
    this.count = 1 + this.selected.length;
    this.sources = fields.map((field, index) => ({
      field,
      at: 1 + this.selected.indexOf(field),
      form: formOf(field),
      isText: columns[index]!.isText,
      names: (field.kind.names ?? []).map((name) => ({
        json: Buffer.from(JSON.stringify(name)),
        text: Buffer.from(name),
      })),
    }));
  }

  /** The value of a field whose column is null though the entry has one. Errors: TypeError where it has none. */
  guess(row: CopiedRow, { field }: Source): string {
    const values = this.selected.map(({ column }, index) => [
      column,
      row.isNull(1 + index) ? null : row.latin1(1 + index),
    ]);
    const entry: Parameters<Field['read']>[1] = {};
    field.read(Object.fromEntries(values), entry);
    return String(entry[field.name]);
  }
}

const selectOf = ({ column, kind }: Field): string => {
  if (kind.type === 'jsonb') return `${column}::text`;
  return kind.type === 'ARRAY' ? `to_json(${column})::text` : kind.select(column);
};

function formOf({ kind }: Field): Source['form'] {
  if (kind.names) return 'name';
  switch (kind.type) {
    case 'uuid':
      return 'uuid';
    case 'timestamp with time zone':
      return 'instant';
    case 'jsonb':
      return 'json';
    case 'ARRAY':
      return 'list';
    case 'bigint':
      return 'sequence';
    default:
      return 'text';
  }
}

const MICROSECONDS = 1_000n;
/** PostgreSQL's epoch in milliseconds. */
const EPOCH = Date.UTC(2000, 0, 1);

/** Instants that are too far away for numbers, as a session prints them. */
export function farInstant(row: CopiedRow, column: number): string {
  const micros = row.bytes.readBigInt64BE(row.starts[column]!);
  const rest = ((micros % MICROSECONDS) + MICROSECONDS) % MICROSECONDS;
  const at = new Date(EPOCH + Number((micros - rest) / MICROSECONDS));
  if (Number.isNaN(at.getTime())) return micros > 0 ? instant('infinity') : instant('-infinity');
  return `${at.toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

const NULL = Buffer.from('null');
const EMPTY_LIST = Buffer.from('[]');

/** A row as JSON.stringify writes the entry's columns. */
export class JsonRows {
  private readonly names: readonly Buffer[];

  constructor(
    private readonly columns: CopiedColumns,
    names: readonly string[],
  ) {
    this.names = names.map((name, at) => Buffer.from(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`));
  }

  write(out: GrowingBytes, row: CopiedRow): void {
    const { sources } = this.columns;
    for (let index = 0; index < sources.length; index += 1) {
      out.append(this.names[index]!);
      this.value(out, row, sources[index]!);
    }
    out.byte(0x7d);
  }

  private value(out: GrowingBytes, row: CopiedRow, source: Source): void {
    const { at, form, field } = source;
    if (row.isNull(at)) {
      if (form === 'list') out.append(EMPTY_LIST);
      else if (field.nullable) out.append(NULL);
      else out.text(JSON.stringify(this.columns.guess(row, source)));
      return;
    }
    switch (form) {
      case 'text':
        out.string(row, at);
        return;
      case 'uuid':
        out.uuid(row, at);
        return;
      case 'instant':
        if (!out.instant(row, at)) out.text(JSON.stringify(farInstant(row, at)));
        return;
      case 'name':
        out.append(nameOf(row, source).json);
        return;
      case 'list':
        out.column(row, at);
        return;
      case 'json':
        out.compact(row, at);
        return;
      case 'sequence':
        out.text(String(row.bigint(at)));
        return;
    }
  }
}

/** Errors: TypeError for a number that is none of a name. */
export function nameOf(row: CopiedRow, { at, names, field }: Source): Source['names'][number] {
  const name = names[row.smallint(at)];
  if (!name) throw new TypeError(`${field.column}: expected the number of a name, got another`);
  return name;
}
