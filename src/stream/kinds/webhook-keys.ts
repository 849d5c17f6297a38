import type { KeyObject } from 'node:crypto';
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

/** Of secrets and keys, as Standard Webhooks has them. */
export const PREFIX = { shared: 'whsec_', private: 'whsk_', public: 'whpk_' } as const;
/** What precedes the 32 bytes of an Ed25519 private key in PKCS 8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_BYTES = 32;

type Sign = (id: string, at: Date, body: Uint8Array) => string;

/** Of the webhook-signature header, one item. */
export function signerOf(secret: string): Sign {
  const key = privateKeyOf(secret);
  const shared = Buffer.from(secret.replace(PREFIX.shared, ''), 'base64');
  return (id, at, body) => {
    const head = `${id}.${Math.floor(at.getTime() / 1_000)}.`;
    return key
      ? `v1a,${sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`
      : `v1,${createHmac('sha256', shared).update(head).update(body).digest('base64')}`;
  };
}

export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const pair = Buffer.concat([der.subarray(-KEY_BYTES), rawPublicKey(privateKey)]);
  return PREFIX.private + pair.toString('base64');
}

/** The seed, or the seed and the public key after it, which must be its own. */
export function privateKeyOf(secret: string): KeyObject | null {
  const bytes = secret.startsWith(PREFIX.private) ? bytesOf(secret.slice(PREFIX.private.length)) : null;
  if (!bytes || (bytes.length !== KEY_BYTES && bytes.length !== 2 * KEY_BYTES)) return null;
  const der = Buffer.concat([PKCS8_PREFIX, bytes.subarray(0, KEY_BYTES)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const isWhole = bytes.length === KEY_BYTES || rawPublicKey(key).equals(bytes.subarray(KEY_BYTES));
  return isWhole ? key : null;
}

const rawPublicKey = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES);

export const publicKeyOf = (key: KeyObject): string => PREFIX.public + rawPublicKey(key).toString('base64');

const MAX_PADDING = 2;

/** null for anything but base64, padded or not. */
export function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  const [digits, ...padding] = text.split('=', MAX_PADDING + 2);
  const isWhole = digits === bytes.toString('base64').split('=')[0];
  return bytes.length > 0 && isWhole && padding.length <= MAX_PADDING && padding.join('') === ''
    ? bytes
    : null;
}
