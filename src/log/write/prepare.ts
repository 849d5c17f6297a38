import type { CheckedEntry } from '../entry/check-entry.js';
import { foldEmail, foldName } from '../entry/email.js';
import { DERIVED_COLUMNS, type DerivedColumn, FIELDS, type Field } from '../entry/fields.js';
import type { Identity } from '../entry/identifier.js';
import { LEAF, type LeafVersion, type Salts } from '../entry/leaf.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { searchText } from '../entry/search-text.js';
import { digestKey } from './key-digest.js';

/** Columns of reel_log_entries in the order of PreparedEntry.values. */
export const insertColumns = (fields: readonly Field[] = FIELDS): string[] => [
  ...fields.filter(({ written }) => written).map(({ column }) => column),
  ...DERIVED_COLUMNS.map(({ column }) => column),
];

/** An entry with everything that is stored for it, computed before it is queued so that a batch only has to send it. */
export interface PreparedEntry {
  /** As it is returned to the writer, without a sequence yet. */
  entry: LogEntry;
  values: unknown[];
  leafHash: Buffer;
  /** Approximate size in memory, for the queue's bound. */
  bytes: number;
  key: { writer: string; idempotencyKey: string; contentHash: Buffer } | null;
}

/** The fields of an entry and the leaf version that it is sealed under. */
export interface Layout {
  fields: readonly Field[];
  leaf: LeafVersion;
}

export function prepareEntry(
  checked: CheckedEntry,
  identity: Identity,
  salts?: Salts,
  { fields, leaf }: Layout = { fields: FIELDS, leaf: LEAF },
): PreparedEntry {
  const { dataText, idempotencyKey, writer, contentHash, ...content } = checked;
  const entry: LogEntry = {
    ...content,
    id: identity.id,
    createdAt: identity.createdAt,
    occurredAt: checked.occurredAt ?? identity.createdAt,
    sequence: null,
    erasedAt: null,
  };
  const sealed = leaf.seal(entry, salts);
  const key =
    idempotencyKey !== null && contentHash !== null ? { writer, idempotencyKey, contentHash } : null;
  const derived: Record<DerivedColumn, unknown> = {
    leaf_version: leaf.version,
    actor_email_folded: entry.actorEmail && foldEmail(entry.actorEmail),
    actor_name_folded: entry.actorName && foldName(entry.actorName),
    search_text: searchText(entry),
    identity_salt: sealed.identitySalt,
    data_salt: sealed.dataSalt,
    identity_digest: sealed.identityDigest,
    data_digest: sealed.dataDigest,
    key_digest: key && digestKey({ tenantId: entry.tenantId, entryId: entry.id, ...key }),
  };
  const values: unknown[] = [];
  // data is already serialized.
  for (const field of fields)
    if (field.written) values.push(field.name === 'data' ? dataText : field.store(entry));
  for (const { column } of DERIVED_COLUMNS) values.push(derived[column]);
  return {
    entry,
    values,
    leafHash: sealed.leafHash,
    bytes: 2_000 + 4 * (dataText?.length ?? 0),
    key,
  };
}
