import { sql } from 'kysely';
import type { CopiedRow } from '../../database/copy-out.js';
import { foldEmail } from '../../log/entry/email.js';
import { type Field, storedColumns } from '../../log/entry/fields.js';
import { LEAF, type LeafMember, type Template } from '../../log/entry/leaf.js';
import { CanonicalData, FOLDED } from '../canonical/canonical-data.js';
import { isHexOf } from '../canonical/hex.js';
import { Preimage } from '../canonical/leaf-bytes.js';

const COLUMNS = storedColumns();

/** What FastRowCheck reads of entries by the name `e`, for a COPY; the id is the first. A column is read as the type it was made with, whatever somebody made of it. */
export const QUICK_COLUMNS = sql.raw(
  COLUMNS.map(({ column, type }) =>
    type === 'inet' ? `abbrev(e.${column}::inet)` : `e.${column}::${type}`,
  ).join(', '),
);
export const QUICK_WIDTH = COLUMNS.length;

const numberOf = (column: string): number => COLUMNS.findIndex((each) => each.column === column);
/** Numbers of the columns that are more than values of the leaf. */
const AT = {
  erasedAt: numberOf('erased_at'),
  actorEmail: numberOf('actor_email'),
  foldedEmail: numberOf('actor_email_folded'),
  data: numberOf('data'),
  searchText: numberOf('search_text'),
  identitySalt: numberOf('identity_salt'),
  dataSalt: numberOf('data_salt'),
  identityDigest: numberOf('identity_digest'),
  dataDigest: numberOf('data_digest'),
  createdAt: numberOf('created_at'),
  occurredAt: numberOf('occurred_at'),
} as const;

/** One value of the leaf: the bytes before it, its column, and how that is written. */
interface Slot {
  readonly before: Buffer;
  readonly column: number;
  readonly write: 'text' | 'uuid' | 'hex' | 'name' | 'instant' | 'tenant';
  readonly names: readonly Buffer[];
}

function slotOf(member: LeafMember, before: string): Slot {
  if (member === 'identity' || member === 'data')
    return { before: Buffer.from(before), column: numberOf(`${member}_digest`), write: 'hex', names: [] };
  const { column, kind } = member;
  const names = (kind.names ?? []).map((name) => Buffer.from(JSON.stringify(name)));
  return { before: Buffer.from(before), column: numberOf(column), write: writingOf(member), names };
}

function writingOf({ column, kind }: Field): Slot['write'] {
  if (column === 'tenant_id') return 'tenant';
  if (kind.names) return 'name';
  if (kind.type === 'uuid') return 'uuid';
  return kind.type === 'timestamp with time zone' ? 'instant' : 'text';
}

const slotsOf = ({ members, parts }: Template<LeafMember>, prefix = ''): Slot[] =>
  members.map((member, at) => slotOf(member, (at === 0 ? prefix : '') + parts[at]!));
const endOf = ({ parts }: Template<unknown>): Buffer => Buffer.from(parts.at(-1)!);

const IDENTITY = { slots: slotsOf(LEAF.identity), end: endOf(LEAF.identity) };
/** With RFC 6962's prefix. */
const LEAF_SLOTS = { slots: slotsOf(LEAF.leaf, '\0'), end: endOf(LEAF.leaf) };

const SALT_BYTES = 16;
const FIRST_PAST_ASCII = 0x80;
/** Of a row; a longer one is left to the other check. */
const MOST_BYTES = 256 * 1024;
/** Bytes that one byte of a text takes at the most, escaped. */
const ESCAPED_BYTES = 6;

/**
 * The same rules as checkRow's, over the bytes of copied rows, for entries that are well: those that it does not find so,
 * which may be only of a form that is rare, are checkRow's to tell of.
 */
export class QuickCheck {
  private readonly text = new Preimage((1 + ESCAPED_BYTES) * MOST_BYTES);
  private readonly data = new CanonicalData(MOST_BYTES, 'spaced');
  private readonly tenantId: Buffer;

  /** `tenantId`: whose entries are given, in lower case. */
  constructor(tenantId: string) {
    this.tenantId = Buffer.from(JSON.stringify(tenantId));
  }

  /** Hex of the leaf hash; null where the row does not go together, or where this cannot tell. */
  leafOf(row: CopiedRow): string | null {
    const isWell =
      row.size <= MOST_BYTES &&
      row.isNull(AT.erasedAt) &&
      this.hasIdentity(row) &&
      this.hasData(row) &&
      this.hasFoldedEmail(row);
    return isWell ? this.hashLeaf(row) : null;
  }

  private hasIdentity(row: CopiedRow): boolean {
    const { text } = this;
    if (row.lengths[AT.identitySalt] !== SALT_BYTES) return false;
    text.length = 0;
    text.raw(row, AT.identitySalt);
    for (const slot of IDENTITY.slots) {
      text.put(slot.before);
      text.string(row, slot.column);
    }
    text.put(IDENTITY.end);
    return isColumn(row, AT.identityDigest, text.digest());
  }

  private hasData(row: CopiedRow): boolean {
    const { text, data } = this;
    if (row.isNull(AT.data))
      return row.isNull(AT.dataSalt) && row.isNull(AT.dataDigest) && row.isNull(AT.searchText);
    if (row.lengths[AT.dataSalt] !== SALT_BYTES) return false;
    text.length = 0;
    text.raw(row, AT.dataSalt);
    // The first byte is jsonb's version of its binary format.
    const from = row.starts[AT.data]!;
    const end = from + row.lengths[AT.data]!;
    return (
      row.bytes[from] === 1 &&
      data.write(text, row.bytes, from + 1, end) === end &&
      isColumn(row, AT.dataDigest, text.digest()) &&
      data.pieces.areOf(row.bytes, row.starts[AT.searchText]!, row.lengths[AT.searchText]!)
    );
  }

  private hasFoldedEmail(row: CopiedRow): boolean {
    if (row.isNull(AT.actorEmail)) return row.isNull(AT.foldedEmail);
    if (row.isNull(AT.foldedEmail)) return false;
    const { bytes, starts, lengths } = row;
    const from = starts[AT.actorEmail]!;
    const folded = starts[AT.foldedEmail]!;
    const length = lengths[AT.actorEmail]!;
    for (let at = 0; at < length; at += 1) {
      const byte = bytes[from + at]!;
      if (byte >= FIRST_PAST_ASCII) return foldEmail(row.text(AT.actorEmail)) === row.text(AT.foldedEmail);
      if (FOLDED[byte] !== bytes[folded + at]) return false;
    }
    return length === lengths[AT.foldedEmail];
  }

  private hashLeaf(row: CopiedRow): string | null {
    const { text } = this;
    let created = 0;
    let afterCreated = 0;
    text.length = 0;
    for (const slot of LEAF_SLOTS.slots) {
      const { column } = slot;
      text.put(slot.before);
      switch (slot.write) {
        case 'text':
          text.string(row, column);
          break;
        case 'uuid':
          text.uuid(row, column);
          break;
        case 'hex':
          text.hex(row, column);
          break;
        case 'tenant':
          text.put(this.tenantId);
          break;
        case 'name': {
          const name = slot.names[row.smallint(column)];
          if (!name) return null;
          text.put(name);
          break;
        }
        case 'instant': {
          const start = text.length;
          // Mostly an entry happened when it was stored; created_at comes first in the leaf.
          if (column === AT.occurredAt && row.isSame(AT.createdAt, column))
            text.copy(text.bytes, created, afterCreated);
          else if (!text.instant(row, column)) return null;
          if (column === AT.createdAt) [created, afterCreated] = [start, text.length];
          break;
        }
      }
    }
    text.put(LEAF_SLOTS.end);
    return text.digest();
  }
}

const isColumn = (row: CopiedRow, column: number, hex: string): boolean =>
  isHexOf(hex, row.bytes, row.starts[column]!, row.lengths[column]!);
