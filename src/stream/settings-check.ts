import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import { badInput } from '../errors.js';
import type { Egress } from './egress/egress.js';
import type { StreamFormat } from './formats/format.js';
import type { Kind } from './kinds/kind.js';
import { type CommonSettings, readSettings } from './kinds/settings.js';
import type { StoredStream } from './store.js';
import type { UpdateStreamInput } from './stream.js';
import {
  isReference,
  NO_SECRETS,
  type SecretKeeper,
  type StreamSecrets,
  UnreadableSecrets,
} from './stream-secrets.js';

/** How long a secret that was changed goes on to sign beside the new one. */
const BOTH_SIGN_MS = 24 * 3_600_000;

/** Checks settings and secrets as somebody gave them. Errors: BAD_USER_INPUT. */
export class SettingsCheck {
  constructor(private readonly parts: { readonly secrets: SecretKeeper; readonly egress: Egress }) {}

  /** A stream's settings as they were given, without what is shown beside them. */
  ownOf(kind: Kind, { settings }: Pick<StoredStream, 'settings'>): Record<string, unknown> {
    const known = kind.settings instanceof z.ZodObject ? kind.settings.shape : settings;
    return Object.fromEntries(Object.entries(settings).filter(([name]) => Object.hasOwn(known, name)));
  }

  /** What changes hands by an address is sent there only where it is given for it. */
  needSecretAgain(
    kind: Kind,
    stream: StoredStream,
    before: StreamSecrets,
    input: UpdateStreamInput,
    given: Readonly<Record<string, unknown>>,
  ): void {
    const where = kind.destination.join(' or ');
    const isMade = kind.makeSecret?.(stream.settings as CommonSettings) != null;
    if (before.secret !== null && input.secret === undefined && !isMade)
      throw badInput('secret', `the secret again, since ${where} changes`, null);
    for (const [setting, kept] of [
      ['headers', Object.keys(before.headers).length > 0],
      ['clientKey', before.clientKey !== null],
    ] as const)
      if (kept && given[setting] === undefined)
        throw badInput(`settings.${setting}`, `${setting} again, since ${where} changes`, null);
  }

  /** Errors: BAD_USER_INPUT where the operator's own cannot be read. */
  private resolved(tenantId: string, secret: string | null): string | null {
    try {
      return this.parts.secrets.resolve(tenantId, secret);
    } catch (error) {
      if (!(error instanceof UnreadableSecrets)) throw error;
      throw badInput('secret', 'a secret that the server can read', secret);
    }
  }

  /**
   * Settings as they are kept, and what of them is secret, encrypted. `given`: the secret; undefined: as it is. `before`: what
   * was secret.
   */
  check(
    own: Pick<StoredStream, 'tenantId' | 'id'>,
    kind: Kind,
    format: StreamFormat,
    given: Readonly<Record<string, unknown>>,
    givenSecret: string | null | undefined,
    before: StreamSecrets | null,
  ): { settings: Record<string, unknown>; secret: Buffer | null } {
    const { secrets, egress } = this.parts;
    if (!kind.formats.includes(format)) throw badInput('format', `one of ${kind.formats.join(', ')}`, format);
    const settings = readSettings(kind.settings, given);
    kind.check(settings, egress);
    const old = before ?? NO_SECRETS;
    const headers = keptHeaders(settings.headers ?? {}, old.headers);
    const clientKey = keptKey(settings.clientKey, old.clientKey);
    if ((settings.clientCertificate === undefined) !== (clientKey === null))
      throw badInput(
        'settings.clientKey',
        'a private key with a client certificate',
        clientKey ? 'a key alone' : null,
      );
    checkTls(settings, clientKey);
    let secret = givenSecret === undefined ? old.secret : givenSecret;
    secret ??= kind.makeSecret?.(settings) ?? null;
    if (secret !== null && isReference(secret)) secrets.checkReference(own.tenantId, secret);
    const resolved = this.resolved(own.tenantId, secret);
    kind.checkSecret(resolved, settings);
    const isOther = old.secret !== null && old.secret !== secret;
    const previous = isOther ? { secret: old.secret!, until: Date.now() + BOTH_SIGN_MS } : old.previous;
    return {
      settings: {
        ...settings,
        ...(settings.headers && {
          headers: Object.fromEntries(Object.keys(headers).map((name) => [name, null])),
        }),
        ...(clientKey !== null && { clientKey: null }),
        ...kind.shown?.(resolved, settings),
      },
      secret: secrets.seal(own.tenantId, own.id, { secret, previous, headers, clientKey }),
    };
  }
}

/** Errors: BAD_USER_INPUT for certificates or a key that cannot be read, or do not belong together. */
function checkTls({ ca, clientCertificate }: CommonSettings, clientKey: string | null): void {
  const read = (setting: string, what: string, reading: () => unknown) => {
    try {
      reading();
    } catch {
      throw badInput(`settings.${setting}`, what, 'something else in PEM');
    }
  };
  if (ca !== undefined)
    read('ca', 'certificates as PEM', () =>
      ca.split(/(?=-----BEGIN )/).map((each) => new X509Certificate(each)),
    );
  if (clientCertificate === undefined || clientKey === null) return;
  read('clientCertificate', 'a certificate as PEM', () => new X509Certificate(clientCertificate));
  read('clientKey', 'the private key of clientCertificate as PEM', () =>
    createSecureContext({ cert: clientCertificate, key: clientKey }),
  );
}

/** A header given without a value keeps the one it has. Errors: BAD_USER_INPUT where it has none. */
function keptHeaders(
  given: Readonly<Record<string, string | null>>,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const kept = value ?? (Object.hasOwn(before, name) ? before[name] : undefined);
      if (kept === undefined) throw badInput('settings.headers', `a value of ${name}`, null);
      return [name, kept];
    }),
  );
}

const keptKey = (given: string | null | undefined, before: string | null): string | null =>
  given === undefined ? null : (given ?? before);
