import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseQueryLine } from '../../src/query-line/parse.js';
import { completionsAt } from '../../web/stage/query/completion.js';
import {
  canonicalLine,
  hasCondition,
  setValue,
  toggleExcluded,
  toggleValue,
} from '../../web/stage/query/edit.js';
import { translateQueryError } from '../../web/stage/query/error-messages.js';

const locale = (name: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'web', 'stage', 'locales', `${name}.json`), 'utf8'),
  );

describe('query line', () => {
  test('values are added, removed, set and excluded', () => {
    expect(toggleValue('', 'module', 'a b')).toBe('module:"a b"');
    expect(toggleValue('module:a', 'module', 'b')).toBe('module:a,b');
    expect(toggleValue('module:a,b', 'module', 'a')).toBe('module:b');
    expect(toggleValue('-module:a', 'module', 'a')).toBe('module:a');
    expect(toggleValue('severity>=ERROR', 'severity', 'INFO')).toBe('severity:INFO,ERROR,CRITICAL');
    expect(toggleExcluded('severity>=ERROR', 'severity', 'ERROR')).toBe('severity:CRITICAL');
    expect(toggleExcluded('module:a,b text', 'module', 'a')).toBe('module:b -module:a text');
    expect(toggleExcluded('-action:x', 'action', 'x')).toBe('');
    expect(setValue('module:a,b since:-24h', 'since', '2026-01-05T10:00:00.123456Z')).toBe(
      'module:a,b since:2026-01-05T10:00:00.123456Z',
    );
    expect(setValue('actor:ana@example.com', 'resource', 'user/4/2')).toBe(
      'actor:ana@example.com resource:user/4/2',
    );
  });

  test('has a condition for an id, or says that it has none', () => {
    const uuid = '6f2b4c0e-0000-4000-8000-0000000000b1';
    for (const field of ['actor', 'request'] as const) expect(hasCondition(field, uuid)).toBe(true);
    for (const id of [
      'auth0|5f1',
      'system:serviceaccount:ci:build',
      'a "b" c',
      'x@y',
      '-',
      'none',
      '__proto__',
    ])
      for (const field of ['actor', 'request'] as const) {
        // Whatever it says, the line never means anything else.
        if (!hasCondition(field, id)) continue;
        const { filter } = parseQueryLine(setValue('', field, id), new Date());
        expect(field === 'actor' ? filter.actorIds : [filter.requestId]).toEqual([id]);
      }
    expect(hasCondition('actor', 'ana@example.com')).toBe(false);
  });

  test('completes fields and values at the caret', () => {
    const vocabulary = {
      modules: [
        { key: 'guardian', count: 7 },
        { key: 'guard dog', count: 2 },
      ],
      actions: [
        { key: 'users.create', count: 4 },
        { key: 'users.delete', count: 1 },
      ],
      severities: [{ key: 'ERROR', count: 3 }],
    };
    const labels = (line: string, caret = line.length) =>
      completionsAt(line, caret, vocabulary).map(({ label }) => label);
    expect(labels('mod')).toEqual(['module:']);
    expect(labels('gua')).toEqual(['module:guardian', 'module:guard dog']);
    expect(labels('-act')).toEqual(['-action:']);
    expect(labels('action:users.')).toEqual(['action:users.create', 'action:users.delete', 'action:users.*']);
    expect(labels('severity>=err text', 13)).toEqual(['severity>=ERROR']);
    expect(completionsAt('module:guardian,guard', 21, vocabulary)[0]).toMatchObject({
      text: '"guard dog"',
      from: 16,
      to: 21,
    });
    expect(labels('"mod')).toEqual([]);
  });

  test('every error has a translation', () => {
    const invalid = [
      'modul:x',
      'severity:loud',
      '"open',
      'module:',
      'module:a,,b',
      'module:a module:b',
      '-actor:x',
      'resource:a,b',
      'module>=a',
      '-text',
      '"a"b',
      '""',
      'ip:999',
      'since:soon',
      'actor:me',
      'actor:me,you',
      'client:x',
      'request:x',
      `module:${'x'.repeat(321)}`,
      'x '.repeat(51),
      `module:${'x,'.repeat(20)}x`,
      'x'.repeat(2001),
    ];
    for (const name of ['en', 'pt-BR']) {
      const { queryErrors } = locale(name);
      for (const line of invalid) {
        let message = '';
        try {
          canonicalLine(line);
        } catch (cause) {
          ({ message } = cause as Error);
        }
        const keys: string[] = [];
        translateQueryError(message, (key) => {
          keys.push(key.replace('queryErrors.', ''));
          return key;
        });
        expect(keys, `${name}: ${line.slice(0, 30)}: ${message.slice(0, 80)}`).toHaveLength(1);
        expect(queryErrors, line).toHaveProperty(keys[0]!);
      }
    }
  });
});

test('both languages have the same messages', () => {
  const keysOf = (messages: object, path = ''): string[] =>
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [path + key] : keysOf(value, `${path}${key}.`),
    );
  expect(keysOf(locale('pt-BR')).sort()).toEqual(keysOf(locale('en')).sort());
});
