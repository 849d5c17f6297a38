import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { batchText } from './batch-text.js';
import {
  type CommonSettings,
  choice,
  headerValues,
  type Kind,
  StreamKind,
  settingsOf,
  truth,
  urlText,
} from './kind.js';
import { outcomeOfStatus } from './outcome.js';

interface WebhookSettings extends CommonSettings {
  url: string;
  signing?: 'v1' | 'v1a' | undefined;
}

const PREFIX = { shared: 'whsec_', private: 'whsk_', public: 'whpk_' } as const;
/** What precedes the 32 bytes of an Ed25519 private key in PKCS 8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_BYTES = 32;

/** A POST of a JSON batch, signed as Standard Webhooks says. */
export const webhook: Kind<WebhookSettings> = {
  name: StreamKind.WEBHOOK,
  formats: [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS],
  settings: settingsOf({
    url: urlText,
    headers: headerValues.optional(),
    signing: choice('v1', 'v1a').optional(),
    proofs: truth.optional(),
  }),
  destination: ['url'],
  batch: { entries: 500, bytes: 1_048_576, seconds: 0 },
  proofs: true,
  check: ({ url }, egress) => egress.checkUrl('settings.url', url),
  makeSecret: ({ signing }) => (signing === 'v1a' ? newPrivateKey() : null),
  checkSecret: (secret, { signing }) => {
    const came = secret === null ? null : `${secret.length} characters that are not one`;
    if (signing === 'v1a') {
      if (secret === null || privateKeyOf(secret) === null)
        throw badInput('secret', `${PREFIX.private} and the base64 of an Ed25519 private key`, came);
    } else {
      const key = secret?.startsWith(PREFIX.shared) ? bytesOf(secret.slice(PREFIX.shared.length)) : null;
      if (!key || key.length < 24 || key.length > 64)
        throw badInput('secret', `${PREFIX.shared} and the base64 of 24 to 64 bytes`, came);
    }
  },
  shown: (secret, { signing }) => {
    const key = signing === 'v1a' && secret !== null ? privateKeyOf(secret) : null;
    return key ? { publicKey: publicKeyOf(key) } : {};
  },
  open: ({ settings, format, secret, previousSecret, headers, tls, egress }) => {
    const http = egress.http(tls);
    const signers = [secret, previousSecret].filter((each) => each !== null).map(signerOf);
    return {
      async send(batch, signal) {
        const text = batchText(batch, format);
        const at = new Date();
        const answer = await http.call({
          method: 'POST',
          url: settings.url,
          headers: {
            'user-agent': 'reel',
            ...headers,
            'content-type': 'application/json',
            'webhook-id': batch.id,
            'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
            'webhook-signature': signers.map((each) => each(batch.id, at, text)).join(' '),
          },
          body: Buffer.from(text),
          readsAnswer: false,
          signal,
        });
        return outcomeOfStatus(answer.status, answer.body.toString('utf8'), answer.retryAfter);
      },
      close: () => http.close(),
    };
  },
};

type Sign = (id: string, at: Date, body: string) => string;

/** Of the webhook-signature header, one item. */
function signerOf(secret: string): Sign {
  const key = privateKeyOf(secret);
  if (!key) {
    const hmac = new Webhook(secret);
    return (id, at, body) => hmac.sign(id, at, body);
  }
  return (id, at, body) => {
    const signed = `${id}.${Math.floor(at.getTime() / 1_000)}.${body}`;
    return `v1a,${sign(null, Buffer.from(signed), key).toString('base64')}`;
  };
}

function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const pair = Buffer.concat([der.subarray(-KEY_BYTES), rawPublicKey(privateKey)]);
  return PREFIX.private + pair.toString('base64');
}

/** The seed, or the seed and the public key after it, which must be its own. */
function privateKeyOf(secret: string): KeyObject | null {
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
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  const [digits, ...padding] = text.split('=', MAX_PADDING + 2);
  const isWhole = digits === bytes.toString('base64').split('=')[0];
  return bytes.length > 0 && isWhole && padding.length <= MAX_PADDING && padding.join('') === ''
    ? bytes
    : null;
}
