import { hash, randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { LogEntry } from '../log/log-entry.entity.js';

/** What may be erased of an entry; the leaf holds it as a salted digest. `ipAddress` as host(inet) prints it. */
export type IdentityFields = Pick<LogEntry, 'actorEmail' | 'actorName' | 'ipAddress' | 'userAgent'>;

/** What stands in the leaf as it is, in stored form: UUIDs in lower case, times in UTC with six digits. */
export type LeafFields = Pick<
  LogEntry,
  | 'id'
  | 'tenantId'
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'actorId'
  | 'onBehalfOfId'
  | 'clientId'
  | 'resourceType'
  | 'resourceId'
  | 'requestId'
  | 'occurredAt'
  | 'createdAt'
>;

export type SealableEntry = LeafFields & IdentityFields & Pick<LogEntry, 'data'>;

/** 16 random bytes each. */
export interface Salts {
  identitySalt: Buffer;
  dataSalt: Buffer;
}

/** SHA-256 values of 32 bytes. */
export interface Digests {
  identityDigest: Uint8Array;
  /** null where the entry has no data. */
  dataDigest: Uint8Array | null;
}

export interface SealedLeaf {
  identitySalt: Buffer;
  dataSalt: Buffer | null;
  identityDigest: Buffer;
  dataDigest: Buffer | null;
  leafHash: Buffer;
}

export function newSalts(): Salts {
  const random = randomBytes(32);
  return { identitySalt: random.subarray(0, 16), dataSalt: random.subarray(16) };
}

/** The two digests and the leaf hash of a new entry (docs/seal.md, "Leaf"). */
export function sealLeaf(entry: SealableEntry, salts: Salts = newSalts()): SealedLeaf {
  const identityDigest = digestIdentity(salts.identitySalt, entry);
  const dataDigest = entry.data === null ? null : digestData(salts.dataSalt, entry.data);
  return {
    identitySalt: salts.identitySalt,
    dataSalt: dataDigest && salts.dataSalt,
    identityDigest,
    dataDigest,
    leafHash: leafHash(entry, { identityDigest, dataDigest }),
  };
}

/** SHA-256(salt || JCS of the four identity fields, null where empty). */
export const digestIdentity = (salt: Uint8Array, entry: IdentityFields): Buffer =>
  sha256(
    salt,
    `{"actor_email":${quote(entry.actorEmail)},"actor_name":${quote(entry.actorName)}` +
      `,"ip_address":${quote(entry.ipAddress)},"user_agent":${quote(entry.userAgent)}}`,
  );

/** SHA-256(salt || JCS(data)). */
export const digestData = (salt: Uint8Array, data: Record<string, unknown>): Buffer =>
  sha256(salt, canonicalize(data) as string);

const LEAF_PREFIX = Buffer.of(0);

/** RFC 6962 leaf hash, SHA-256(0x00 || JCS(leaf)), of an entry whose parts may have been erased since. */
export const leafHash = (entry: LeafFields, digests: Digests): Buffer =>
  sha256(LEAF_PREFIX, leafText(entry, digests));

/** The leaf as RFC 8785 has it: keys in order, written out because this runs for every entry. */
export const leafText = (entry: LeafFields, digests: Digests): string =>
  `{"action":${quote(entry.action)},"actor_id":${quote(entry.actorId)},"client_id":${quote(entry.clientId)}` +
  `,"created_at":${quote(entry.createdAt)},"data":${quote(hex(digests.dataDigest))},"id":${quote(entry.id)}` +
  `,"identity":${quote(hex(digests.identityDigest))},"module":${quote(entry.module)}` +
  `,"occurred_at":${quote(entry.occurredAt)},"on_behalf_of_id":${quote(entry.onBehalfOfId)}` +
  `,"origin":${quote(entry.origin)},"request_id":${quote(entry.requestId)},"resource_id":${quote(entry.resourceId)}` +
  `,"resource_type":${quote(entry.resourceType)},"severity":${quote(entry.severity)}` +
  `,"tenant_id":${quote(entry.tenantId)},"v":1}`;

/** Characters that JSON writes as they are: most of a leaf's texts have no others. */
const PLAIN = /^[\w .:@/-]*$/;

/** JSON.stringify writes a well-formed string as RFC 8785 asks. */
const quote = (text: string | null): string => {
  if (text === null) return 'null';
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
};

const hex = (digest: Uint8Array | null): string | null =>
  digest && Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex');

/** Reused, since this runs several times an entry; texts of data fit. */
const scratch = Buffer.alloc(256 * 1024);

function sha256(first: Uint8Array, text: string): Buffer {
  if (first.length + 3 * text.length > scratch.length)
    return hash('sha256', Buffer.concat([first, Buffer.from(text)]), 'buffer');
  scratch.set(first);
  const end = first.length + scratch.write(text, first.length);
  return hash('sha256', scratch.subarray(0, end), 'buffer');
}
