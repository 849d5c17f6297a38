/** Signed notes as C2SP has them (signed-note, tlog-checkpoint), read and checked with what browsers bring. */

type Bytes = Uint8Array<ArrayBuffer>;

/** What the signed text of a checkpoint says (docs/seal.md). */
export interface Said {
  /** Of the log: the key's name, a slash, the tenant's id. */
  origin: string;
  size: number;
  /** Base64. */
  root: string;
  /** RFC 3339. */
  sealedAt: string;
}

/** Whose signature it is: `<name>+<key id>` where it holds or where the browser cannot tell; none where it does not hold. */
export type Signed = { by: string; name: string; isChecked: boolean } | null;

const ED25519 = 1;
const SIGNATURE_BYTES = 64;

/** Standard base64 with its padding and nothing else, or null. */
export function fromBase64(text: string): Bytes | null {
  try {
    const letters = atob(text);
    return btoa(letters) === text ? Uint8Array.from(letters, (letter) => letter.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** SHA-256 over all parts, one after the other. */
export async function sha256(subtle: SubtleCrypto, ...parts: Uint8Array[]): Promise<Bytes> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await subtle.digest('SHA-256', whole));
}

/** The text that was signed, its last line's end included, and the lines of the signatures; null where it is no note. */
export function partsOf(note: string): { text: string; signatures: string[] } | null {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return null;
  return { text: note.slice(0, end + 1), signatures: note.slice(end + 2, -1).split('\n') };
}

/** null where the text is not a checkpoint's. */
export function readCheckpoint(text: string): Said | null {
  const [, origin, size, root, sealedAt] =
    /^(.+)\n(0|[1-9]\d{0,15})\n(\S+)\nsealed (\S+)\n$/.exec(text) ?? [];
  if (!origin || !root || !sealedAt || !Number.isSafeInteger(Number(size))) return null;
  return { origin, size: Number(size), root, sealedAt };
}

interface Key {
  name: string;
  id: string;
  bytes: Bytes;
}

/** The Ed25519 keys among verifier keys (C2SP vkeys) one a line; those whose id is not their own are left out. */
async function readKeys(keys: string, subtle: SubtleCrypto): Promise<Key[]> {
  const read: Key[] = [];
  for (const line of keys.split('\n')) {
    // The key itself is base64, in which a + may stand.
    const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line) ?? [];
    const bytes = fromBase64(encoded ?? '');
    if (!name || !id || bytes?.length !== 33 || bytes[0] !== ED25519) continue;
    const own = await sha256(subtle, utf8(`${name}\n`), bytes);
    if (toHex(own.subarray(0, 4)) === id) read.push({ name, id, bytes: bytes.slice(1) });
  }
  return read;
}

/** Who of the holders of `keys` signed the text. A known key's signature that does not hold spoils the note. */
export async function signerOf(
  { text, signatures }: { text: string; signatures: readonly string[] },
  keys: string,
  subtle: SubtleCrypto,
): Promise<Signed> {
  const known = await readKeys(keys, subtle);
  let signed: Signed = null;
  for (const line of signatures) {
    const [, name, encoded] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
    const bytes = fromBase64(encoded ?? '');
    if (!name || !bytes) return null;
    const id = toHex(bytes.subarray(0, 4));
    const key = known.find((each) => each.name === name && each.id === id);
    if (!key) continue;
    if (bytes.length !== 4 + SIGNATURE_BYTES) return null;
    const holds = await verified(key.bytes, bytes.slice(4), utf8(text), subtle);
    if (holds === false) return null;
    signed ??= { by: `${name}+${id}`, name, isChecked: holds === true };
  }
  return signed;
}

/** null where the browser does not know Ed25519. */
async function verified(
  key: Bytes,
  signature: Bytes,
  text: Bytes,
  subtle: SubtleCrypto,
): Promise<boolean | null> {
  try {
    const imported = await subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
    return await subtle.verify('Ed25519', imported, signature, text);
  } catch (cause) {
    if ((cause as Error).name === 'NotSupportedError') return null;
    return false;
  }
}
