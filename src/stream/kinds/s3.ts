import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { AwsV4Signer } from 'aws4fetch';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { closingLine } from './batch-text.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  choice,
  type Kind,
  StreamKind,
  settingsOf,
  text,
  truth,
  urlText,
  whole,
} from './kind.js';
import { type Outcome, outcomeOfStatus } from './outcome.js';

interface S3Settings extends CommonSettings {
  endpoint?: string | undefined;
  region: string;
  bucket: string;
  prefix?: string | undefined;
  accessKeyId: string;
  compression?: 'gzip' | 'zstd' | undefined;
  pathStyle?: boolean | undefined;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,50}$/;
const PREFIX = /^[A-Za-z0-9!_.*'()-]+(?:\/[A-Za-z0-9!_.*'()-]+)*$/;
const COMPRESS = {
  gzip: { of: promisify(gzip), suffix: 'gz', type: 'application/gzip' },
  zstd: { of: promisify(zstdCompress), suffix: 'zst', type: 'application/zstd' },
};

/** Objects in any S3-compatible store: NDJSON, compressed, one a batch. */
export const s3: Kind<S3Settings> = {
  name: StreamKind.S3,
  formats: [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS],
  settings: settingsOf({
    endpoint: urlText.optional(),
    region: text(50),
    bucket: text(63),
    prefix: text(200).optional(),
    accessKeyId: text(128),
    compression: choice('gzip', 'zstd').optional(),
    pathStyle: truth.optional(),
    proofs: truth.optional(),
    batchEntries: whole(1, 50_000).optional(),
  }),
  destination: ['endpoint', 'region', 'bucket'],
  batch: { entries: 50_000, bytes: 5 * 1_048_576, seconds: 60 },
  proofs: true,
  check: (settings, egress) => {
    const { region, bucket, prefix, endpoint } = settings;
    if (!REGION.test(region)) throw badInput('settings.region', 'a region, for example eu-central-1', region);
    if (!BUCKET.test(bucket)) throw badInput('settings.bucket', 'the name of a bucket', bucket);
    if (prefix !== undefined && !PREFIX.test(prefix))
      throw badInput('settings.prefix', 'a prefix of keys without a slash at either end', prefix);
    egress.checkUrl(endpoint === undefined ? 'settings.bucket' : 'settings.endpoint', urlOf(settings, 'key'));
  },
  checkSecret: (secret) => checkToken(secret, 'the secret access key'),
  open: ({ settings, secret, tls, egress }) => {
    const http = egress.http(tls);
    const { accessKeyId, region, compression = 'gzip' } = settings;
    return {
      async send(batch, signal) {
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
        const sent = { method: 'PUT' as const, url: url.href, headers: Object.fromEntries(headers), body };
        const answer = await http.call({ ...sent, readsAnswer: true, signal });
        return outcomeOf(answer.status, answer.body.toString('utf8'), answer.retryAfter);
      },
      close: () => http.close(),
    };
  },
};

/** Hardly any error of a store is about what is in the object. */
function outcomeOf(status: number, body: string, retryAfter: string | null): Outcome {
  const code = /<Code>([A-Za-z]+)<\/Code>/.exec(body)?.[1] ?? '';
  const outcome = outcomeOfStatus(status, code, retryAfter);
  if (outcome.kind !== 'refused' || status === 413 || code === 'EntityTooLarge') return outcome;
  return { kind: code === 'RequestTimeout' ? 'later' : 'failing', answer: outcome.answer };
}

/** A line for each entry, and at the end the batch's own, without entries. */
const contentOf = (batch: BatchToSend): string =>
  [...batch.entries.map(({ text: line }) => line), closingLine(batch), ''].join('\n');

/** By the hour of the first entry, in UTC. */
function keyOf(
  { tenantId, first, last, entries, id, checkpoint, about }: BatchToSend,
  settings: S3Settings,
): string {
  const { prefix, compression = 'gzip' } = settings;
  const at = entries[0]!.entry.createdAt;
  const [year, month, day, hour] = [at.slice(0, 4), at.slice(5, 7), at.slice(8, 10), at.slice(11, 13)];
  const isTest = checkpoint === null && about.test === true;
  const name = isTest ? `test-${id.slice(-36)}` : `${first}-${last}`;
  const path = [tenantId, year, month, day, hour, `${name}.ndjson.${COMPRESS[compression].suffix}`];
  return [...(prefix === undefined ? [] : [prefix]), ...path].join('/');
}

function urlOf({ endpoint, region, bucket, pathStyle = false }: S3Settings, key: string): string {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  const base = url.pathname.replace(/\/$/, '');
  if (pathStyle) url.pathname = `${base}/${bucket}/${key}`;
  else {
    url.hostname = `${bucket}.${url.hostname}`;
    url.pathname = `${base}/${key}`;
  }
  return url.href;
}
