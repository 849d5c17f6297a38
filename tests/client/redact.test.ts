import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allPatterns, cards, credentials, jwts, passwords, privateKeys } from '../../src/client/patterns.js';
import { type How, type Pattern, type Redact, redactor } from '../../src/client/redact.js';

const KEY = 'k'.repeat(32);
const redact = (data: unknown, rules: readonly Redact[] = [], patterns: readonly Pattern[] = []) =>
  redactor({ rules, patterns, key: KEY })(data);
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const hmac = (text: string) => `hmac:${createHmac('sha256', KEY).update(text).digest('hex')}`;

describe('rules', () => {
  test('drop, mask and hmac', () => {
    const data = { before: { card: '4111111111111111', owner: 'ana', note: 'x' }, pin: 1234, kept: [1] };
    const rules: Redact[] = [
      { path: 'before.card', how: 'mask' },
      { path: 'before.owner', how: 'hmac' },
      'before.note',
      'pin',
      'nowhere.at.all',
    ];
    expect(redact(data, rules)).toEqual({
      before: { card: '****1111', owner: hmac('ana') },
      kept: [1],
      _redacted: { 'before.card': 'mask', 'before.owner': 'hmac', 'before.note': 'drop', pin: 'drop' },
    });
  });

  test('lead through lists, and * is any name', () => {
    const data = {
      items: [{ card: 'a', name: 'b' }, { card: 'c' }],
      users: { ana: { pin: 1 }, bia: { pin: 2 } },
    };
    expect(redact(data, ['items.card', 'users.*.pin'])).toEqual({
      items: [{ name: 'b' }, {}],
      users: { ana: {}, bia: {} },
      _redacted: {
        'items.0.card': 'drop',
        'items.1.card': 'drop',
        'users.ana.pin': 'drop',
        'users.bia.pin': 'drop',
      },
    });
  });

  test('take whole objects, and short values show nothing', () => {
    expect(
      redact({ a: { b: 1 }, c: '1234', d: null }, [
        { path: 'a', how: 'hmac' },
        { path: 'c', how: 'mask' },
        'd',
      ]),
    ).toEqual({
      a: hmac('{"b":1}'),
      c: '****',
      d: null,
      _redacted: { a: 'hmac', c: 'mask' },
    });
  });

  test('are not got around by a claim that it was done', () => {
    expect(redact({ pin: '1234', _redacted: { pin: 'drop' } }, ['pin'])).toEqual({
      _redacted: { pin: 'drop' },
    });
    expect(redact({ pin: 'secret ****', _redacted: { pin: 'mask' } }, ['pin'])).toEqual({
      _redacted: { pin: 'drop' },
    });
    expect(redact({ kept: 'raw', _redacted: { kept: 'mask', gone: 'drop', odd: 7 } })).toEqual({
      kept: 'raw',
      _redacted: { gone: 'drop' },
    });
  });

  test('by hmac need a key', () => {
    expect(() => redactor({ rules: [{ path: 'a', how: 'hmac' }], patterns: [], key: 'short' })).toThrow(
      'redactionKey: expected at least 32 bytes, got 5',
    );
  });
});

describe('patterns', () => {
  test.each<[string, Pattern, string, string]>([
    ['a card', cards, 'paid by 4111 1111 1111 1111.', 'paid by ****1111.'],
    ['no card', cards, 'order 4111 1111 1111 1112', 'order 4111 1111 1111 1112'],
    ['an id', cards, '0196f2f0-0000-7000-8000-00000000a001', '0196f2f0-0000-7000-8000-00000000a001'],
    ['a token', jwts, 'got eyJhbGciOiJI.eyJzdWIiOiIx.c2ln here', 'got [redacted] here'],
    ['a header', credentials, 'Authorization: Bearer abcdefgh1234', 'Authorization: Bearer [redacted]'],
    [
      'a key',
      privateKeys,
      'a -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- b',
      'a [redacted] b',
    ],
    ['a key that is cut', privateKeys, 'a -----BEGIN PRIVATE KEY-----\nabc', 'a [redacted]'],
  ])('%s', (_, pattern, text, left) => {
    const { note } = redact({ note: text }, [], [pattern]);
    expect(note).toBe(left);
  });

  test('names of secrets', () => {
    const data = { password: 'a', newPassword: 'b', clientSecret: 'c', PWD: 'd', passenger: 'e' };
    expect(redact(data, [], [passwords])).toEqual({
      passenger: 'e',
      _redacted: { password: 'drop', newPassword: 'drop', clientSecret: 'drop', PWD: 'drop' },
    });
  });

  test('take no longer for text that is made to', () => {
    for (const piece of ['eyJ-', 'eyJa.', '-----BEGIN PRIVATE KEY-----', '4111 ', 'Bearer ', 'a'])
      expect(redact({ text: piece.repeat(30_000) }, [], allPatterns)).toBeTypeOf('object');
  });
});

describe('whatever comes', () => {
  test('is written as JSON writes it, and what JSON has no form for as text', () => {
    const cycle: Record<string, unknown> = { a: 1n, b: Number.NaN, c: undefined, d: new Date(0), e: () => 1 };
    cycle.self = cycle;
    Object.defineProperty(cycle, 'getter', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(redact(cycle)).toEqual({
      a: '1',
      b: 'NaN',
      d: '1970-01-01T00:00:00.000Z',
      self: '[unreadable]',
      getter: '[unreadable]',
    });
    expect(redact('text')).toEqual({ value: 'text' });
    expect(redact([1])).toEqual({ value: [1] });
  });

  test('is cut where it is too long', () => {
    const { _truncated, _text } = redact({ text: 'x'.repeat(1_000_000) });
    expect(_truncated).toBe(true);
    expect(String(_text)).toHaveLength(32_768);
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`n${at}`, at]));
    expect(redact(wide)).toMatchObject({ _truncated: true });
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level += 1) deep = [deep];
    expect(JSON.stringify(redact({ deep }))).toContain('[unreadable]');
  });

  const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => typeof value === 'object');
  const secrets = fc.constantFrom('4111111111111111', 'eyJhbGciOiJI.eyJzdWIiOiIx.c2ln', 'Basic dXNlcjpwYXNz');
  const data = fc.dictionary(
    fc.constantFrom('a', 'b', 'password', 'items', '__proto__', 'constructor'),
    fc.oneof(json, secrets, fc.array(fc.record({ a: secrets, b: json })), fc.record({ a: json, b: secrets })),
  );
  const rules = fc.array(
    fc.record({
      path: fc.constantFrom('a', 'b', 'items.a', 'a.b', '*.b', 'items.0', 'constructor'),
      how: fc.constantFrom<How>('drop', 'mask', 'hmac'),
    }),
  );

  test('is the same once it is redacted again, and is JSON', () => {
    fc.assert(
      fc.property(data, rules, fc.boolean(), (value, chosen, all) => {
        const again = (came: unknown) => asJson(redact(came, chosen, all ? allPatterns : []));
        const once = again(value);
        expect(again(once)).toEqual(once);
      }),
    );
  });

  test('holds no secret that a pattern knows, and without rules and patterns is what JSON has', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(JSON.stringify(redact(value, [], allPatterns))).not.toMatch(
          /4111111111111111|eyJhbGciOiJI|dXNlcjpwYXNz/,
        );
        expect(JSON.stringify(redact(value))).toBe(JSON.stringify(value));
      }),
    );
  });
});
