import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { badInput } from '../../errors.js';
import { httpKind } from './http-kind.js';
import { StreamKind } from './kind.js';
import type { Outcome } from './outcome.js';
import { COMPRESS, contentOf, keyOf, S3_SETTINGS, type S3Settings, urlOf } from './s3-object.js';
import { checkToken } from './settings.js';

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,50}$/;
const PREFIX = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9!_.*'()-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9!_.*'()-]+)*$/;
/** Of what parts the credential in the Authorization header nothing. */
const ACCESS_KEY_ID = /^[^,/=]+$/;
const VISIBLE = /^[\x21-\x7e]+$/;

/** Objects in any S3-compatible store: NDJSON, compressed, one a batch. */
export const s3 = httpKind<S3Settings>({
  name: StreamKind.S3,
  settings: S3_SETTINGS,
  destination: ['endpoint', 'region', 'bucket'],
  batch: { entries: 50_000, bytes: 5 * 1_048_576, seconds: 60 },
  proofs: true,
  check: (settings, egress) => {
    const { region, bucket, prefix, endpoint, accessKeyId } = settings;
    if (!REGION.test(region)) throw badInput('settings.region', 'a region, for example eu-central-1', region);
    if (!BUCKET.test(bucket)) throw badInput('settings.bucket', 'the name of a bucket', bucket);
    if (prefix !== undefined && !PREFIX.test(prefix))
      throw badInput('settings.prefix', 'a prefix of keys without a slash at either end', prefix);
    if (!VISIBLE.test(accessKeyId) || !ACCESS_KEY_ID.test(accessKeyId))
      throw badInput(
        'settings.accessKeyId',
        'ASCII without spaces, commas, slashes and equals signs',
        accessKeyId,
      );
    egress.checkUrl(endpoint === undefined ? 'settings.bucket' : 'settings.endpoint', urlOf(settings, 'key'));
    if (!settings.pathStyle && endpoint !== undefined && !urlOf(settings, 'key').includes(`//${bucket}.`))
      throw badInput('settings.pathStyle', 'true for an endpoint that is an address', false);
  },
  checkSecret: (secret) => checkToken(secret, 'the secret access key'),
  readsAnswer: true,
  exchange: ({ settings, secret }) => {
    const { accessKeyId, region, compression = 'gzip' } = settings;
    return {
      async post(batch) {
        const { of: compress, type } = COMPRESS[compression];
        const body = await compress(contentOf(batch));
        const signer = new AwsV4Signer({
          method: 'PUT',
          url: urlOf(settings, keyOf(batch, settings)),
          headers: {
            'content-type': type,
            'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
          },
          accessKeyId,
          secretAccessKey: secret ?? '',
          service: 's3',
          region,
        });
        const { url, headers } = await signer.sign();
        return { method: 'PUT', url: url.href, headers: Object.fromEntries(headers), body };
      },
      textOf: ({ body }) => codeOf(body),
      refused: (outcome, { status, body }) => refusalOf(outcome, status, codeOf(body)),
    };
  },
});

const codeOf = (body: Buffer): string => /<Code>([A-Za-z]+)<\/Code>/.exec(body.toString('utf8'))?.[1] ?? '';

/** Hardly any error of a store is about what is in the object. */
function refusalOf(outcome: Outcome, status: number, code: string): Outcome {
  if (outcome.kind !== 'refused' || status === 413 || code === 'EntityTooLarge') return outcome;
  return { kind: code === 'RequestTimeout' ? 'later' : 'failing', answer: outcome.answer };
}
