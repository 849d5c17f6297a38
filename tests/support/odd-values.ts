import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { TENANT } from './misuse.js';

/** A token that no library would issue, with a valid signature. */
export function signed(head: unknown, claims: unknown, secret: string): string {
  const text = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export const LONG = 'lorem ipsum dolor sit amet, consetetur sadipscing elitr '.repeat(40);
export const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    'x\udfffy',
    '\u202e\u0007\x7f',
    '__proto__',
    'constructor',
    'reel',
    "'; drop table reel_log_entries; --",
    '%_\\',
    '$1',
    '../../etc/passwd',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999Z',
    '10000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-05',
    '256.1.1.1',
    '10.0.0.0/99',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    TENANT,
    TENANT.toUpperCase(),
    LONG,
    '𝕏'.repeat(300),
  ),
  fc.string({ minLength: 250, maxLength: 2_000 }),
);
export const odd: fc.Arbitrary<unknown> = fc.oneof(
  oddText,
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom<unknown>(null, true, 0, -0, -1, 1e308, 2 ** 53, -(2 ** 63), 0.1, [], {}, [[]], [null]),
  fc.dictionary(oddText, fc.oneof(oddText, fc.integer()), { maxKeys: 4 }),
);
/** Objects with some of these keys and arbitrary values, `__proto__` as an own key and null prototypes included. */
export const fieldsOf = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), odd, {
    maxKeys: 6,
    noNullPrototype: false,
  });

export const CREATE_FIELDS =
  'module action severity resource_type resource_id data actor_id actor_email actor_name tenant_id client_id ip_address user_agent request_id'.split(
    ' ',
  );
export const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
export const runs = (numRuns: number) => ({
  numRuns,
  interruptAfterTimeLimit: 2_500,
  markInterruptAsFailure: false,
});

/** As encodeURIComponent, which refuses lone surrogates. */
export const escaped = (text: string) =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
