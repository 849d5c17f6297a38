import type { EntryQuery } from '../generated.js';
import { findSigner, fromBase64, parseCheckpoint, sha256, splitNote, toHex, utf8 } from './signed-note.js';

/** An entry with everything that its leaf is made of. */
export type ProvableEntry = Omit<NonNullable<EntryQuery['log']>, 'changes' | 'related'>;

/** A part of an entry, its proof or its checkpoint that does not match the rest. */
export type Mismatch = 'identity' | 'data' | 'leaf' | 'position' | 'root' | 'checkpoint' | 'signature';

export type ProofResult =
  | { status: 'valid'; position: number; size: number; sealedAt: string; key: string; isErased: boolean }
  | { status: 'invalid'; mismatches: Mismatch[] }
  /** Without Web Crypto, a proof, one of a version known here, the keys, or (everything else matching) Ed25519. */
  | { status: 'unchecked'; missing: 'crypto' | 'proof' | 'version' | 'keys' | 'ed25519' };

const SALT_BYTES = 16;
const LEAF_VERSIONS = [1, 2];

/** RFC 8785 JSON of anything that JSON.parse returns. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = value as Record<string, unknown>;
  const written = Object.keys(members)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(members[key])}`);
  return `{${written.join(',')}}`;
}

/**
 * Checks from an entry's own fields that it is in the log that one of the published keys signed (docs/seal.md).
 * `keys`: the text of /.well-known/reel-keys. `subtle`: undefined where the page has no Web Crypto, as on plain http.
 */
export async function checkProof(
  entry: ProvableEntry,
  keys: string,
  subtle: SubtleCrypto | undefined,
): Promise<ProofResult> {
  const { proof } = entry;
  if (!subtle) return { status: 'unchecked', missing: 'crypto' };
  if (!proof) return { status: 'unchecked', missing: 'proof' };
  if (!LEAF_VERSIONS.includes(proof.leafVersion)) return { status: 'unchecked', missing: 'version' };
  const mismatches: Mismatch[] = [];
  const expect = (matches: boolean, part: Mismatch) => {
    if (!matches) mismatches.push(part);
  };

  expect(await identityMatches(entry, subtle), 'identity');
  expect(await dataMatches(entry, subtle), 'data');
  const leaf = await sha256(subtle, Uint8Array.of(0), utf8(canonicalJson(leafOf(entry))));
  expect(equalsBase64(leaf, proof.leafHash) && (proof.leafVersion > 1 || lacksLaterFields(entry)), 'leaf');
  expect(entry.sequence === proof.leafIndex + 1, 'position');

  const { checkpoint } = proof;
  const note = splitNote(checkpoint.note);
  const signed = note && parseCheckpoint(note.text);
  const signer = note && (await findSigner(note, keys, subtle));
  const root = await rootFromPath(leaf, proof.leafIndex, signed?.size ?? 0, proof.path, subtle);
  expect(root !== null && equalsBase64(root, signed?.root ?? ''), 'root');
  expect(
    signed?.size === checkpoint.treeSize &&
      signed.root === checkpoint.rootHash &&
      signed.sealedAt === checkpoint.sealedAt &&
      checkpoint.tenantId === entry.tenantId &&
      (signer
        ? signed.origin === `${signer.name}/${entry.tenantId}`
        : signed.origin.endsWith(`/${entry.tenantId}`)),
    'checkpoint',
  );
  expect(!!signer, 'signature');

  if (mismatches.length > 0 || !signed || !signer) return { status: 'invalid', mismatches };
  if (!signer.isVerified) return { status: 'unchecked', missing: 'ed25519' };
  return {
    status: 'valid',
    position: proof.leafIndex + 1,
    size: signed.size,
    sealedAt: signed.sealedAt,
    key: signer.key,
    isErased: entry.erasedAt !== null,
  };
}

const equalsBase64 = (bytes: Uint8Array, base64: string) =>
  toHex(bytes) === toHex(fromBase64(base64) ?? Uint8Array.of());

/** The hex digest; null where the salt is not one. */
async function saltedDigest(salt: string, value: unknown, subtle: SubtleCrypto): Promise<string | null> {
  const bytes = fromBase64(salt);
  if (bytes?.length !== SALT_BYTES) return null;
  return toHex(await sha256(subtle, bytes, utf8(canonicalJson(value))));
}

/** Only an erased entry may lack its salt, and then must have no personal fields. */
async function identityMatches(entry: ProvableEntry, subtle: SubtleCrypto): Promise<boolean> {
  const { erasedAt, proof } = entry;
  const { leafVersion, identitySalt, identityDigest } = proof!;
  const names = { on_behalf_of_name: entry.onBehalfOfName, resource_name: entry.resourceName };
  const identity = {
    actor_email: entry.actorEmail,
    actor_name: entry.actorName,
    ip_address: entry.ipAddress,
    user_agent: entry.userAgent,
    ...(leafVersion > 1 && names),
  };
  if (leafVersion === 1 && Object.values(names).some((value) => value !== null)) return false;
  if (identitySalt === null)
    return erasedAt !== null && Object.values(identity).every((value) => value === null);
  return erasedAt === null && (await saltedDigest(identitySalt, identity, subtle)) === identityDigest;
}

async function dataMatches({ data, erasedAt, proof }: ProvableEntry, subtle: SubtleCrypto): Promise<boolean> {
  const { dataSalt, dataDigest } = proof!;
  if (dataSalt === null) return data === null && (dataDigest === null || erasedAt !== null);
  return erasedAt === null && data !== null && (await saltedDigest(dataSalt, data, subtle)) === dataDigest;
}

/** Version 1 seals no outcome, type of actor or list of mended fields, so an entry of it can only have what stands for none. */
function lacksLaterFields({ outcome, repaired, ...entry }: ProvableEntry): boolean {
  const acted = [entry.actorId, entry.actorEmail, entry.actorName, entry.erasedAt];
  const actorType = acted.some((value) => value !== null) ? 'USER' : 'SYSTEM';
  return outcome === null && repaired.length === 0 && entry.actorType === actorType;
}

const leafOf = (entry: ProvableEntry) => ({
  v: entry.proof!.leafVersion,
  id: entry.id,
  tenant_id: entry.tenantId,
  module: entry.module,
  action: entry.action,
  severity: entry.severity,
  origin: entry.origin,
  actor_id: entry.actorId,
  on_behalf_of_id: entry.onBehalfOfId,
  client_id: entry.clientId,
  resource_type: entry.resourceType,
  resource_id: entry.resourceId,
  request_id: entry.requestId,
  occurred_at: entry.occurredAt,
  created_at: entry.createdAt,
  identity: entry.proof!.identityDigest,
  data: entry.proof!.dataDigest,
  ...(entry.proof!.leafVersion > 1 && {
    actor_type: entry.actorType,
    outcome: entry.outcome,
    repaired: entry.repaired.length > 0 ? entry.repaired : null,
  }),
});

/** RFC 9162, section 2.1.3.2. Null where the path does not fit this index in a tree of this size. */
async function rootFromPath(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly string[],
  subtle: SubtleCrypto,
): Promise<Uint8Array | null> {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return null;
  let [hash, fn, sn] = [leaf, index, size - 1];
  // Not a shift: positions may exceed 32 bits.
  const halve = () => {
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  };
  for (const step of path) {
    const sibling = fromBase64(step);
    if (sibling?.length !== 32 || sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = await sha256(subtle, Uint8Array.of(1), sibling, hash);
      while (fn % 2 === 0 && fn !== 0) halve();
    } else hash = await sha256(subtle, Uint8Array.of(1), hash, sibling);
    halve();
  }
  return sn === 0 ? hash : null;
}
