import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { FIELDS } from '../entry/fields.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { readEntry } from '../entry/row.js';

/** What an erasure leaves of an entry's content, besides what the writer need not have said. */
const KEPT = [
  'tenantId',
  'clientId',
  'module',
  'action',
  'severity',
  'outcome',
  'actorId',
  'onBehalfOfId',
  'resourceType',
  'resourceId',
] as const satisfies readonly (keyof LogEntry)[];

type KeptContent = Pick<LogEntry, (typeof KEPT)[number] | 'occurredAt' | 'createdAt'>;

const NAMES: ReadonlySet<string> = new Set([...KEPT, 'id', 'occurredAt', 'createdAt']);
const KEPT_FIELDS = FIELDS.filter(({ name }) => NAMES.has(name));

/** The columns of a SELECT for readKeptContent. */
export const KEPT_COLUMNS = KEPT_FIELDS.map(({ column, kind }) =>
  kind.type === 'timestamp with time zone' ? `${column}::text as ${column}` : kind.select(column),
).join(', ');

export const readKeptContent = (row: Readonly<Record<string, unknown>>): KeptContent & Pick<LogEntry, 'id'> =>
  readEntry(row, KEPT_FIELDS);

/** Tells such a hash, which is one byte longer, from that of a whole content. */
const MARK = Buffer.of(0);

/**
 * In place of the content's hash with the idempotency key of an erased entry: by a hash of the whole content, what was
 * erased could be guessed. The same request sent again still matches, and is answered with the erased entry.
 */
export function hashKeptContent(entry: KeptContent): Buffer {
  const kept: Record<string, unknown> = {
    occurredAt: entry.occurredAt === entry.createdAt ? null : entry.occurredAt,
  };
  for (const name of KEPT) kept[name] = entry[name] ?? null;
  return Buffer.concat([MARK, hash('sha256', canonicalize(kept) as string, 'buffer')]);
}

/** Whether a prepared entry has the content that its idempotency key was used with. */
export const isSameContent = (entry: LogEntry, contentHash: Buffer, stored: Buffer): boolean =>
  stored.length > contentHash.length ? stored.equals(hashKeptContent(entry)) : stored.equals(contentHash);
