import type { CheckedEntry } from '../entry/check-entry.js';
import { foldEmail } from '../entry/email.js';
import type { Identity } from '../entry/identifier.js';
import type { Salts } from '../entry/leaf.js';
import { sealLeaf } from '../entry/leaf.js';
import { type LogEntry } from '../entry/log-entry.entity.js';
import { ORIGINS } from '../entry/origin.js';
import { searchText } from '../entry/search-text.js';
import { SEVERITIES } from '../entry/severity.js';
import { digestKey } from './key-digest.js';

/** Columns of reel_log_entries in the order of PreparedEntry.values. */
export const ENTRY_COLUMNS = [
  'tenant_id',
  'id',
  'module',
  'action',
  'severity',
  'origin',
  'actor_id',
  'actor_email',
  'actor_email_folded',
  'actor_name',
  'on_behalf_of_id',
  'client_id',
  'resource_type',
  'resource_id',
  'data',
  'search_text',
  'ip_address',
  'user_agent',
  'request_id',
  'occurred_at',
  'created_at',
  'identity_salt',
  'data_salt',
  'identity_digest',
  'data_digest',
  'key_digest',
] as const;

/** An entry with everything that will be stored of it, made at the door so that a batch only has to send it. */
export interface PreparedEntry {
  /** As it will be answered; its sequence comes later. */
  entry: LogEntry;
  values: unknown[];
  leafHash: Buffer;
  /** Rough size in memory, for the bound of the queue. */
  bytes: number;
  key: { writer: string; idempotencyKey: string; contentHash: Buffer } | null;
}

export function prepareEntry(checked: CheckedEntry, identity: Identity, salts?: Salts): PreparedEntry {
  const { dataText, idempotencyKey, writer, contentHash, ...fields } = checked;
  const entry = {
    ...fields,
    id: identity.id,
    createdAt: identity.createdAt,
    occurredAt: checked.occurredAt ?? identity.createdAt,
    sequence: null,
    erasedAt: null,
  } as LogEntry;
  const leaf = sealLeaf(entry, salts);
  const key =
    idempotencyKey !== null && contentHash !== null ? { writer, idempotencyKey, contentHash } : null;
  return {
    entry,
    values: [
      entry.tenantId,
      entry.id,
      entry.module,
      entry.action,
      SEVERITIES.indexOf(entry.severity),
      ORIGINS.indexOf(entry.origin),
      entry.actorId,
      entry.actorEmail,
      entry.actorEmail && foldEmail(entry.actorEmail),
      entry.actorName,
      entry.onBehalfOfId,
      entry.clientId,
      entry.resourceType,
      entry.resourceId,
      dataText,
      searchText(entry.data),
      entry.ipAddress,
      entry.userAgent,
      entry.requestId,
      entry.occurredAt,
      entry.createdAt,
      leaf.identitySalt,
      leaf.dataSalt,
      leaf.identityDigest,
      leaf.dataDigest,
      key && digestKey({ tenantId: entry.tenantId, entryId: entry.id, ...key }),
    ],
    leafHash: leaf.leafHash,
    bytes: 2_000 + 4 * (dataText?.length ?? 0),
    key,
  };
}
