import type { Entry } from './entry.js';
import { fromBase64, partsOf, readCheckpoint, sha256, signerOf, toHex, utf8 } from './signed-note.js';

/** What of an entry and its proof can fail to go together. */
export type Part = 'identity' | 'data' | 'leaf' | 'place' | 'root' | 'checkpoint' | 'signature';

/** An entry with all that its leaf is made of. */
export type Provable = Omit<Entry, 'changes' | 'related'>;

export type Verdict =
  | { is: 'holds'; place: number; size: number; sealedAt: string; key: string; isErased: boolean }
  | { is: 'differs'; parts: Part[] }
  /** Nothing differs as far as it can be seen: without Web Crypto, a proof, the keys or Ed25519. */
  | { is: 'unchecked'; why: 'crypto' | 'proof' | 'keys' | 'signature' };

const SALT_BYTES = 16;

/** RFC 8785 for what JSON.parse answers: keys in order of UTF-16 units, the rest as JSON.stringify has it. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = value as Record<string, unknown>;
  const written = Object.keys(members)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(members[key])}`);
  return `{${written.join(',')}}`;
}

/**
 * Works out from an entry's own fields whether it stands in the log that a published key has signed (docs/seal.md).
 * `keys`: what /.well-known/reel-keys answered. `subtle`: undefined where the page has no Web Crypto, as on plain http.
 */
export async function checkProof(
  entry: Provable,
  keys: string,
  subtle: SubtleCrypto | undefined,
): Promise<Verdict> {
  const { proof } = entry;
  if (!subtle) return { is: 'unchecked', why: 'crypto' };
  if (!proof) return { is: 'unchecked', why: 'proof' };
  const parts: Part[] = [];
  const differ = (part: Part, does: boolean) => does && parts.push(part);

  differ('identity', !(await holdsIdentity(entry, subtle)));
  differ('data', !(await holdsData(entry, subtle)));
  const leaf = await sha256(subtle, Uint8Array.of(0), utf8(canonical(leafOf(entry))));
  differ('leaf', toHex(leaf) !== toHex(fromBase64(proof.leafHash) ?? Uint8Array.of()));
  differ('place', entry.sequence !== proof.leafIndex + 1);

  const { checkpoint } = proof;
  const note = partsOf(checkpoint.note);
  const said = note && readCheckpoint(note.text);
  const signed = note && (await signerOf(note, keys, subtle));
  const root = await rootFrom(leaf, proof.leafIndex, said?.size ?? 0, proof.path, subtle);
  differ('root', root === null || toHex(root) !== toHex(fromBase64(said?.root ?? '') ?? Uint8Array.of()));
  differ(
    'checkpoint',
    said?.size !== checkpoint.treeSize ||
      said.root !== checkpoint.rootHash ||
      said.sealedAt !== checkpoint.sealedAt ||
      checkpoint.tenantId !== entry.tenantId ||
      (signed
        ? said.origin !== `${signed.name}/${entry.tenantId}`
        : !said.origin.endsWith(`/${entry.tenantId}`)),
  );
  differ('signature', !signed);

  if (parts.length > 0 || !said || !signed) return { is: 'differs', parts };
  if (!signed.isChecked) return { is: 'unchecked', why: 'signature' };
  return {
    is: 'holds',
    place: proof.leafIndex + 1,
    size: said.size,
    sealedAt: said.sealedAt,
    key: signed.by,
    isErased: entry.erasedAt !== null,
  };
}

async function salted(salt: string, value: unknown, subtle: SubtleCrypto): Promise<string | null> {
  const bytes = fromBase64(salt);
  if (bytes?.length !== SALT_BYTES) return null;
  return toHex(await sha256(subtle, bytes, utf8(canonical(value))));
}

/** Only what was erased may come without its salt, and then shows nothing. */
async function holdsIdentity(entry: Provable, subtle: SubtleCrypto): Promise<boolean> {
  const { actorEmail, actorName, ipAddress, userAgent, erasedAt, proof } = entry;
  const { identitySalt, identityDigest } = proof!;
  const identity = {
    actor_email: actorEmail,
    actor_name: actorName,
    ip_address: ipAddress,
    user_agent: userAgent,
  };
  if (identitySalt === null)
    return erasedAt !== null && Object.values(identity).every((value) => value === null);
  return erasedAt === null && (await salted(identitySalt, identity, subtle)) === identityDigest;
}

async function holdsData({ data, erasedAt, proof }: Provable, subtle: SubtleCrypto): Promise<boolean> {
  const { dataSalt, dataDigest } = proof!;
  if (dataSalt === null) return data === null && (dataDigest === null || erasedAt !== null);
  return erasedAt === null && data !== null && (await salted(dataSalt, data, subtle)) === dataDigest;
}

const leafOf = (entry: Provable) => ({
  v: 1,
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
});

/** RFC 9162, section 2.1.3.2; null where the path is none from this place in a log of this size. */
async function rootFrom(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly string[],
  subtle: SubtleCrypto,
): Promise<Uint8Array | null> {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return null;
  let [hash, fn, sn] = [leaf, index, size - 1];
  const half = () => {
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  };
  for (const step of path) {
    const other = fromBase64(step);
    if (other?.length !== 32 || sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = await sha256(subtle, Uint8Array.of(1), other, hash);
      while (fn % 2 === 0 && fn !== 0) half();
    } else hash = await sha256(subtle, Uint8Array.of(1), hash, other);
    half();
  }
  return sn === 0 ? hash : null;
}
