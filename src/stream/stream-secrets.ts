import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readReference } from '../config/secret.js';
import { badInput, conflict } from '../errors.js';

/** What of a stream is secret. */
export interface StreamSecrets {
  /** What signs or opens the receiver, or `env:NAME` or `file:PATH`. */
  readonly secret: string | null;
  /** The one before; `until`: milliseconds since the epoch. */
  readonly previous: { readonly secret: string; readonly until: number } | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly clientKey: string | null;
}

export const NO_SECRETS: StreamSecrets = { secret: null, previous: null, headers: {}, clientKey: null };

/** Secrets cannot be read: the key is not there, or they are another stream's. */
export class UnreadableSecrets extends Error {
  override readonly name = 'UnreadableSecrets';
}

const [NONCE_BYTES, TAG_BYTES] = [12, 16];
/** The first byte of what is stored: whether there is a secret, or headers and the like alone. */
const [WITH_SECRET, WITHOUT_SECRET] = [1, 2];
const REFERENCE = /^(?:env|file):/;

/**
 * Keeps streams' secrets: AES-256-GCM (NIST SP 800-38D) under a key derived from REEL_STREAM_KEY, bound to the tenant and the
 * stream, so that one stream's cannot be put in place of another's.
 */
export class SecretKeeper {
  private readonly keys: readonly Buffer[];
  private readonly references: ReadonlySet<string>;

  /** `keys`: base64, the first encrypts. `references`: what REEL_STREAM_SECRETS lists. */
  constructor(keys: readonly string[], references: readonly string[]) {
    this.keys = keys.map((key) =>
      Buffer.from(hkdfSync('sha256', Buffer.from(key, 'base64'), '', 'reel stream secrets', 32)),
    );
    this.references = new Set(references);
  }

  /** Errors: CONFLICT where there is no key. */
  checkKey(): void {
    if (this.keys.length === 0)
      throw conflict('REEL_STREAM_KEY: expected base64 of 32 bytes, needed for streams, got nothing');
  }

  /** Null where nothing is secret. Errors: CONFLICT where there is no key. */
  seal(tenantId: string, streamId: string, secrets: StreamSecrets): Buffer | null {
    const { secret, previous, headers, clientKey } = secrets;
    if (secret === null && previous === null && clientKey === null && Object.keys(headers).length === 0)
      return null;
    this.checkKey();
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.keys[0]!, nonce);
    const start = Buffer.of(secret === null ? WITHOUT_SECRET : WITH_SECRET);
    cipher.setAAD(boundTo(start, tenantId, streamId));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()]);
    return Buffer.concat([start, nonce, cipher.getAuthTag(), sealed]);
  }

  /** Errors: UnreadableSecrets. */
  open(tenantId: string, streamId: string, stored: Buffer | null): StreamSecrets {
    if (stored === null) return NO_SECRETS;
    const [start, nonce] = [stored.subarray(0, 1), stored.subarray(1, 1 + NONCE_BYTES)];
    const tag = stored.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
    for (const key of this.keys)
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(boundTo(start, tenantId, streamId)).setAuthTag(tag);
        const text = decipher.update(stored.subarray(1 + NONCE_BYTES + TAG_BYTES), undefined, 'utf8');
        return JSON.parse(text + decipher.final('utf8')) as StreamSecrets;
      } catch {
        // Encrypted under another key.
      }
    throw new UnreadableSecrets('expected the key of REEL_STREAM_KEY that the secrets are encrypted under');
  }

  /** Errors: BAD_USER_INPUT for a reference that the operator does not list for the tenant. */
  checkReference(tenantId: string, secret: string): void {
    if (REFERENCE.test(secret) && !this.references.has(`${tenantId}=${secret}`))
      throw badInput('secret', 'a secret, or one that REEL_STREAM_SECRETS lists for this tenant', secret);
  }

  /** The secret itself, of one or of what names it. Errors: UnreadableSecrets. */
  resolve(tenantId: string, secret: string | null): string | null {
    if (secret === null || !REFERENCE.test(secret)) return secret;
    if (!this.references.has(`${tenantId}=${secret}`))
      throw new UnreadableSecrets('expected a secret that REEL_STREAM_SECRETS lists');
    try {
      return readReference(secret, 'REEL_STREAM_SECRETS');
    } catch (error) {
      throw new UnreadableSecrets((error as Error).message);
    }
  }
}

/** Whether what is stored holds a secret, and not only headers or a client's key. */
export const holdsSecret = (stored: Buffer | null): boolean => stored?.[0] === WITH_SECRET;

export const isReference = (secret: string): boolean => REFERENCE.test(secret);

const boundTo = (start: Buffer, tenantId: string, streamId: string): Buffer =>
  Buffer.concat([start, Buffer.from(`${tenantId}/${streamId}`)]);
