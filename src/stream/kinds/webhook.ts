import type { z } from 'zod';
import { badInput } from '../../errors.js';
import { batchBytes } from './batch-text.js';
import { httpKind } from './http-kind.js';
import { StreamKind } from './kind.js';
import { choice, headerValues, isNamed, settingsOf, truth, urlText } from './settings.js';
import { bytesOf, newPrivateKey, PREFIX, privateKeyOf, publicKeyOf, signerOf } from './webhook-keys.js';

const SETTINGS = settingsOf({
  url: urlText,
  headers: headerValues.optional(),
  signing: choice('v1', 'v1a').optional(),
  proofs: truth.optional(),
});

/** A POST of a JSON batch, signed as Standard Webhooks says. */
export const webhook = httpKind<z.infer<typeof SETTINGS>>({
  name: StreamKind.WEBHOOK,
  settings: SETTINGS,
  proofs: true,
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
  readsAnswer: false,
  exchange: ({ settings, format, secret, previousSecret, headers }) => {
    const signers = [secret, previousSecret].filter((each) => each !== null).map(signerOf);
    return {
      post(batch) {
        const body = batchBytes(batch, format);
        const at = new Date();
        return {
          url: settings.url,
          headers: {
            ...(isNamed(headers, 'user-agent') ? {} : { 'user-agent': 'reel' }),
            ...headers,
            'content-type': 'application/json',
            'webhook-id': batch.id,
            'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
            'webhook-signature': signers.map((each) => each(batch.id, at, body)).join(' '),
          },
          body,
        };
      },
    };
  },
});
