import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completionsAt } from '../web/stage/completion.js';
import { faultInWords } from '../web/stage/fault-words.js';
import { RANGES, type Range, readLink, short, type View, writeLink } from '../web/stage/link.js';
import { canonical, excluded, narrowed, toggled } from '../web/stage/query-edit.js';
import { fromField, toField } from '../web/stage/times.js';

const locale = (name: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', 'web', 'stage', 'locales', `${name}.json`), 'utf8'),
  );

const instants = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((at) => short(at.toISOString()));
const ids = fc.uuid();
const zones = ['UTC', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Europe/Berlin', 'Australia/Lord_Howe'];

describe('link', () => {
  test('what is written is read again', () => {
    const either = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
    const views = fc
      .record<View>({
        q: fc.string({ unit: 'grapheme' }).map((text) => text.trim()),
        range: either(fc.constantFrom(...(Object.keys(RANGES) as Range[]))),
        from: either(instants),
        to: either(instants),
        oldest: fc.boolean(),
        entry: either(ids),
        live: fc.boolean(),
        lang: either(fc.constantFrom('en', 'pt-BR')),
        tz: either(fc.constantFrom(...zones)),
        tenant: either(ids),
        client: either(ids),
      })
      .map((view) => (view.from || view.to ? { ...view, range: null } : view));
    fc.assert(
      fc.property(views, (view) => {
        expect(readLink(writeLink(view))).toEqual(view);
      }),
    );
  });

  test('what cannot be read is as if it were not there', () => {
    const view = readLink(
      '?range=9d&from=yesterday&to=2026-13-01T00:00:00Z&entry=1&sort=up&live=yes&tz=Mars/Base',
    );
    expect(writeLink(view)).toBe('');
    expect(readLink('?from=2026-01-05T10:00:00+03:00&range=24h')).toMatchObject({
      from: '2026-01-05T07:00:00Z',
      range: null,
    });
  });
});

describe('date-time fields', () => {
  test('show an instant in any zone and read it again', () => {
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), (at, zone) => {
        const whole = short(`${at.slice(0, 19)}Z`);
        // An hour that comes twice when daylight saving ends is read as one of the two.
        expect([0, 1_800_000, 3_600_000]).toContain(
          Math.abs(Date.parse(fromField(toField(whole, zone), zone)!) - Date.parse(whole)),
        );
      }),
    );
  });

  test('keep the zone and its daylight saving', () => {
    expect(fromField('2026-07-01T12:00', 'Europe/Berlin')).toBe('2026-07-01T10:00:00Z');
    expect(fromField('2026-01-01T12:00:30', 'Europe/Berlin')).toBe('2026-01-01T11:00:30Z');
    expect(toField('2026-01-05T10:00:00Z', 'Asia/Kathmandu')).toBe('2026-01-05T15:45:00');
    expect(fromField('', 'UTC')).toBeNull();
  });
});

describe('query line', () => {
  test('values are added, taken back, narrowed to and left out', () => {
    expect(toggled('', 'module', 'a b')).toBe('module:"a b"');
    expect(toggled('module:a', 'module', 'b')).toBe('module:a,b');
    expect(toggled('module:a,b', 'module', 'a')).toBe('module:b');
    expect(toggled('-module:a', 'module', 'a')).toBe('module:a');
    expect(toggled('severity>=ERROR', 'severity', 'INFO')).toBe('severity:INFO,ERROR,CRITICAL');
    expect(excluded('severity>=ERROR', 'severity', 'ERROR')).toBe('severity:CRITICAL');
    expect(excluded('module:a,b text', 'module', 'a')).toBe('module:b -module:a text');
    expect(excluded('-action:x', 'action', 'x')).toBe('');
    expect(narrowed('module:a,b since:-24h', 'since', '2026-01-05T10:00:00.123456Z')).toBe(
      'module:a,b since:2026-01-05T10:00:00.123456Z',
    );
    expect(narrowed('actor:ana@example.com', 'resource', 'user/4/2')).toBe(
      'actor:ana@example.com resource:user/4/2',
    );
  });

  test('completes fields and what occurs, where the caret stands', () => {
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

  test('every fault has its words in each language', () => {
    const faulty = [
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
      const { faults } = locale(name);
      for (const line of faulty) {
        let message = '';
        try {
          canonical(line);
        } catch (cause) {
          ({ message } = cause as Error);
        }
        const asked: string[] = [];
        faultInWords(message, (key) => {
          asked.push(key.replace('faults.', ''));
          return key;
        });
        expect(asked, `${name}: ${line.slice(0, 30)}: ${message.slice(0, 80)}`).toHaveLength(1);
        expect(faults, line).toHaveProperty(asked[0]!);
      }
    }
  });
});

test('both languages have the same words', () => {
  const keys = (words: object, path = ''): string[] =>
    Object.entries(words).flatMap(([key, value]) =>
      typeof value === 'string' ? [path + key] : keys(value, `${path}${key}.`),
    );
  expect(keys(locale('pt-BR')).sort()).toEqual(keys(locale('en')).sort());
});
