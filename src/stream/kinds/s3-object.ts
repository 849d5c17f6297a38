import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { closingLine } from './batch-text.js';
import type { BatchToSend, CommonSettings } from './kind.js';

export interface S3Settings extends CommonSettings {
  endpoint?: string | undefined;
  region: string;
  bucket: string;
  prefix?: string | undefined;
  accessKeyId: string;
  compression?: 'gzip' | 'zstd' | undefined;
  pathStyle?: boolean | undefined;
}

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
