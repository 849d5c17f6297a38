import { sql } from 'kysely';
import type { Row } from '../../database/run.js';
import { foldEmail } from '../../log/entry/email.js';
import { FIELDS, personalColumns, storedColumns } from '../../log/entry/fields.js';
import { instant } from '../../log/entry/instant.js';
import { hashData, LEAF, type LeafValues } from '../../log/entry/leaf.js';
import { searchText } from '../../log/entry/search-text.js';

const COLUMNS = storedColumns();

/** A column by the name `e` as text, an address with its mask, bytes in lower-case hex. */
const textOf = ({ column, type }: (typeof COLUMNS)[number]): string => {
  if (type === 'bytea') return `encode(e.${column}, 'hex') as ${column}`;
  return type === 'inet' ? `e.${column}` : `e.${column}::text as ${column}`;
};

/** For a SELECT: every column of an entry as text, under its name. */
export const ROW_COLUMNS = sql.raw(COLUMNS.map(textOf).join(', '));

/** A stored entry, every column as text. Somebody may have taken away what keeps some from being null. */
export type EntryRow = Readonly<Record<string, string | null>> & Row & { id: string };

export interface CheckedRow {
  id: string;
  /** Recomputed from the row's columns and digests. */
  leaf: Buffer;
  /** What does not go together within the row, in words; empty where all is well. */
  wrong: string[];
  /** Null where it was not erased. */
  erasedAt: string | null;
}

/** Of 16 bytes. */
const SALT_DIGITS = 32;

/** Recomputes the leaf of a stored entry, its digests where they were not erased, and what is derived for searching. */
export function checkRow(row: EntryRow): CheckedRow {
  const wrong: string[] = [];
  const values = valuesOf(row);
  const erasedAt = row.erased_at ?? null;
  try {
    const data: unknown = row.data == null ? null : JSON.parse(row.data);
    if (data !== null && !isObject(data)) wrong.push('data');
    // JSON's null is not what no data is kept as.
    else if (data === null && row.data != null) wrong.push('data');
    else {
      if (erasedAt === null) checkDigests(row, values, data, wrong);
      else checkBlank(row, wrong);
      if (!sameText(row.search_text ?? null, data)) wrong.push('search_text');
    }
  } catch {
    // Such as a number that no double holds.
    wrong.push('data');
  }
  const email = row.actor_email ?? null;
  if ((row.actor_email_folded ?? null) !== (email && foldEmail(email))) wrong.push('actor_email_folded');
  return {
    id: row.id,
    leaf: Buffer.from(LEAF.hashLeaf(values, row.identity_digest ?? '', row.data_digest ?? null), 'hex'),
    wrong,
    erasedAt: erasedAt && instant(erasedAt),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkDigests(
  row: EntryRow,
  values: LeafValues,
  data: Record<string, unknown> | null,
  wrong: string[],
): void {
  const { identity_salt: salt, data_salt: dataSalt, data_digest: dataDigest } = row;
  // An address with a mask is not one that was sealed; host() would not show it.
  for (const { column } of ADDRESSES) if (row[column]?.includes('/')) wrong.push(column);
  if (salt?.length !== SALT_DIGITS) wrong.push('identity_salt');
  else if (LEAF.hashIdentity(Buffer.from(salt, 'hex'), values) !== row.identity_digest)
    wrong.push(`${LEAF.identity.members.map(({ column }) => column).join(', ')} or their salt or digest`);
  if (data === null) {
    if (dataSalt != null || dataDigest != null) wrong.push('data');
  } else if (dataSalt?.length !== SALT_DIGITS) wrong.push('data_salt');
  else if (hashData(Buffer.from(dataSalt, 'hex'), data) !== dataDigest)
    wrong.push('data or its salt or digest');
}

const ADDRESSES = FIELDS.filter(({ kind }) => kind.type === 'inet');
/** What is derived of these is looked at by itself. */
const BLANK = personalColumns().filter((column) => !['actor_email_folded', 'search_text'].includes(column));

function checkBlank(row: EntryRow, wrong: string[]): void {
  for (const column of BLANK) if (row[column] != null) wrong.push(`${column}, which erased_at says is blank`);
}

/** What the row holds in place of each field of the leaf, in the leaf's form. */
function valuesOf(row: EntryRow): LeafValues {
  const values: { -readonly [name in keyof LeafValues]: unknown } = {};
  for (const { name, column, kind } of FIELDS) {
    const text = row[column] ?? null;
    if (kind.names) values[name] = text === null ? undefined : kind.names[Number(text)];
    else if (kind.type === INSTANT) values[name] = text === null ? '' : instant(text);
    else values[name] = text;
  }
  return values;
}

const INSTANT = 'timestamp with time zone';

const BETWEEN = '\uFFFF';

/** jsonb keeps keys in an order of its own, the text for searching that of what came; the pieces are the same. */
function sameText(stored: string | null, data: Record<string, unknown> | null): boolean {
  const expected = searchText(data);
  if (stored === expected) return true;
  if (stored === null || expected === null || stored.length !== expected.length) return false;
  const left = expected.split(BETWEEN);
  const pieces = stored.split(BETWEEN);
  if (pieces.length !== left.length) return false;
  if (pieces.length > FEW) return left.sort().join(BETWEEN) === pieces.sort().join(BETWEEN);
  // Cheaper than sorting, for a few: each piece is struck out where it is found.
  for (const piece of pieces) {
    const at = left.indexOf(piece);
    if (at < 0) return false;
    left[at] = left.at(-1)!;
    left.pop();
  }
  return true;
}

const FEW = 32;
