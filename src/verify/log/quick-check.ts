import { sql } from 'kysely';
import type { CopiedRow } from '../../database/copy-out.js';
import { foldEmail } from '../../log/entry/email.js';
import { IDENTITY_PARTS, LEAF_PARTS } from '../../log/entry/leaf.js';
import { ORIGINS } from '../../log/entry/origin.js';
import { SEVERITIES } from '../../log/entry/severity.js';
import { CanonicalData, FOLDED } from '../canonical/canonical-data.js';
import { isHexOf } from '../canonical/hex.js';
import { Preimage } from '../canonical/leaf-bytes.js';

const AT = {
  id: 0,
  module: 1,
  action: 2,
  severity: 3,
  origin: 4,
  actor_id: 5,
  actor_email: 6,
  actor_email_folded: 7,
  actor_name: 8,
  on_behalf_of_id: 9,
  client_id: 10,
  resource_type: 11,
  resource_id: 12,
  ip_address: 13,
  user_agent: 14,
  request_id: 15,
  occurred_at: 16,
  created_at: 17,
  identity_salt: 18,
  data_salt: 19,
  identity_digest: 20,
  data_digest: 21,
  erased_at: 22,
  data: 23,
  search_text: 24,
} as const;

/** What QuickCheck reads of entries by the name `e`, for a COPY; the id is the first. */
export const QUICK_COLUMNS = sql.raw(
  Object.keys(AT)
    .map((name) => (name === 'ip_address' ? 'abbrev(e.ip_address::inet)' : `e.${name}::${typeOf(name)}`))
    .join(', '),
);

/** The bytes of a column are read as those of this type, whatever somebody made of the column. */
function typeOf(name: string): string {
  if (/^(id|actor_id|on_behalf_of_id|client_id|request_id)$/.test(name)) return 'uuid';
  if (/^(severity|origin)$/.test(name)) return 'smallint';
  if (/_at$/.test(name)) return 'timestamptz';
  if (/_(salt|digest)$/.test(name)) return 'bytea';
  return name === 'data' ? 'jsonb' : 'text';
}
export const QUICK_WIDTH = Object.keys(AT).length;

const SALT_BYTES = 16;
const FIRST_PAST_ASCII = 0x80;
/** Of a row; a longer one is left to the other check. */
const MOST_BYTES = 256 * 1024;
/** Bytes that one byte of a text takes at the most, escaped. */
const ESCAPED_BYTES = 6;

const [SEVERITY_NAMES, ORIGIN_NAMES] = [SEVERITIES, ORIGINS].map((names) =>
  names.map((name) => Buffer.from(JSON.stringify(name))),
) as [Buffer[], Buffer[]];

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
      row.isNull(AT.erased_at) &&
      this.hasIdentity(row) &&
      this.hasData(row) &&
      this.hasFoldedEmail(row);
    return isWell ? this.hashLeaf(row) : null;
  }

  private hasIdentity(row: CopiedRow): boolean {
    const { text } = this;
    if (row.lengths[AT.identity_salt] !== SALT_BYTES) return false;
    text.length = 0;
    text.raw(row, AT.identity_salt);
    text.put(IDENTITY_PARTS[0]!);
    text.string(row, AT.actor_email);
    text.put(IDENTITY_PARTS[1]!);
    text.string(row, AT.actor_name);
    text.put(IDENTITY_PARTS[2]!);
    text.string(row, AT.ip_address);
    text.put(IDENTITY_PARTS[3]!);
    text.string(row, AT.user_agent);
    text.put(IDENTITY_PARTS[4]!);
    return isColumn(row, AT.identity_digest, text.digest());
  }

  private hasData(row: CopiedRow): boolean {
    const { text, data } = this;
    if (row.isNull(AT.data))
      return row.isNull(AT.data_salt) && row.isNull(AT.data_digest) && row.isNull(AT.search_text);
    if (row.lengths[AT.data_salt] !== SALT_BYTES) return false;
    text.length = 0;
    text.raw(row, AT.data_salt);
    // The first byte is jsonb's version of its binary format.
    const from = row.starts[AT.data]!;
    const end = from + row.lengths[AT.data]!;
    return (
      row.bytes[from] === 1 &&
      data.write(text, row.bytes, from + 1, end) === end &&
      isColumn(row, AT.data_digest, text.digest()) &&
      data.pieces.areOf(row.bytes, row.starts[AT.search_text]!, row.lengths[AT.search_text]!)
    );
  }

  private hasFoldedEmail(row: CopiedRow): boolean {
    if (row.isNull(AT.actor_email)) return row.isNull(AT.actor_email_folded);
    if (row.isNull(AT.actor_email_folded)) return false;
    const { bytes, starts, lengths } = row;
    const from = starts[AT.actor_email]!;
    const folded = starts[AT.actor_email_folded]!;
    const length = lengths[AT.actor_email]!;
    for (let at = 0; at < length; at += 1) {
      const byte = bytes[from + at]!;
      if (byte >= FIRST_PAST_ASCII)
        return foldEmail(row.text(AT.actor_email)) === row.text(AT.actor_email_folded);
      if (FOLDED[byte] !== bytes[folded + at]) return false;
    }
    return length === lengths[AT.actor_email_folded];
  }

  private hashLeaf(row: CopiedRow): string | null {
    const { text } = this;
    const severity = SEVERITY_NAMES[row.smallint(AT.severity)];
    const origin = ORIGIN_NAMES[row.smallint(AT.origin)];
    if (!severity || !origin) return null;
    text.length = 0;
    text.put(LEAF_PARTS[0]!);
    text.string(row, AT.action);
    text.put(LEAF_PARTS[1]!);
    text.uuid(row, AT.actor_id);
    text.put(LEAF_PARTS[2]!);
    text.uuid(row, AT.client_id);
    text.put(LEAF_PARTS[3]!);
    const created = text.length;
    const isNear = text.instant(row, AT.created_at);
    const afterCreated = text.length;
    text.put(LEAF_PARTS[4]!);
    text.hex(row, AT.data_digest);
    text.put(LEAF_PARTS[5]!);
    text.uuid(row, AT.id);
    text.put(LEAF_PARTS[6]!);
    text.hex(row, AT.identity_digest);
    text.put(LEAF_PARTS[7]!);
    text.string(row, AT.module);
    text.put(LEAF_PARTS[8]!);
    const isSame = row.isSame(AT.created_at, AT.occurred_at);
    // Mostly the same moment.
    if (isSame) text.copy(text.bytes, created, afterCreated);
    const isNearToo = isSame || text.instant(row, AT.occurred_at);
    text.put(LEAF_PARTS[9]!);
    text.uuid(row, AT.on_behalf_of_id);
    text.put(LEAF_PARTS[10]!);
    text.put(origin);
    text.put(LEAF_PARTS[11]!);
    text.uuid(row, AT.request_id);
    text.put(LEAF_PARTS[12]!);
    text.string(row, AT.resource_id);
    text.put(LEAF_PARTS[13]!);
    text.string(row, AT.resource_type);
    text.put(LEAF_PARTS[14]!);
    text.put(severity);
    text.put(LEAF_PARTS[15]!);
    text.put(this.tenantId);
    text.put(LEAF_PARTS[16]!);
    return isNear && isNearToo ? text.digest() : null;
  }
}

const isColumn = (row: CopiedRow, column: number, hex: string): boolean =>
  isHexOf(hex, row.bytes, row.starts[column]!, row.lengths[column]!);
