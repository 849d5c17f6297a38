import { hash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';

/** The row of an idempotency key. */
export interface StoredKey {
  tenantId: string;
  writer: string;
  idempotencyKey: string;
  entryId: string;
  contentHash: Uint8Array;
}

/**
 * SHA-256 over the row of a key, stored with the entry: neither can be changed, deleted or moved to another tenant without
 * a mismatch. It contains no secret: unlike the seal it only detects accidents and manual tampering.
 */
export const digestKey = ({ tenantId, writer, idempotencyKey, entryId, contentHash }: StoredKey): Buffer =>
  hash(
    'sha256',
    [tenantId, entryId, Buffer.from(contentHash).toString('hex'), writer, idempotencyKey].join('\n'),
    'buffer',
  );

/** The same of a row of reel_log_keys, by the name `k`. */
export const KEY_DIGEST: RawBuilder<Buffer> = sql<Buffer>`
  sha256(convert_to(concat_ws(E'\n', k.tenant_id, k.entry_id, encode(k.content_hash, 'hex'), k.writer, k.idempotency_key), 'UTF8'))`;
