import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clip, ERROR_STATUS, ReelError } from '../../src/errors.js';

test('every code is documented with its status, and none that is gone', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  expect(Object.fromEntries(documented)).toEqual(ERROR_STATUS);
});

test('what came is never repeated past 200 characters', () => {
  for (const came of [
    'x'.repeat(10_000),
    { a: 'x'.repeat(10_000) },
    Array(10_000).fill(1),
    '\u{1F600}'.repeat(5_000),
  ])
    expect(clip(came).length).toBeLessThanOrEqual(200);
});

test('an error has the status of its code', () => {
  expect(new ReelError('OVERLOADED', 'x').status).toBe(503);
});
