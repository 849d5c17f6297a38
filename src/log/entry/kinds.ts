import type { CopiedRow } from '../../database/copy-out.js';
import type { GrowingBytes } from './growing-bytes.js';
import { instant } from './instant.js';

/** How a value is stored in PostgreSQL and read back; `T` is how an entry shows it. */
export interface Kind<T> {
  /** As in information_schema.columns.data_type. */
  readonly type:
    | 'uuid'
    | 'text'
    | 'smallint'
    | 'bigint'
    | 'inet'
    | 'jsonb'
    | 'timestamp with time zone'
    | 'ARRAY';
  readonly nullable: boolean;
  /** Names of a closed list, whose index is stored. */
  readonly names: readonly string[] | null;
  /** SQL that reads a column of that name. */
  select(column: string): string;
  /** The driver's value. Errors: TypeError that names the column. */
  read(value: unknown, column: string): T;
  /** The driver's value of what `select` reads, given as the database writes it. */
  parse(text: string): unknown;
  /** Writes the same, which is not null, as JSON. Room for six times its bytes is there. Errors: TypeError that names the column. */
  write(out: GrowingBytes, row: CopiedRow, at: number, column: string): void;
  store(value: T): unknown;
  /** The value as a leaf contains it. */
  seal(value: unknown): unknown;
  /** Whether a JSON value is one. */
  accepts(value: unknown): value is T;
}

type KindOptions<T> = Pick<Kind<T>, 'type' | 'accepts'> & Partial<Kind<T>> & { expected: string };

function kind<T>({ expected, ...described }: KindOptions<T>): Kind<T> {
  const { accepts } = described;
  return {
    nullable: false,
    names: null,
    select: (column) => column,
    read: (value, column) => {
      if (accepts(value)) return value;
      throw mismatch(column, expected, value);
    },
    parse: (text) => text,
    write: (out, row, at) => out.string(row, at),
    store: (value) => value,
    seal: (value) => value,
    ...described,
  };
}

/** Without the value itself, which may be personal and would be logged. */
const mismatch = (column: string, expected: string, got: unknown) =>
  new TypeError(`${column}: expected ${expected}, got ${got === null ? 'null' : `a ${typeof got}`}`);

const isText = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same, or null. */
export const nullable = <T>(inner: Kind<T>): Kind<T | null> => ({
  ...inner,
  nullable: true,
  read: (value, column) => (value === null || value === undefined ? null : inner.read(value, column)),
  store: (value) => (value === null ? null : inner.store(value)),
  accepts: (value): value is T | null => value === null || inner.accepts(value),
});

/** One of a closed list of names; its index is stored, so that names in order are numbers in order. */
export function oneOf<T extends string>(names: readonly T[]): Kind<T> {
  const expected = `the number of one of ${names.join(', ')}`;
  const texts = names.map((name) => Buffer.from(JSON.stringify(name)));
  const isName = (value: unknown): value is T => names.some((name) => name === value);
  return kind<T>({
    type: 'smallint',
    names,
    expected,
    accepts: isName,
    read: (value, column) => {
      const name = typeof value === 'number' ? names[value] : undefined;
      if (name === undefined) throw mismatch(column, expected, value);
      return name;
    },
    parse: Number,
    write: (out, row, at, column) => {
      const written = texts[Number(row.latin1(at))];
      if (written === undefined) throw mismatch(column, expected, row.latin1(at));
      out.append(written);
    },
    store: (name) => names.indexOf(name),
  });
}

const OPEN_OBJECT = 0x7b;

/** Of text that has nothing to escape. */
const quoted = (out: GrowingBytes, row: CopiedRow, at: number): void => out.quoted(row, at);

export const storedAs = {
  uuid: kind({ type: 'uuid', expected: 'a UUID', accepts: isText, write: quoted }),
  text: kind({ type: 'text', expected: 'text', accepts: isText }),
  /** Shown as host() prints it. */
  address: kind({
    type: 'inet',
    expected: 'an IP address',
    accepts: isText,
    select: (column) => `host(${column}) as ${column}`,
    write: quoted,
  }),
  /** Read as `2026-01-05T10:00:00.123456Z`. */
  instant: kind({
    type: 'timestamp with time zone',
    expected: 'an instant',
    accepts: isText,
    read: (value, column) => {
      if (!isText(value)) throw mismatch(column, 'an instant as text', value);
      return instant(value);
    },
    write: (out, row, at) => {
      if (!out.utc(row, at)) out.text(JSON.stringify(instant(row.text(at))));
    },
  }),
  /** A JSON object; parsed by the driver, or here if it is still text. */
  json: kind({
    type: 'jsonb',
    expected: 'a JSON object',
    accepts: isObject,
    read: (value, column) => {
      const parsed: unknown = isText(value) ? JSON.parse(value) : value;
      if (!isObject(parsed)) throw mismatch(column, 'a JSON object', value);
      return parsed;
    },
    write: (out, row, at, column) => {
      if (row.bytes[row.starts[at]!] !== OPEN_OBJECT) throw mismatch(column, 'a JSON object', row.text(at));
      out.compact(row, at);
    },
  }),
  /** A list of texts, sorted; null if it is empty, in the column and in the leaf. */
  list: kind<string[]>({
    type: 'ARRAY',
    expected: 'a list of texts',
    select: (column) => `to_json(${column}) as ${column}`,
    accepts: (value): value is string[] => Array.isArray(value) && value.every(isText),
    read: (value, column) => {
      if (value === null) return [];
      if (Array.isArray(value) && value.every(isText)) return value;
      throw mismatch(column, 'a list of texts', value);
    },
    parse: JSON.parse,
    write: (out, row, at) => out.column(row, at),
    store: (list) => (list.length === 0 ? null : list),
    seal: (list) => (Array.isArray(list) && list.length === 0 ? null : list),
  }),
  /** A bigint of at most 2^53 - 1, which the driver reads as text. */
  sequence: kind<number>({
    type: 'bigint',
    expected: 'an integer',
    accepts: (value): value is number => Number.isSafeInteger(value),
    read: (value, column) => {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw mismatch(column, 'an integer', value);
      return number;
    },
    write: (out, row, at) => out.column(row, at),
  }),
};
