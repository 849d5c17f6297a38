import { createPrivateKey } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { type ActionModes, parseActionModes } from './action-modes.js';

/** What an environment variable must contain, in words (for messages and the docs) and as a schema. */
export interface Kind<T> {
  readonly expects: string;
  readonly schema: z.ZodType<T, string>;
  /** Whether items are separated by commas. */
  readonly isList?: boolean;
}

/** One setting. `fallback` is used if the variable is not given; `null` and an empty list mean none. */
export interface Setting<T, F = T> {
  readonly variable: string;
  readonly kind: Kind<T>;
  readonly fallback: F | ((env: Env) => F);
  /** Describes the fallback in the docs, where the value alone would not. */
  readonly fallbackNote?: string;
  readonly meaning: string;
  /** Only the length of a secret value is ever shown, and it may come from a file: see `secret.ts`. */
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

/** While a secret is being changed there are several, separated by commas: the first signs, all are accepted. */
export const secretTexts: Kind<readonly string[]> = {
  expects: `at least ${SECRET_BYTES} bytes`,
  isList: true,
  schema: z
    .string()
    .transform(itemsOf)
    .refine(
      (items) => items.length > 0 && items.every((item) => Buffer.byteLength(item, 'utf8') >= SECRET_BYTES),
    ),
};

/** The first encrypts, all are tried. */
export const streamKeys: Kind<readonly string[]> = {
  expects: `base64 of ${SECRET_BYTES} bytes`,
  isList: true,
  schema: z
    .string()
    .transform(itemsOf)
    .refine((items) => items.length > 0 && items.every((item) => isBase64Of(item, SECRET_BYTES))),
};

function isBase64Of(text: string, bytes: number): boolean {
  const decoded = Buffer.from(text, 'base64');
  return decoded.length === bytes && decoded.toString('base64') === text;
}

export const claimText = text(
  'text of 1 to 255 characters without control characters or white space around it',
  (value) => value.trim() === value && /^\P{Cc}{1,255}$/u.test(value),
);

export const bearerToken = text('a token without white space', (value) => !/\s/.test(value));

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

/** In a variable, line breaks may be written as \n. */
export const signingKey: Kind<string> = {
  expects: 'an Ed25519 private key as PKCS 8 PEM',
  schema: z.string().transform(unfoldPem).refine(isSigningKey),
};

/** Items separated by commas; white space around them is ignored. */
const list = (expects: string, fits: (item: string) => boolean): Kind<readonly string[]> => ({
  expects: `${expects}, separated by commas`,
  schema: z
    .string()
    .transform(itemsOf)
    .refine((items) => items.every(fits)),
});

export function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

export const addressBlocks = list('addresses or CIDR blocks', isAddressBlock);

/** Each `TENANT=env:NAME` or `TENANT=file:PATH`, the tenant's id in lower case. */
export const secretReferences: Kind<readonly string[]> = {
  expects: 'items of the form TENANT=env:NAME or TENANT=file:PATH, separated by commas',
  schema: z
    .string()
    .transform((value) => itemsOf(value).map((item) => item.replace(/^[^=]*/, (id) => id.toLowerCase())))
    .refine((items) => items.every((item) => SECRET_REFERENCE.test(item))),
};
const SECRET_REFERENCE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}=(?:env:[A-Za-z_]\w*|file:[^\0]+)$/;

export const actionModes: Kind<ActionModes> = {
  expects:
    'off, warn or refuse, and for single modules NAME=off, NAME=warn or NAME=refuse, separated by commas',
  schema: z
    .string()
    .transform((value) => parseActionModes(itemsOf(value)))
    .refine((modes): modes is ActionModes => modes !== null) as z.ZodType<ActionModes, string>,
};

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

function unfoldPem(pem: string): string {
  return pem.replaceAll('\\n', '\n').trim();
}

function isSigningKey(pem: string): boolean {
  try {
    return (
      pem.startsWith('-----BEGIN PRIVATE KEY-----') && createPrivateKey(pem).asymmetricKeyType === 'ed25519'
    );
  } catch {
    return false;
  }
}
