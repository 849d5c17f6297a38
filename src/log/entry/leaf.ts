import { hash, randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { LogEntry } from './log-entry.entity.js';

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

/** Salts of 16 bytes, SHA-256 values of 32. */
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
  const identity = hashIdentity(salts.identitySalt, entry);
  const data = entry.data === null ? null : hashData(salts.dataSalt, entry.data);
  return {
    identitySalt: salts.identitySalt,
    dataSalt: data === null ? null : salts.dataSalt,
    identityDigest: Buffer.from(identity, 'hex'),
    dataDigest: data === null ? null : Buffer.from(data, 'hex'),
    leafHash: Buffer.from(hashLeaf(entry, identity, data), 'hex'),
  };
}

/** Lower-case hex of SHA-256(salt || JCS of the four identity fields, null where empty). */
export const hashIdentity = (salt: Uint8Array, entry: IdentityFields): string =>
  sha256(
    salt,
    `{"actor_email":${quote(entry.actorEmail)},"actor_name":${quote(entry.actorName)}` +
      `,"ip_address":${quote(entry.ipAddress)},"user_agent":${quote(entry.userAgent)}}`,
  );

/** Lower-case hex of SHA-256(salt || JCS(data)). */
export const hashData = (salt: Uint8Array, data: Record<string, unknown>): string =>
  sha256(salt, canonicalize(data) as string);

const LEAF_PREFIX = Buffer.of(0);

/** RFC 6962 leaf hash, SHA-256(0x00 || JCS(leaf)), in lower-case hex, as are the digests of the parts that may be erased. */
export const hashLeaf = (entry: LeafFields, identity: string, data: string | null): string =>
  sha256(LEAF_PREFIX, leafText(entry, identity, data));

/** The leaf as RFC 8785 has it: keys in order, written out because this runs for every entry. */
export const leafText = (entry: LeafFields, identity: string, data: string | null): string =>
  `{"action":${quote(entry.action)},"actor_id":${quote(entry.actorId)},"client_id":${quote(entry.clientId)}` +
  `,"created_at":${quote(entry.createdAt)},"data":${data === null ? data : `"${data}"`},"id":${quote(entry.id)}` +
  `,"identity":"${identity}","module":${quote(entry.module)}` +
  `,"occurred_at":${quote(entry.occurredAt)},"on_behalf_of_id":${quote(entry.onBehalfOfId)}` +
  `,"origin":${quote(entry.origin)},"request_id":${quote(entry.requestId)},"resource_id":${quote(entry.resourceId)}` +
  `,"resource_type":${quote(entry.resourceType)},"severity":${quote(entry.severity)}` +
  `,"tenant_id":${quote(entry.tenantId)},"v":1}`;

/** What stands before each of the four identity fields, and after the last. */
export const IDENTITY_PARTS = parts(
  '{"actor_email":',
  ',"actor_name":',
  ',"ip_address":',
  ',"user_agent":',
  '}',
);
/** Before each value of a leaf, in the order of its keys, and after the last; the first with RFC 6962's prefix. */
export const LEAF_PARTS = parts(
  '\0{"action":',
  ',"actor_id":',
  ',"client_id":',
  ',"created_at":',
  ',"data":',
  ',"id":',
  ',"identity":',
  ',"module":',
  ',"occurred_at":',
  ',"on_behalf_of_id":',
  ',"origin":',
  ',"request_id":',
  ',"resource_id":',
  ',"resource_type":',
  ',"severity":',
  ',"tenant_id":',
  ',"v":1}',
);

function parts(...texts: string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text));
}

/** Control characters, quotation marks, backslashes and surrogates: what JSON may escape; few texts of a leaf have any. */
const ESCAPED = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** JSON.stringify writes a well-formed string as RFC 8785 asks. */
const quote = (text: string | null): string => {
  if (text === null) return 'null';
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
};

/** Reused, since this runs several times an entry; texts of data fit. */
const scratch = Buffer.alloc(256 * 1024);

/** In hex: a third of the time of a Buffer of its own. */
function sha256(first: Uint8Array, text: string): string {
  if (first.length + 3 * text.length > scratch.length)
    return hash('sha256', Buffer.concat([first, Buffer.from(text)]), 'hex');
  scratch.set(first);
  const end = first.length + scratch.write(text, first.length);
  return hash('sha256', scratch.subarray(0, end), 'hex');
}
