/** Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), verified with Web Crypto. */

type Bytes = Uint8Array<ArrayBuffer>;

/** The text of a checkpoint (docs/seal.md). */
export interface Checkpoint {
  /** The key's name, a slash, and the tenant's id. */
  origin: string;
  size: number;
  /** Base64. */
  root: string;
  /** RFC 3339. */
  sealedAt: string;
}

export interface Signer {
  /** `<name>+<key id>` */
  key: string;
  name: string;
  /** False where the browser has no Ed25519. */
  isVerified: boolean;
}

const ED25519 = 1;
const SIGNATURE_BYTES = 64;

/** Decodes standard base64, padded and without anything else; null for other text. */
export function fromBase64(text: string): Bytes | null {
  try {
    const binary = atob(text);
    return btoa(binary) === text ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** SHA-256 of the concatenated parts. */
export async function sha256(subtle: SubtleCrypto, ...parts: Uint8Array[]): Promise<Bytes> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await subtle.digest('SHA-256', whole));
}

/** Splits a note into the signed text, with its final newline, and the signature lines; null where it is not a note. */
export function splitNote(note: string): { text: string; signatures: string[] } | null {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return null;
  return { text: note.slice(0, end + 1), signatures: note.slice(end + 2, -1).split('\n') };
}

/** Null where the text is not a checkpoint's. */
export function parseCheckpoint(text: string): Checkpoint | null {
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

/** The Ed25519 keys among verifier keys (C2SP vkeys), one a line. Skips keys whose id does not match. */
async function parseKeys(keys: string, subtle: SubtleCrypto): Promise<Key[]> {
  const parsed: Key[] = [];
  for (const line of keys.split('\n')) {
    // The last part is base64, which may contain a +.
    const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line) ?? [];
    const bytes = fromBase64(encoded ?? '');
    if (!name || !id || bytes?.length !== 33 || bytes[0] !== ED25519) continue;
    const hash = await sha256(subtle, utf8(`${name}\n`), bytes);
    if (toHex(hash.subarray(0, 4)) === id) parsed.push({ name, id, bytes: bytes.slice(1) });
  }
  return parsed;
}

/** Which of `keys` signed the text; null where none did, or where any signature by one of them is invalid. */
export async function findSigner(
  { text, signatures }: { text: string; signatures: readonly string[] },
  keys: string,
  subtle: SubtleCrypto,
): Promise<Signer | null> {
  const known = await parseKeys(keys, subtle);
  let signer: Signer | null = null;
  for (const line of signatures) {
    const [, name, encoded] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
    const bytes = fromBase64(encoded ?? '');
    if (!name || !bytes) return null;
    const id = toHex(bytes.subarray(0, 4));
    const key = known.find((each) => each.name === name && each.id === id);
    if (!key) continue;
    if (bytes.length !== 4 + SIGNATURE_BYTES) return null;
    const isValid = await verify(key.bytes, bytes.slice(4), utf8(text), subtle);
    if (isValid === false) return null;
    signer ??= { key: `${name}+${id}`, name, isVerified: isValid === true };
  }
  return signer;
}

/** Null where the browser has no Ed25519. */
async function verify(
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
