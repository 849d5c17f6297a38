import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReelError } from '../../../src/errors.js';
import { parseJson } from '../../../src/http/json.js';

test('reads what JSON.parse reads, and refuses what it refuses', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.jsonValue().map((value) => `[${JSON.stringify(value)},"e999",${'1'.repeat(250)}]`),
      ),
      (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parseJson(text)).toThrow(SyntaxError);
          return;
        }
        expect(parseJson(text)).toEqual(expected);
      },
    ),
  );
});

describe('numbers that a double cannot hold', () => {
  test.each([
    '1e400',
    '-1e400',
    '1E+0400',
    '1e-400',
    '-0.1e-399',
    '9'.repeat(310),
    `0.${'0'.repeat(330)}1`,
    `${'1'.repeat(250)}e99`,
    `0.${'0'.repeat(250)}1e-99`,
  ])('%.20s', (number) => {
    for (const text of [number, `[${number}]`, `{"a":{"b":[1,${number}]}}`])
      expect(() => parseJson(text)).toThrow(ReelError);
  });
  test.each([
    '0e999',
    '0.0e-999',
    '1e308',
    '5e-324',
    '"1e400"',
    '{"1e400":1}',
    '1e-0',
    `${'1'.repeat(300)}`,
    '"\\"1e400"',
  ])('%.20s is none', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });
  test('the message repeats at most 200 characters', () => {
    expect(() => parseJson('9'.repeat(100_000))).toThrow(/^.{1,300}$/);
  });
});

test('__proto__ is data on both ways of reading', () => {
  for (const text of ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1},"n":0e100}']) {
    const read = parseJson(text) as object;
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Object.keys(read)).toContain('__proto__');
  }
});

test('deep nesting beside a suspicious number is refused, not an overflow', () => {
  expect(() => parseJson(`[0e100,${'['.repeat(300_000)}${']'.repeat(300_000)}]`)).toThrow(ReelError);
});

test('a long text is looked through in linear time', () => {
  const text = JSON.stringify(['1'.repeat(199), ...Array.from({ length: 40_000 }, () => '1'.repeat(199))]);
  const start = performance.now();
  parseJson(text);
  expect(performance.now() - start).toBeLessThan(2_000);
});
