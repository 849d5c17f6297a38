import { sql } from 'kysely';
import type { Row } from '../../database/execute.js';
import { FOLDED_COLUMNS } from '../../log/entry/email.js';
import { FIELDS, laterColumns, personalColumns, storedColumns } from '../../log/entry/fields.js';
import { instant } from '../../log/entry/instant.js';
import { hashData, LEAF, LEAF_VERSIONS, type LeafValues, type LeafVersion } from '../../log/entry/leaf.js';
import { SEPARATOR, searchText } from '../../log/entry/search-text.js';

const COLUMNS = storedColumns();

/** A column of `e` as text: inet with its netmask, bytea in lower-case hex, a list in JSON. */
const asText = ({ column, type }: (typeof COLUMNS)[number]): string => {
  if (type === 'bytea') return `encode(e.${column}, 'hex') as ${column}`;
  if (type === 'ARRAY') return `${listAsJson(`e.${column}::text[]`)} as ${column}`;
  return type === 'inet' ? `e.${column}` : `e.${column}::text as ${column}`;
};

/** An array of another form than those that Reel stores becomes a JSON string, so that it matches no leaf. */
const listAsJson = (list: string): string =>
  `case when array_ndims(${list}) = 1 and array_lower(${list}, 1) = 1 then to_json(${list}) else to_json(${list}::text) end::text`;

/** Select list of reel_log_entries `e`: every column that verification reads, as text. */
export const ROW_COLUMNS = sql.raw(COLUMNS.map(asText).join(', '));

/** A row of reel_log_entries, every column as text. Any may be null: NOT NULL constraints can have been dropped. */
export type EntryRow = Readonly<Record<string, string | null>> & Row & { id: string };

export interface CheckedRow {
  id: string;
  /** Leaf hash recomputed from the row's columns and digests. */
  leafHash: Buffer;
  /** Inconsistencies within the row, for a fault's detail. */
  problems: string[];
  /** Null if it was not erased. */
  erasedAt: string | null;
}

const SALT_BYTES = 16;

/**
 * Recomputes the leaf hash of a stored entry, under the version that the row says, and checks its digests, or that it is
 * blank if erased, and its search columns.
 */
export function checkRow(row: EntryRow): CheckedRow {
  const problems: string[] = [];
  const leaf = leafVersionOf(row, problems);
  const later = LATER_COLUMNS.get(leaf.version)!;
  for (const column of later)
    if (row[column] != null)
      problems.push(`${column}: expected null in an entry of leaf version ${leaf.version}`);
  const values = leafValues(row);
  const erasedAt = row.erased_at ?? null;
  try {
    const data: unknown = row.data == null ? null : JSON.parse(row.data);
    // An entry without data has SQL's null, never JSON's.
    if (row.data != null && !isObject(data)) problems.push('data: expected a JSON object');
    else {
      const object = data as Record<string, unknown> | null;
      if (erasedAt === null) checkDigests(row, leaf, values, object, problems);
      else checkErased(row, problems);
      if (!isSearchTextOf(row.search_text ?? null, searchText({ ...values, data: object })))
        problems.push('search_text does not match what the entry shows');
    }
  } catch {
    // A number that no double can hold, for example.
    problems.push('data: expected JSON that RFC 8785 can represent');
  }
  for (const { column, source, fold } of FOLDED_COLUMNS) {
    const text = row[source] ?? null;
    if (!later.includes(column) && (row[column] ?? null) !== (text && fold(text)))
      problems.push(`${column} does not match ${source}`);
  }
  return {
    id: row.id,
    leafHash: Buffer.from(leaf.hashLeaf(values, row.identity_digest ?? '', row.data_digest ?? null), 'hex'),
    problems,
    erasedAt: erasedAt && instant(erasedAt),
  };
}

const LATER_COLUMNS: ReadonlyMap<number, readonly string[]> = new Map(
  [...LEAF_VERSIONS.keys()].map((version) => [version, laterColumns(version)]),
);

/** The newest version if the row has none that there is. */
function leafVersionOf(row: EntryRow, problems: string[]): LeafVersion {
  const version = row.leaf_version ?? null;
  const leaf = version === null ? undefined : LEAF_VERSIONS.get(Number(version));
  if (leaf) return leaf;
  problems.push(`leaf_version: expected ${[...LEAF_VERSIONS.keys()].join(' or ')}, got ${version}`);
  return LEAF;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkDigests(
  row: EntryRow,
  leaf: LeafVersion,
  values: LeafValues,
  data: Record<string, unknown> | null,
  problems: string[],
): void {
  const { identity_salt: salt, data_salt: dataSalt, data_digest: dataDigest } = row;
  // Addresses are sealed without a netmask, and host() would hide one.
  for (const { column } of ADDRESSES)
    if (row[column]?.includes('/')) problems.push(`${column}: expected no netmask`);
  if (!isSalt(salt)) problems.push(`identity_salt: expected ${SALT_BYTES} bytes, got ${bytesIn(salt)}`);
  else if (leaf.hashIdentity(Buffer.from(salt, 'hex'), values) !== row.identity_digest)
    problems.push(
      `identity_digest does not match identity_salt and ${leaf.identity.members.map(({ column }) => column).join(', ')}`,
    );
  if (data === null) {
    if (dataSalt != null || dataDigest != null)
      problems.push('data is missing, but data_salt or data_digest is set');
  } else if (!isSalt(dataSalt))
    problems.push(`data_salt: expected ${SALT_BYTES} bytes, got ${bytesIn(dataSalt)}`);
  else if (hashData(Buffer.from(dataSalt, 'hex'), data) !== dataDigest)
    problems.push('data_digest does not match data_salt and data');
}

const bytesIn = (hex: string | null | undefined): number => (hex ?? '').length / 2;
const isSalt = (hex: string | null | undefined): hex is string => bytesIn(hex) === SALT_BYTES;

const ADDRESSES = FIELDS.filter(({ kind }) => kind.type === 'inet');
/** Folded columns are compared with what they derive from. */
const FOLDED: readonly string[] = FOLDED_COLUMNS.map(({ column }) => column);
const ERASED_COLUMNS = personalColumns().filter((column) => !FOLDED.includes(column));

function checkErased(row: EntryRow, problems: string[]): void {
  for (const column of ERASED_COLUMNS)
    if (row[column] != null) problems.push(`${column}: expected null in an erased entry`);
}

/** The row's value of each field, as the leaf has it. */
function leafValues(row: EntryRow): LeafValues {
  const values: { -readonly [name in keyof LeafValues]: unknown } = {};
  for (const { name, column, kind } of FIELDS) {
    const text = row[column] ?? null;
    if (kind.names)
      values[name] = text === null ? (kind.nullable ? null : undefined) : kind.names[Number(text)];
    else if (kind.type === 'ARRAY') values[name] = text === null ? null : JSON.parse(text);
    else if (kind.type === INSTANT) values[name] = text === null ? '' : instant(text);
    else values[name] = text;
  }
  return values;
}

const INSTANT = 'timestamp with time zone';

/** In whatever order of its pieces: search_text has data's keys in the order received, jsonb in its own. */
function isSearchTextOf(stored: string | null, expected: string): boolean {
  if (stored === expected) return true;
  if (stored === null || stored.length !== expected.length) return false;
  const left = expected.split(SEPARATOR);
  const pieces = stored.split(SEPARATOR);
  if (pieces.length !== left.length) return false;
  if (pieces.length > SORT_ABOVE) return left.sort().join(SEPARATOR) === pieces.sort().join(SEPARATOR);
  // Crossing off each piece is cheaper than sorting a few.
  for (const piece of pieces) {
    const at = left.indexOf(piece);
    if (at < 0) return false;
    left[at] = left.at(-1)!;
    left.pop();
  }
  return true;
}

const SORT_ABOVE = 32;
