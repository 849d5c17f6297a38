import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { FIELDS, type Field, type Sealed, sealedFields } from './fields.js';
import type { LogEntry } from './log-entry.entity.js';
import { random } from './random.js';

/** The entry that a leaf is computed from, in stored form: UUIDs in lower case, times in UTC with six digits, addresses as host(inet) prints them. */
export type SealableEntry = Omit<LogEntry, 'sequence' | 'erasedAt'>;

/** The same of an entry that may have been changed, so that its values may be anything. */
export type LeafValues = { readonly [name in keyof LogEntry]?: unknown };

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

/** A member of a leaf's object: a field of the entry, or one of the digests that stand for the others. */
export type LeafMember = Field | 'identity' | 'data';

/** A canonical JSON object with fixed keys, as the text before each value and after the last. */
export interface Template<Member> {
  readonly members: readonly Member[];
  /** One more than members. */
  readonly parts: readonly string[];
}

const template = <Member>(
  members: readonly (readonly [string, Member])[],
  end: string,
): Template<Member> => ({
  members: members.map(([, member]) => member),
  parts: [...members.map(([key], at) => `${at === 0 ? '{' : ','}${JSON.stringify(key)}:`), end],
});

/** The object that identity is the digest of (docs/seal.md, "Leaf"). */
export const identityTemplate = (fields: readonly Field[], version: number): Template<Field> =>
  template(
    sealedFields(fields, 'identity', version).map((field) => [field.column, field] as const),
    '}',
  );

/** A leaf with its keys in the order of RFC 8785, `v` the last. */
export function leafTemplate(fields: readonly Field[], version: number): Template<LeafMember> {
  const digests: [string, LeafMember][] = [
    ['identity', 'identity'],
    ['data', 'data'],
  ];
  const members = sealedFields(fields, 'leaf' satisfies Sealed, version).map(
    (field): [string, LeafMember] => [field.column, field],
  );
  const sorted = [...members, ...digests].sort(([a], [b]) => (a < b ? -1 : 1));
  return template(sorted, `,"v":${version}}`);
}

/** Hashes entries under one version of the leaf. */
export class LeafVersion {
  readonly identity: Template<Field>;
  readonly leaf: Template<LeafMember>;

  constructor(
    readonly version: number,
    fields: readonly Field[] = FIELDS,
  ) {
    this.identity = identityTemplate(fields, version);
    this.leaf = leafTemplate(fields, version);
  }

  /** The two digests and the leaf hash of a new entry (docs/seal.md, "Leaf"). */
  seal(entry: SealableEntry, salts: Salts = newSalts()): SealedLeaf {
    const identity = this.hashIdentity(salts.identitySalt, entry);
    const data = entry.data === null ? null : hashData(salts.dataSalt, entry.data);
    return {
      identitySalt: salts.identitySalt,
      dataSalt: data === null ? null : salts.dataSalt,
      identityDigest: Buffer.from(identity, 'hex'),
      dataDigest: data === null ? null : Buffer.from(data, 'hex'),
      leafHash: Buffer.from(this.hashLeaf(entry, identity, data), 'hex'),
    };
  }

  /** Lower-case hex of SHA-256(salt || JCS of the identity fields, null where empty). */
  hashIdentity(salt: Uint8Array, entry: LeafValues): string {
    const { members, parts } = this.identity;
    let text = '';
    for (let at = 0; at < members.length; at += 1) text += parts[at]! + quote(sealed(members[at]!, entry));
    return sha256(salt, text + parts[members.length]!);
  }

  /** RFC 6962 leaf hash, SHA-256(0x00 || JCS(leaf)), in lower-case hex, as are the digests of the parts that may be erased. */
  hashLeaf(entry: LeafValues, identity: string, data: string | null): string {
    return sha256(LEAF_PREFIX, this.leafText(entry, identity, data));
  }

  /** The leaf as RFC 8785 has it. */
  leafText(entry: LeafValues, identity: string, data: string | null): string {
    const { members, parts } = this.leaf;
    let text = '';
    for (let at = 0; at < members.length; at += 1) {
      const member = members[at]!;
      const value = member === 'identity' ? identity : member === 'data' ? data : sealed(member, entry);
      text += parts[at]! + quote(value);
    }
    return text + parts[members.length]!;
  }
}

const sealed = ({ name, kind }: Field, entry: LeafValues): unknown => kind.seal(entry[name]);

/** Every version that there are entries of, by its number. */
export const LEAF_VERSIONS: ReadonlyMap<number, LeafVersion> = new Map(
  [1, 2].map((version) => [version, new LeafVersion(version)]),
);

/** The version for new entries. */
export const LEAF = new LeafVersion(2);

export const newSalts = (): Salts => ({ identitySalt: random(16), dataSalt: random(16) });

/** Lower-case hex of SHA-256(salt || JCS(data)). */
export const hashData = (salt: Uint8Array, data: Record<string, unknown>): string =>
  sha256(salt, canonicalize(data) as string);

const LEAF_PREFIX = Buffer.of(0);

/** What JSON may escape: control characters, quotation marks, backslashes and surrogates; rare in a leaf. */
const ESCAPED = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** JSON.stringify serializes a well-formed string as RFC 8785 requires. */
const quote = (value: unknown): string =>
  typeof value === 'string' && !ESCAPED.test(value) ? `"${value}"` : JSON.stringify(value);

/** Reused, since this runs several times per entry; data fits. */
const scratch = Buffer.alloc(256 * 1024);

/** In hex, which takes a third of the time of a Buffer. */
function sha256(first: Uint8Array, text: string): string {
  if (first.length + 3 * text.length > scratch.length)
    return hash('sha256', Buffer.concat([first, Buffer.from(text)]), 'hex');
  scratch.set(first);
  const end = first.length + scratch.write(text, first.length);
  return hash('sha256', scratch.subarray(0, end), 'hex');
}
