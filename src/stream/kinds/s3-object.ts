import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import type { z } from 'zod';
import { closingLine } from './batch-text.js';
import type { BatchToSend } from './kind.js';
import { choice, settingsOf, text, truth, urlText, whole } from './settings.js';

export const S3_SETTINGS = settingsOf({
  endpoint: urlText.optional(),
  region: text(50),
  bucket: text(63),
  prefix: text(200).optional(),
  accessKeyId: text(128),
  compression: choice('gzip', 'zstd').optional(),
  pathStyle: truth.optional(),
  proofs: truth.optional(),
  batchEntries: whole(1, 50_000).optional(),
});
export type S3Settings = z.infer<typeof S3_SETTINGS>;

export const COMPRESS = {
  gzip: { of: promisify(gzip), suffix: 'gz', type: 'application/gzip' },
  zstd: { of: promisify(zstdCompress), suffix: 'zst', type: 'application/zstd' },
};

/** A line for each entry, and at the end the batch's own, without entries. */
export const contentOf = (batch: BatchToSend): string =>
  [...batch.entries.map(({ text: line }) => line), closingLine(batch), ''].join('\n');

/** By the hour of the first entry, in UTC. */
export function keyOf(
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

export function urlOf({ endpoint, region, bucket, pathStyle = false }: S3Settings, key: string): string {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  const base = url.pathname.replace(/\/$/, '');
  if (pathStyle) url.pathname = `${base}/${bucket}/${key}`;
  else {
    url.hostname = `${bucket}.${url.hostname}`;
    url.pathname = `${base}/${key}`;
  }
  return url.href;
}
