import { sql } from 'kysely';
import type { CopiedRow } from '../../database/copy-out.js';
import { FOLDED_COLUMNS } from '../../log/entry/email.js';
import { type Field, laterColumns, storedColumns } from '../../log/entry/fields.js';
import { isHexOf } from '../../log/entry/hex.js';
import { LEAF_VERSIONS, type LeafMember, type LeafVersion, type Template } from '../../log/entry/leaf.js';
import { SEARCHED_FIELDS } from '../../log/entry/search-text.js';
import { HashInput } from '../canonical/hash-input.js';
import { JsonCanonicalizer } from '../canonical/json-canonicalizer.js';
import { LOWER_CASE } from '../canonical/search-pieces.js';

const COLUMNS = storedColumns();

/**
 * Select list of reel_log_entries `e` for a COPY to FastRowCheck, the id first. Each column is cast to the type it was
 * created with, since the table can have been altered.
 */
export const FAST_COLUMNS = sql.raw(
  COLUMNS.map(({ column, type }) => {
    if (type === 'inet') return `abbrev(e.${column}::inet)`;
    return `e.${column}::${type === 'ARRAY' ? 'text[]' : type}`;
  }).join(', '),
);
export const FAST_COLUMN_COUNT = COLUMNS.length;

const indexOf = (column: string): number => COLUMNS.findIndex((each) => each.column === column);
/** Indexes of the columns with a part of their own in the check. */
const AT = {
  erasedAt: indexOf('erased_at'),
  leafVersion: indexOf('leaf_version'),
  data: indexOf('data'),
  searchText: indexOf('search_text'),
  identitySalt: indexOf('identity_salt'),
  dataSalt: indexOf('data_salt'),
  identityDigest: indexOf('identity_digest'),
  dataDigest: indexOf('data_digest'),
  createdAt: indexOf('created_at'),
  occurredAt: indexOf('occurred_at'),
} as const;

const SEARCHED = SEARCHED_FIELDS.map(({ column, kind }) => ({
  column: indexOf(column),
  isUuid: kind.type === 'uuid',
}));

const NULL = Buffer.from('null');

/** One value of a canonical JSON object: the bytes before it, its column, and how the column is written. */
interface Slot {
  readonly before: Buffer;
  readonly column: number;
  readonly format: 'text' | 'uuid' | 'hex' | 'name' | 'instant' | 'list' | 'tenant';
  readonly names: readonly Buffer[];
  /** What a column of names that is null is written as; null if it may not be. */
  readonly noName: Buffer | null;
}

function slotOf(member: LeafMember, before: string): Slot {
  if (member === 'identity' || member === 'data')
    return {
      before: Buffer.from(before),
      column: indexOf(`${member}_digest`),
      format: 'hex',
      names: [],
      noName: null,
    };
  const { column, kind } = member;
  return {
    before: Buffer.from(before),
    column: indexOf(column),
    format: formatOf(member),
    names: (kind.names ?? []).map((name) => Buffer.from(JSON.stringify(name))),
    noName: kind.nullable ? NULL : null,
  };
}

function formatOf({ column, kind }: Field): Slot['format'] {
  if (column === 'tenant_id') return 'tenant';
  if (kind.names) return 'name';
  if (kind.type === 'uuid') return 'uuid';
  if (kind.type === 'ARRAY') return 'list';
  return kind.type === 'timestamp with time zone' ? 'instant' : 'text';
}

const slotsOf = ({ members, parts }: Template<LeafMember>, prefix = ''): Slot[] =>
  members.map((member, at) => slotOf(member, (at === 0 ? prefix : '') + parts[at]!));
const endOf = ({ parts }: Template<unknown>): Buffer => Buffer.from(parts.at(-1)!);

interface Layout {
  readonly identity: { readonly slots: readonly Slot[]; readonly end: Buffer };
  readonly leaf: { readonly slots: readonly Slot[]; readonly end: Buffer };
  /** Columns that only later versions have. */
  readonly later: readonly number[];
  readonly folded: readonly {
    readonly column: number;
    readonly source: number;
    fold(text: string): string;
  }[];
}

function layoutOf({ version, identity, leaf }: LeafVersion): Layout {
  const later = laterColumns(version);
  return {
    identity: { slots: slotsOf(identity), end: endOf(identity) },
    // After the prefix of a leaf (RFC 6962, section 2.1).
    leaf: { slots: slotsOf(leaf, '\0'), end: endOf(leaf) },
    later: later.map(indexOf),
    folded: FOLDED_COLUMNS.filter(({ column }) => !later.includes(column)).map(
      ({ column, source, fold }) => ({
        column: indexOf(column),
        source: indexOf(source),
        fold,
      }),
    ),
  };
}

/** By the number of the leaf version. */
const LAYOUTS: readonly (Layout | undefined)[] = Array.from(
  { length: Math.max(...LEAF_VERSIONS.keys()) + 1 },
  (_, version) => {
    const leaf = LEAF_VERSIONS.get(version);
    return leaf && layoutOf(leaf);
  },
);

const SALT_BYTES = 16;
const FIRST_NON_ASCII = 0x80;
/** A longer row does not pass. */
const MAX_ROW_BYTES = 256 * 1024;
/** JSON escapes a byte as `\u001f` at most. */
const MAX_ESCAPED_BYTES = 6;

/**
 * The rules of checkRow, over the bytes of copied rows. It passes consistent entries only, but not all of them: erased
 * ones and rare forms do not pass, and it is for checkRow to find what is wrong, if anything is.
 */
export class FastRowCheck {
  private readonly input = new HashInput((1 + MAX_ESCAPED_BYTES) * MAX_ROW_BYTES);
  private readonly canonicalizer = new JsonCanonicalizer(MAX_ROW_BYTES, 'spaced');
  private readonly tenantId: Buffer;

  /** `tenantId`: of all rows, in lower case. */
  constructor(tenantId: string) {
    this.tenantId = Buffer.from(JSON.stringify(tenantId));
  }

  /** The leaf hash in hex; null if the row does not pass. */
  leafHash(row: CopiedRow): string | null {
    const layout = LAYOUTS[row.smallint(AT.leafVersion)];
    if (!layout) return null;
    const passes =
      row.size <= MAX_ROW_BYTES &&
      row.isNull(AT.erasedAt) &&
      layout.later.every((column) => row.isNull(column)) &&
      this.isIdentityValid(row, layout) &&
      this.isDataValid(row) &&
      this.isSearchTextValid(row) &&
      layout.folded.every(({ column, source, fold }) => isFolded(row, column, source, fold));
    return passes ? this.hashLeaf(row, layout) : null;
  }

  private isIdentityValid(row: CopiedRow, { identity }: Layout): boolean {
    const { input } = this;
    if (row.lengths[AT.identitySalt] !== SALT_BYTES) return false;
    input.length = 0;
    input.column(row, AT.identitySalt);
    for (const slot of identity.slots) {
      input.append(slot.before);
      input.string(row, slot.column);
    }
    input.append(identity.end);
    return isColumn(row, AT.identityDigest, input.sha256());
  }

  private isDataValid(row: CopiedRow): boolean {
    const { input, canonicalizer } = this;
    if (row.isNull(AT.data)) {
      canonicalizer.pieces.clear();
      return row.isNull(AT.dataSalt) && row.isNull(AT.dataDigest);
    }
    if (row.lengths[AT.dataSalt] !== SALT_BYTES) return false;
    input.length = 0;
    input.column(row, AT.dataSalt);
    // jsonb's binary format is a version byte and text.
    const from = row.starts[AT.data]!;
    const end = from + row.lengths[AT.data]!;
    return (
      row.bytes[from] === 1 &&
      canonicalizer.write(input, row.bytes, from + 1, end) === end &&
      isColumn(row, AT.dataDigest, input.sha256())
    );
  }

  /** To be called after isDataValid, which collects data's pieces. */
  private isSearchTextValid(row: CopiedRow): boolean {
    const { pieces } = this.canonicalizer;
    const { bytes, starts, lengths } = row;
    for (const { column, isUuid } of SEARCHED) {
      if (row.isNull(column)) continue;
      const from = starts[column]!;
      if (!(isUuid ? pieces.addUuid(bytes, from) : pieces.addText(bytes, from, lengths[column]!)))
        return false;
    }
    return pieces.matches(bytes, starts[AT.searchText]!, lengths[AT.searchText]!);
  }

  private hashLeaf(row: CopiedRow, { leaf }: Layout): string | null {
    const { input } = this;
    let created = 0;
    let afterCreated = 0;
    input.length = 0;
    for (const slot of leaf.slots) {
      const { column } = slot;
      input.append(slot.before);
      switch (slot.format) {
        case 'text':
          input.string(row, column);
          break;
        case 'uuid':
          input.uuid(row, column);
          break;
        case 'hex':
          input.hex(row, column);
          break;
        case 'tenant':
          input.append(this.tenantId);
          break;
        case 'name': {
          const name = row.isNull(column) ? slot.noName : slot.names[row.smallint(column)];
          if (!name) return null;
          input.append(name);
          break;
        }
        case 'list':
          if (!input.list(row, column)) return null;
          break;
        case 'instant': {
          const start = input.length;
          // Mostly the same as created_at, which precedes it in the leaf.
          if (column === AT.occurredAt && row.isSame(AT.createdAt, column))
            input.appendRange(input.bytes, created, afterCreated);
          else if (!input.instant(row, column)) return null;
          if (column === AT.createdAt) [created, afterCreated] = [start, input.length];
          break;
        }
      }
    }
    input.append(leaf.end);
    return input.sha256();
  }
}

/** Whether a column holds another one folded. */
function isFolded(row: CopiedRow, column: number, source: number, fold: (text: string) => string): boolean {
  if (row.isNull(source)) return row.isNull(column);
  if (row.isNull(column)) return false;
  const { bytes, starts, lengths } = row;
  const from = starts[source]!;
  const folded = starts[column]!;
  const length = lengths[source]!;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[from + at]!;
    if (byte >= FIRST_NON_ASCII) return fold(row.text(source)) === row.text(column);
    if (LOWER_CASE[byte] !== bytes[folded + at]) return false;
  }
  return length === lengths[column];
}

const isColumn = (row: CopiedRow, column: number, hex: string): boolean =>
  isHexOf(hex, row.bytes, row.starts[column]!, row.lengths[column]!);
