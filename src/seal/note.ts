import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** C2SP signed-note: text, an empty line, and one line per signature. */

/** A public key. `keyId`: the first 4 bytes of SHA-256(name || "\n" || 0x01 || public key). */
export interface Verifier {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Buffer;
  verify(text: string, signature: Uint8Array): boolean;
}

export interface Signer extends Verifier {
  sign(text: string): Buffer;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: string;
  readonly signature: Buffer;
}

export interface Note {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const ED25519 = 0x01;
/** What precedes the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;

export function verifierOf(name: string, publicKey: Uint8Array): Verifier {
  const key = publicKeyObject(publicKey);
  return {
    name,
    keyId: keyIdOf(name, publicKey),
    publicKey: Buffer.from(publicKey),
    verify: (text, signature) => signature.length === 64 && verify(null, Buffer.from(text), key, signature),
  };
}

/** `pem`: an Ed25519 private key as PKCS 8. */
export function signerOf(name: string, pem: string): Signer {
  const key = createPrivateKey(pem);
  return {
    ...verifierOf(name, rawPublicKey(createPublicKey(key))),
    sign: (text) => sign(null, Buffer.from(text), key),
  };
}

/** The 32 bytes of an Ed25519 public key in PEM. Errors: an Error for anything else. */
export function readPublicPem(pem: string): Buffer {
  return rawPublicKey(createPublicKey(pem));
}

/** `<name>+<key id>+<base64 of 0x01 || public key>`, as C2SP signed-note encodes verifier keys. */
export const vkeyOf = ({ name, keyId, publicKey }: Verifier): string =>
  `${name}+${keyId}+${Buffer.concat([Buffer.of(ED25519), publicKey]).toString('base64')}`;

/** Null if it is not an Ed25519 verifier key, or its id does not match. */
export function readVkey(vkey: string): Verifier | null {
  const [, name, keyId, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(vkey) ?? [];
  const key = decodeBase64(encoded ?? '');
  if (name === undefined || key?.length !== 1 + KEY_BYTES || key[0] !== ED25519) return null;
  const verifier = verifierOf(name, key.subarray(1));
  return verifier.keyId === keyId ? verifier : null;
}

/** `text` ends with a newline. */
export function signNote(text: string, signer: Signer): string {
  const signed = Buffer.concat([Buffer.from(signer.keyId, 'hex'), signer.sign(text)]).toString('base64');
  return `${text}\n— ${signer.name} ${signed}\n`;
}

const MAX_NOTE_CHARACTERS = 1_000_000;

/** Null if it does not have the form of a signed note. Does not verify signatures. */
export function readNote(note: string): Note | null {
  const end = note.lastIndexOf('\n\n');
  if (note.length > MAX_NOTE_CHARACTERS || end < 0 || !note.endsWith('\n') || /[^\P{Cc}\n]/u.test(note))
    return null;
  const signatures: NoteSignature[] = [];
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, encoded] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
    const bytes = decodeBase64(encoded ?? '');
    if (name === undefined || bytes === null || bytes.length < 5) return null;
    signatures.push({ name, keyId: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) });
  }
  return { text: note.slice(0, end + 1), signatures };
}

/** The first of the keys whose signature is valid, or null. One invalid signature by a known key invalidates the note. */
export function signedBy({ text, signatures }: Note, verifiers: readonly Verifier[]): Verifier | null {
  let signer: Verifier | null = null;
  for (const { name, keyId, signature } of signatures) {
    const verifier = verifiers.find((each) => each.name === name && each.keyId === keyId);
    if (!verifier) continue;
    if (!verifier.verify(text, signature)) return null;
    signer ??= verifier;
  }
  return signer;
}

/** Null for anything but standard base64 with padding, so that each value has one encoding. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function keyIdOf(name: string, publicKey: Uint8Array): string {
  const id = createHash('sha256').update(`${name}\n`).update(Buffer.of(ED25519)).update(publicKey).digest();
  return id.toString('hex', 0, 4);
}

const publicKeyObject = (publicKey: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });

function rawPublicKey(key: KeyObject): Buffer {
  const der = key.export({ format: 'der', type: 'spki' });
  if (key.asymmetricKeyType !== 'ed25519' || der.length !== SPKI_PREFIX.length + KEY_BYTES)
    throw new Error(`expected an Ed25519 key, got ${key.asymmetricKeyType ?? 'another kind'}`);
  return der.subarray(SPKI_PREFIX.length);
}
