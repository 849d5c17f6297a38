import { createPrivateKey } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** What an environment variable must contain, in words (for messages and the docs) and as a schema. */
export interface Kind<T> {
  readonly expects: string;
  readonly schema: z.ZodType<T, string>;
}

/** One setting. `fallback` is used if the variable is not given; `null` and an empty list mean none. */
export interface Setting<T, F = T> {
  readonly variable: string;
  readonly kind: Kind<T>;
  readonly fallback: F | ((env: Env) => F);
  /** Describes the fallback in the docs, where the value alone would not. */
  readonly fallbackNote?: string;
  readonly meaning: string;
  /** Only the length of a secret value is ever shown. */
  readonly secret?: boolean;
}

export type Env = 'development' | 'production';

export const integer = (min: number, max: number): Kind<number> => ({
  expects: `an integer from ${min} to ${max}`,
  schema: z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max)),
});

export const oneOf = <const T extends string>(...words: [T, ...T[]]): Kind<T> => ({
  expects: words.length < 3 ? words.join(' or ') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
  schema: z.string().pipe(z.enum(words)) as z.ZodType<T, string>,
});

export const onOff: Kind<boolean> = {
  expects: 'on or off',
  schema: z
    .string()
    .pipe(z.enum(['on', 'off']))
    .transform((word) => word === 'on'),
};

const text = (expects: string, fits: (value: string) => boolean): Kind<string> => ({
  expects,
  schema: z.string().refine(fits),
});

export const SECRET_BYTES = 32;

export const secretText = text(
  `at least ${SECRET_BYTES} bytes`,
  (value) => Buffer.byteLength(value, 'utf8') >= SECRET_BYTES,
);

export const path = text('a path', (value) => !value.includes('\0'));

export const host = text(
  'an address or a host name',
  (value) => isAddress(value) || /^[a-z0-9]([a-z0-9.-]{0,252})$/i.test(value),
);

export const httpUrl = text('an http or https URL without a user name or password', (value) => {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
});

export const postgresUrl = text(
  'a postgres:// or postgresql:// URL',
  (value) => /^postgres(ql)?:\/\//.test(value) && URL.canParse(value),
);

/** Key name of a signed note (C2SP signed-note): not empty, without white space or plus. */
export const keyName = text('a name of 1 to 200 characters without white space or +', (value) =>
  /^[^\s+\p{Cc}]{1,200}$/u.test(value),
);

export const signingKey = text(
  'an Ed25519 private key as PKCS 8 PEM, or file: followed by the path of one',
  (value) => value.startsWith('file:') || isSigningKey(value),
);

/** Items separated by commas; white space around them is ignored. */
const list = (expects: string, fits: (item: string) => boolean): Kind<readonly string[]> => ({
  expects: `${expects}, separated by commas`,
  schema: z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .refine((items) => items.every(fits)),
});

export const addressBlocks = list('addresses or CIDR blocks', isAddressBlock);

export const origins = list('exact http or https origins', (item) => {
  const url = URL.parse(item);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === item;
});

/** Dotted quads and IPv6 only: ipaddr.js also accepts `1` and `0x7f.1`. */
export function isAddress(value: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(value) || (ipaddr.IPv6.isValid(value) && !value.includes('%'));
}

function isAddressBlock(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  if (!isAddress(address) || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (address.includes(':') ? 128 : 32);
}

export function isLoopback(name: string): boolean {
  if (name.toLowerCase() === 'localhost') return true;
  return isAddress(name) && ipaddr.process(name).range() === 'loopback';
}

/** Accepts a PEM from an environment file, with line breaks written as \n. */
export const unfoldPem = (pem: string): string => pem.replaceAll('\\n', '\n').trim();

export function isSigningKey(pem: string): boolean {
  try {
    return (
      unfoldPem(pem).startsWith('-----BEGIN PRIVATE KEY-----') &&
      createPrivateKey(unfoldPem(pem)).asymmetricKeyType === 'ed25519'
    );
  } catch {
    return false;
  }
}
