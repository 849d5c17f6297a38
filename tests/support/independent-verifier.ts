/**
 * Checks proofs without Reel's code, and by recursion over the halves of the tree instead of the bit shifts of RFC 9162.
 * Uses only Node's crypto.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

const sha256 = (...parts: (Uint8Array | string)[]): Buffer => {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
};
const node = (left: Uint8Array, right: Uint8Array) => sha256(Buffer.of(1), left, right);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function below(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** The root that the path leads to; null if its length is wrong. */
function climb(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array | null {
  if (size <= 1) return path.length === 0 ? leaf : null;
  const sibling = path.at(-1);
  if (!sibling) return null;
  const k = below(size);
  const rest = path.slice(0, -1);
  const child = index < k ? climb(leaf, index, k, rest) : climb(leaf, index - k, size - k, rest);
  if (!child) return null;
  return index < k ? node(child, sibling) : node(sibling, child);
}

export function checkInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (index < 0 || index >= size) return false;
  const reached = climb(leaf, index, size, path);
  return reached !== null && same(reached, root);
}

/** Both roots of a subtree of `size` leaves whose first `first` are the older log's; null if the path's length is wrong. */
function rebuild(
  first: number,
  size: number,
  isWhole: boolean,
  oldRoot: Uint8Array,
  path: readonly Uint8Array[],
): [Uint8Array, Uint8Array] | null {
  if (first === size) {
    if (isWhole) return path.length === 0 ? [oldRoot, oldRoot] : null;
    return path.length === 1 ? [path[0]!, path[0]!] : null;
  }
  const k = below(size);
  const sibling = path.at(-1);
  if (!sibling) return null;
  const rest = path.slice(0, -1);
  if (first <= k) {
    const left = rebuild(first, k, isWhole, oldRoot, rest);
    return left && [left[0], node(left[1], sibling)];
  }
  const right = rebuild(first - k, size - k, false, oldRoot, rest);
  return right && [node(sibling, right[0]), node(sibling, right[1])];
}

export function checkConsistency(
  first: number,
  second: number,
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  if (first < 1 || first > second) return false;
  const roots = rebuild(first, second, true, oldRoot, path);
  return roots !== null && same(roots[0], oldRoot) && same(roots[1], newRoot);
}

/** An independent RFC 8785 for leaves and data. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = value as Record<string, unknown>;
    const keys = Object.keys(fields).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(fields[key])}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

export const saltedDigest = (salt: Uint8Array, value: unknown): Buffer => sha256(salt, canonical(value));
export const leafHashOf = (leaf: Record<string, unknown>): Buffer => sha256(Buffer.of(0), canonical(leaf));

type Fields = Readonly<Record<string, unknown>>;

const LEAF_1 =
  `id tenant_id module action severity origin actor_id on_behalf_of_id client_id resource_type resource_id
  request_id occurred_at created_at`.split(/\s+/);
const IDENTITY_1 = ['actor_email', 'actor_name', 'ip_address', 'user_agent'];
const pick = (entry: Fields, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, entry[name]]));

/** What is sealed of an entry under REST's names, as docs/seal.md has it; both digests in hex. */
export function leafOf(version: number, entry: Fields, identity: string, data: string | null): Fields {
  const plain = { v: version, ...pick(entry, LEAF_1), identity, data };
  if (version === 1) return plain;
  const repaired = (entry.repaired as string[]).length === 0 ? null : entry.repaired;
  return { ...plain, actor_type: entry.actor_type, outcome: entry.outcome, repaired };
}

export const identityOf = (version: number, entry: Fields): Fields =>
  pick(entry, version === 1 ? IDENTITY_1 : [...IDENTITY_1, 'on_behalf_of_name', 'resource_name']);

/** Reads a note that one key has signed; throws where anything about it is wrong. `publicKey`: 32 bytes. */
export function openNote(note: string, name: string, publicKey: Uint8Array) {
  const [text, last] = note.split('\n\n') as [string, string];
  const signed = `${text}\n`;
  const match = /^— (\S+) (\S+)\n$/.exec(last);
  if (!match || match[1] !== name) throw new Error('not signed by that name');
  const bytes = Buffer.from(match[2]!, 'base64');
  const id = sha256(`${name}\n`, Buffer.of(1), publicKey).subarray(0, 4);
  if (!same(bytes.subarray(0, 4), id)) throw new Error('another key id');
  const x = Buffer.from(publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  if (!verify(null, Buffer.from(signed), key, bytes.subarray(4)))
    throw new Error('the signature does not hold');
  const [origin, size, root, sealed] = text.split('\n') as [string, string, string, string];
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), sealed };
}
