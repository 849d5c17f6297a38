import { sql } from 'kysely';
import type { Row } from '../database/connect.js';
import { foldEmail } from '../log/filter.js';
import { ORIGINS, SEVERITIES } from '../log/log-entry.entity.js';
import { instant } from '../log/reader.js';
import { searchText } from '../log/search-text.js';
import { digestData, digestIdentity, leafHash, type SealableEntry } from './leaf.js';

/** Every column of an entry, by the name `e`. */
export const ROW_COLUMNS = sql.raw(
  [
    'e.id, e.tenant_id, e.module, e.action, e.severity, e.origin, e.actor_id, e.actor_email, e.actor_email_folded',
    'e.actor_name, e.on_behalf_of_id, e.client_id, e.resource_type, e.resource_id, e.data::text as data, e.search_text',
    'e.ip_address',
    'e.user_agent, e.request_id, e.occurred_at::text as occurred_at, e.created_at::text as created_at',
    'e.identity_salt, e.data_salt, e.identity_digest, e.data_digest, e.erased_at::text as erased_at',
  ].join(', '),
);

export interface EntryRow extends Row {
  id: string;
  tenant_id: string;
  module: string;
  action: string;
  severity: number;
  origin: number;
  actor_id: string | null;
  actor_email: string | null;
  actor_email_folded: string | null;
  actor_name: string | null;
  on_behalf_of_id: string | null;
  client_id: string | null;
  resource_type: string | null;
  resource_id: string | null;
  data: string | null;
  search_text: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  occurred_at: string;
  created_at: string;
  identity_salt: Buffer | null;
  data_salt: Buffer | null;
  identity_digest: Buffer;
  data_digest: Buffer | null;
  erased_at: string | null;
}

export interface CheckedRow {
  id: string;
  /** Recomputed from the row's columns and digests. */
  leaf: Buffer;
  /** What does not go together within the row, in words; empty where all is well. */
  wrong: string[];
  /** Null where it was not erased. */
  erasedAt: string | null;
}

const SALT_BYTES = 16;

/** Recomputes the leaf of a stored entry, its digests where they were not erased, and what is derived for searching. */
export function checkRow(row: EntryRow): CheckedRow {
  const wrong: string[] = [];
  let data: Record<string, unknown> | null = null;
  try {
    data = row.data === null ? null : JSON.parse(row.data);
    // JSON's null is not what no data is kept as.
    if (data === null && row.data !== null) wrong.push('data');
    if (row.erased_at === null) checkDigests(row, data, wrong);
    else checkBlank(row, wrong);
    if (!sameText(row.search_text, data)) wrong.push('search_text');
  } catch {
    // Such as a number that no double holds.
    wrong.push('data');
  }
  if (row.actor_email_folded !== (row.actor_email && foldEmail(row.actor_email)))
    wrong.push('actor_email_folded');
  const digests = { identityDigest: row.identity_digest, dataDigest: row.data_digest };
  return {
    id: row.id,
    leaf: leafHash(entryOf(row, data), digests),
    wrong,
    erasedAt: row.erased_at && instant(row.erased_at),
  };
}

function checkDigests(row: EntryRow, data: Record<string, unknown> | null, wrong: string[]): void {
  const { identity_salt: salt, data_salt: dataSalt, data_digest: dataDigest } = row;
  // An address with a mask is not one that was sealed; host() would not show it.
  if (row.ip_address?.includes('/')) wrong.push('ip_address');
  if (salt?.length !== SALT_BYTES) wrong.push('identity_salt');
  else if (!digestIdentity(salt, entryOf(row, data)).equals(row.identity_digest))
    wrong.push('actor_email, actor_name, ip_address, user_agent or their salt or digest');
  if (data === null) {
    if (dataSalt !== null || dataDigest !== null) wrong.push('data');
  } else if (dataSalt?.length !== SALT_BYTES) wrong.push('data_salt');
  else if (dataDigest === null || !digestData(dataSalt, data).equals(dataDigest))
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

const entryOf = (row: EntryRow, data: Record<string, unknown> | null): SealableEntry => ({
  id: row.id,
  tenantId: row.tenant_id,
  module: row.module,
  action: row.action,
  severity: SEVERITIES[row.severity]!,
  origin: ORIGINS[row.origin]!,
  actorId: row.actor_id,
  onBehalfOfId: row.on_behalf_of_id,
  clientId: row.client_id,
  resourceType: row.resource_type,
  resourceId: row.resource_id,
  requestId: row.request_id,
  occurredAt: instant(row.occurred_at),
  createdAt: instant(row.created_at),
  actorEmail: row.actor_email,
  actorName: row.actor_name,
  ipAddress: row.ip_address,
  userAgent: row.user_agent,
  data,
});

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
