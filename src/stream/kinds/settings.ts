import { z } from 'zod';
import { badInput } from '../../errors.js';

export interface CommonSettings {
  readonly batchEntries?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly batchSeconds?: number | undefined;
  readonly proofs?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  readonly ca?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | null | undefined;
}

/** A check whose message says what is expected. */
const expected = <T>(what: string, fits: (value: unknown) => boolean) => z.custom<T>(fits, { error: what });

export const text = (max: number) =>
  expected<string>(
    `1 to ${max} characters without control characters`,
    (value) => typeof value === 'string' && value !== '' && value.length <= max && !/\p{Cc}/u.test(value),
  );
export const urlText = expected<string>(
  'an https URL of at most 2,000 characters without a user name or password',
  (value) => typeof value === 'string' && value.length <= 2_000 && URL.canParse(value),
);
export const truth = expected<boolean>('true or false', (value) => typeof value === 'boolean');
export const whole = (min: number, max: number) =>
  expected<number>(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
export const choice = <const T extends string>(...words: readonly T[]) =>
  expected<T>(words.join(' or '), (value) => words.includes(value as T));

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]{1,4000}$/;
const RESERVED =
  /^(host|content-.*|transfer-encoding|connection|te|upgrade|trailer|expect|keep-alive|proxy-.*|webhook-.*)$/i;
/** By name; null stands for a value that is kept. */
export const headerValues = expected<Record<string, string | null>>(
  'at most 20 names of headers, each once and none that Reel sets itself, each with a value of 1 to 4,000 characters',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length <= 20 &&
    new Set(Object.keys(value).map((name) => name.toLowerCase())).size === Object.keys(value).length &&
    Object.entries(value).every(
      ([name, each]) =>
        HEADER_NAME.test(name) &&
        !RESERVED.test(name) &&
        (each === null || (typeof each === 'string' && HEADER_VALUE.test(each))),
    ),
);

/** Whether a header is among those that were given, in whatever case. */
export const isNamed = (headers: Readonly<Record<string, string | null>>, header: string): boolean =>
  Object.keys(headers).some((name) => name.toLowerCase() === header);

const pem = (label: RegExp, what: string) =>
  expected<string>(
    what,
    (value) => typeof value === 'string' && value.length <= 64 * 1024 && label.test(value),
  );

const COMMON = {
  batchEntries: whole(1, 1_000).optional(),
  batchBytes: whole(1_024, 5 * 1_048_576).optional(),
  batchSeconds: whole(0, 3_600).optional(),
  ca: pem(/^-----BEGIN CERTIFICATE-----/, 'certificates as PEM').optional(),
  clientCertificate: pem(/^-----BEGIN CERTIFICATE-----/, 'a certificate as PEM').optional(),
  clientKey: pem(/^-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key as PEM')
    .nullable()
    .optional(),
};

/** A kind's settings, with those that every kind takes. */
export const settingsOf = <S extends z.ZodRawShape>(own: S) => z.strictObject({ ...COMMON, ...own });

/** Settings whose values are never shown. */
export const SECRET_SETTINGS: ReadonlySet<string> = new Set(['headers', 'clientKey']);

/** Errors: BAD_USER_INPUT that names the setting. */
export function readSettings<S>(schema: z.ZodType<S>, given: Readonly<Record<string, unknown>>): S {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const known = schema instanceof z.ZodObject ? Object.keys(schema.shape).join(', ') : '';
    throw badInput('settings', `only ${known}`, issue.keys.join(', '));
  }
  const name = String(issue?.path[0] ?? '');
  const came = given[name];
  const shown = SECRET_SETTINGS.has(name) && came !== undefined ? 'something else' : came;
  throw badInput(`settings.${name}`, issue?.message ?? 'another value', shown);
}

/** For kinds whose secret is a token or a key in one line. */
export function checkToken(secret: string | null, what: string, isRequired = true): void {
  if (secret === null && !isRequired) return;
  if (secret === null || !/^[\x21-\x7e][\x20-\x7e]{0,4095}$/.test(secret))
    throw badInput('secret', what, secret === null ? null : `${secret.length} other characters`);
}
