import { sql } from 'kysely';
import type { Row } from '../../database/run.js';
import { foldEmail } from '../../log/entry/email.js';
import { instant } from '../../log/entry/instant.js';
import { hashData, hashIdentity, hashLeaf, type SealableEntry } from '../../log/entry/leaf.js';
import { ORIGINS } from '../../log/entry/origin.js';
import { searchText } from '../../log/entry/search-text.js';
import { SEVERITIES } from '../../log/entry/severity.js';

/** Every column of an entry by the name `e`, as text. */
const COLUMNS = {
  id: 'e.id',
  tenant_id: 'e.tenant_id',
  module: 'e.module',
  action: 'e.action',
  severity: 'e.severity::text',
  origin: 'e.origin::text',
  actor_id: 'e.actor_id',
  actor_email: 'e.actor_email',
  actor_email_folded: 'e.actor_email_folded',
  actor_name: 'e.actor_name',
  on_behalf_of_id: 'e.on_behalf_of_id',
  client_id: 'e.client_id',
  resource_type: 'e.resource_type',
  resource_id: 'e.resource_id',
  ip_address: 'e.ip_address',
  user_agent: 'e.user_agent',
  request_id: 'e.request_id',
  occurred_at: 'e.occurred_at::text',
  created_at: 'e.created_at::text',
  identity_salt: `encode(e.identity_salt, 'hex')`,
  data_salt: `encode(e.data_salt, 'hex')`,
  identity_digest: `encode(e.identity_digest, 'hex')`,
  data_digest: `encode(e.data_digest, 'hex')`,
  erased_at: 'e.erased_at::text',
  data: 'e.data::text',
  search_text: 'e.search_text',
} as const;

type Column = keyof typeof COLUMNS;

/** For a SELECT: the columns under their names. */
export const ROW_COLUMNS = sql.raw(
  Object.entries(COLUMNS)
    .map(([name, expression]) => `${expression} as ${name}`)
    .join(', '),
);

/** A stored entry, bytes in lower-case hex. */
export type EntryRow = Row & Record<Column, string | null> & Record<Always, string>;

type Always = 'id' | 'tenant_id' | 'module' | 'action' | 'identity_digest';

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
  const entry = entryOf(row);
  try {
    const data = row.data === null ? null : JSON.parse(row.data);
    // JSON's null is not what no data is kept as.
    if (data === null && row.data !== null) wrong.push('data');
    entry.data = data;
    if (row.erased_at === null) checkDigests(row, entry, wrong);
    else checkBlank(row, wrong);
    if (!sameText(row.search_text, data)) wrong.push('search_text');
  } catch {
    // Such as a number that no double holds.
    wrong.push('data');
  }
  if (row.actor_email_folded !== (row.actor_email && foldEmail(row.actor_email)))
    wrong.push('actor_email_folded');
  return {
    id: row.id,
    leaf: Buffer.from(hashLeaf(entry, row.identity_digest, row.data_digest), 'hex'),
    wrong,
    erasedAt: row.erased_at && instant(row.erased_at),
  };
}

function checkDigests(row: EntryRow, entry: SealableEntry, wrong: string[]): void {
  const { identity_salt: salt, data_salt: dataSalt, data_digest: dataDigest } = row;
  // An address with a mask is not one that was sealed; host() would not show it.
  if (row.ip_address?.includes('/')) wrong.push('ip_address');
  if (salt?.length !== SALT_DIGITS) wrong.push('identity_salt');
  else if (hashIdentity(Buffer.from(salt, 'hex'), entry) !== row.identity_digest)
    wrong.push('actor_email, actor_name, ip_address, user_agent or their salt or digest');
  if (entry.data === null) {
    if (dataSalt !== null || dataDigest !== null) wrong.push('data');
  } else if (dataSalt?.length !== SALT_DIGITS) wrong.push('data_salt');
  else if (hashData(Buffer.from(dataSalt, 'hex'), entry.data) !== dataDigest)
    wrong.push('data or its salt or digest');
}

const BLANK = [
  'actor_email',
  'actor_name',
  'ip_address',
  'user_agent',
  'data',
  'identity_salt',
  'data_salt',
] as const;

function checkBlank(row: EntryRow, wrong: string[]): void {
  for (const column of BLANK)
    if (row[column] !== null) wrong.push(`${column}, which erased_at says is blank`);
}

const entryOf = (row: EntryRow): SealableEntry => ({
  id: row.id,
  tenantId: row.tenant_id,
  module: row.module,
  action: row.action,
  severity: SEVERITIES[numberOf(row.severity)]!,
  origin: ORIGINS[numberOf(row.origin)]!,
  actorId: row.actor_id,
  onBehalfOfId: row.on_behalf_of_id,
  clientId: row.client_id,
  resourceType: row.resource_type,
  resourceId: row.resource_id,
  requestId: row.request_id,
  occurredAt: instantOf(row.occurred_at),
  createdAt: instantOf(row.created_at),
  actorEmail: row.actor_email,
  actorName: row.actor_name,
  ipAddress: row.ip_address,
  userAgent: row.user_agent,
  data: null,
});

/** Somebody may have taken away what keeps these from being null, which is never as it was sealed. */
const numberOf = (text: string | null) => (text === null ? Number.NaN : Number(text));
const instantOf = (text: string | null) => (text === null ? '' : instant(text));

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
