import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { effectScope, nextTick, shallowRef } from 'vue';
import { FAULTS } from '../../src/query-line/fault.js';
import { printQueryLine } from '../../src/query-line/print.js';
import { exportCountMessage } from '../../web/stage/list/export-count.js';
import { countOfValue } from '../../web/stage/list/facet-counts.js';
import { type Question, type Total, useTotals } from '../../web/stage/list/loosened-totals.js';
import { completionsAt } from '../../web/stage/query/completion.js';
import { changedStretch } from '../../web/stage/query/draft.js';
import {
  canonicalLine,
  type FieldValue,
  matchingSeverities,
  pinnedLine,
  setValue,
  type Terms,
  termsOf,
  toggleExcluded,
  toggleValue,
} from '../../web/stage/query/edit.js';
import { queryErrorMessage } from '../../web/stage/query/error-messages.js';

const locale = (name: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'web', 'stage', 'locales', `${name}.json`), 'utf8'),
  );

describe('query line', () => {
  const edited = (
    edit: (terms: Terms, condition: FieldValue) => Terms,
    line: string,
    field: FieldValue['field'],
    value: FieldValue['value'],
  ) => canonicalLine(printQueryLine(edit(termsOf(line, 'UTC'), { field, value })), 'UTC');

  test('values are added, removed, set and excluded', () => {
    expect(edited(toggleValue, '', 'module', { is: 'a b' })).toBe('module:"a b"');
    expect(edited(toggleValue, 'module:a', 'module', { is: 'b' })).toBe('module:a,b');
    expect(edited(toggleValue, 'module:a,b', 'module', { is: 'a' })).toBe('module:b');
    expect(edited(toggleValue, '-module:a', 'module', { is: 'a' })).toBe('module:a');
    expect(edited(toggleValue, 'origin:browser', 'origin', { is: 'MODULE' })).toBe('origin:module');
    expect(edited(toggleValue, 'severity>=ERROR', 'severity', { is: 'INFO' })).toBe(
      'severity:INFO,ERROR,CRITICAL',
    );
    expect(edited(toggleValue, 'actor:none', 'actor', { none: true })).toBe('');
    expect(edited(toggleExcluded, 'severity:ERROR,INFO', 'severity', { is: 'ERROR' })).toBe(
      'severity:INFO -severity:ERROR',
    );
    expect(edited(toggleExcluded, 'module:a,b text', 'module', { is: 'a' })).toBe('module:b -module:a text');
    expect(edited(toggleExcluded, '-action:x -action:y', 'action', { is: 'x' })).toBe('-action:y');
    expect(edited(toggleExcluded, '', 'actor', { is: 'auth0|5f1' })).toBe('-actor:auth0|5f1');
    expect(edited(toggleExcluded, 'ip:10.0.0.0/8', 'ip', { is: '10.0.0.7' })).toBe(
      'ip:10.0.0.0/8 -ip:10.0.0.7',
    );
    expect(edited(setValue, 'module:a,b since:-24h', 'since', { is: '2026-01-05T10:00:00.123456Z' })).toBe(
      'module:a,b since:2026-01-05T10:00:00.123456Z',
    );
    expect(edited(setValue, 'x', 'resource', { type: 'a/b', id: { is: '4/2,*' } })).toBe(
      'resource:"a/b"/"4/2,*" x',
    );
  });

  test.each([
    ['module:a', 'module:a', ''],
    ['module:a tom', 'module:a', 'tom'],
    ['tom module:a', 'module:a', 'tom'],
    ['module:ab x', 'module:a x', 'module:ab'],
    ['module:a', 'module:a severity:ERROR', ''],
    ['module:a  b', '', 'module:a  b'],
    ['a b c', 'a c', 'b'],
    ['aa', 'a', 'aa'],
    ['', 'a', ''],
  ])('of %j, over %j, what is marked as not applied is %j', (typed, applied, marked) => {
    const { position, length } = changedStretch(typed, applied);
    expect(typed.slice(position, position + length)).toBe(marked);
  });

  test('an id of any form is found as it is', () => {
    for (const id of [
      'auth0|5f1',
      'system:serviceaccount:ci:build',
      'a "b" c',
      'x@y',
      '-',
      'none',
      '__proto__',
      'a*',
    ])
      for (const field of ['actor', 'request', 'behalf'] as const) {
        const line = printQueryLine(setValue([], { field, value: { is: id } }));
        expect(termsOf(line, 'UTC'), line).toMatchObject([{ field, negated: false, values: [{ is: id }] }]);
      }
  });

  test('severities that match', () => {
    expect(matchingSeverities(termsOf('', 'UTC'))).toHaveLength(5);
    expect(matchingSeverities(termsOf('severity>INFO -severity:ERROR', 'UTC'))).toEqual([
      'WARNING',
      'CRITICAL',
    ]);
  });

  test('a link that is kept has instants for what depends on now or the zone', () => {
    expect(canonicalLine('since:2026-01-05', 'America/Sao_Paulo')).toBe('since:2026-01-05');
    expect(pinnedLine('until:2026-01-05 since:2026-01-05', 'America/Sao_Paulo')).toBe(
      'since:2026-01-05T03:00:00Z until:2026-01-06T02:59:59.999999Z',
    );
    expect(pinnedLine('since:-24h', 'UTC')).toMatch(/^since:\d{4}-\d\d-\d\dT/);
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
      actors: [{ key: 'auth0|5f1', label: 'Nora Field', count: 3 }],
      resourceTypes: [{ key: 'Microsoft.Web/sites', count: 1 }],
      clients: [],
      paths: ['invoice.amount', 'items[*].sku'],
      registered: [
        { module: 'guardian', action: 'users.create', description: 'Made an account' },
        { module: 'guardian', action: 'users.lock', description: 'Locked somebody out' },
        { module: 'a', action: 'jobs.run', description: 'Ran a job' },
        { module: 'b', action: 'jobs.run', description: 'Ran in the park' },
      ],
    };
    const found = (line: string, caret = line.length) => completionsAt(line, caret, vocabulary);
    const labels = (line: string, caret = line.length) => found(line, caret).map(({ label }) => label);
    expect(labels('')).toEqual([
      ...[
        'module:',
        'action:',
        'severity:',
        'severity>=',
        'outcome:',
        'origin:',
        'actor:',
        'type:',
        'behalf:',
      ],
      ...['resource:', 'client:', 'request:', 'id:', 'ip:', 'since:', 'until:', 'occurred-since:'],
      ...['occurred-until:', 'data.'],
    ]);
    expect(labels('mod')).toEqual(['module:']);
    expect(labels('gua')).toEqual(['module:guardian', 'module:guard dog']);
    expect(labels('use')[0]).toBe('action:users.create');
    // Other words of the line say which is meant.
    expect(labels('delete use')[0]).toBe('action:users.delete');
    expect(labels('-act')).toEqual(['-action:', '-actor:']);
    expect(labels('-sin')).toEqual([]);
    expect(labels('action:users.')).toEqual([
      ...['action:users.create', 'action:users.delete', 'action:users.lock', 'action:users.*'],
    ]);
    expect(found('action:account')).toMatchObject([
      { label: 'action:users.create', text: 'users.create', count: 4, found: 'Made an account' },
    ]);
    expect(found('lock')).toMatchObject([{ text: 'action:users.lock', found: 'Locked somebody out' }]);
    // Two modules that say different things of it say nothing together.
    expect(found('action:jobs')).toEqual([expect.not.objectContaining({ found: expect.anything() })]);
    expect(labels('severity>=err text', 13)).toEqual(['severity>=ERROR']);
    expect(labels('outcome:')).toEqual(['outcome:success', 'outcome:failure', 'outcome:denied']);
    expect(labels('-type:a')[0]).toBe('-type:agent');
    expect(labels('occurred-since:-7')).toEqual(['occurred-since:-7d']);
    expect(labels('actor:n')).toEqual(['actor:Nora Field', 'actor:none']);
    expect(found('nora')).toMatchObject([{ label: 'actor:Nora Field', text: 'actor:auth0|5f1' }]);
    expect(labels('actor:5f1')).toEqual(['actor:Nora Field']);
    expect(found('resource:micro')[0]).toMatchObject({ text: '"Microsoft.Web/sites"' });
    expect(labels('data.invoice.amount')).toEqual([
      ...['data.invoice.amount:', 'data.invoice.amount:*', 'data.invoice.amount>', 'data.invoice.amount>='],
      ...['data.invoice.amount<', 'data.invoice.amount<='],
    ]);
    expect(found('module:guardian,guard')[0]).toMatchObject({ text: '"guard dog"', from: 16, to: 21 });
    expect(labels('data.')).toEqual(['data.invoice.amount', 'data.items[*].sku']);
    expect(labels('data.sku')[0]).toBe('data.items[*].sku');
    expect(labels('"mod')).toEqual([]);
  });

  test.each(['en', 'pt-BR'])('every fault has a message in %s', (name) => {
    const { queryFaults } = locale(name);
    expect(Object.keys(queryFaults).sort()).toEqual([...FAULTS, 'other'].sort());
    const t = (key: string, { term }: Record<string, string>) =>
      queryFaults[key.replace('queryFaults.', '')].replace('{term}', term);
    const te = (key: string) => key.replace('queryFaults.', '') in queryFaults;
    const at = { line: 'x `modul`:y', position: 2, length: 9, suggestion: null };
    expect(queryErrorMessage({ ...at, fault: 'UNKNOWN_FIELD' }, t, te)).toContain('`ˋmodulˋ:y`');
    expect(queryErrorMessage({ ...at, fault: 'OF_A_NEWER_SERVER' }, t, te)).toContain('`ˋmodulˋ:y`');
  });
});

test('both languages have the same messages', () => {
  const keysOf = (messages: object, path = ''): string[] =>
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [path + key] : keysOf(value, `${path}${key}.`),
    );
  expect(keysOf(locale('pt-BR')).sort()).toEqual(keysOf(locale('en')).sort());
});

describe('a count of a value that the query names', () => {
  const ofNone = { none: true } as const;
  const list = [
    { key: 'users.login', count: 5 },
    { key: 'users.leave', count: 2 },
    { key: null, count: 3 },
  ];
  const full = Array.from({ length: 50 }, (_, index) => ({ key: `users.${index}`, count: 1 }));

  test('is that of the entries without one, where those are asked for', () => {
    for (const field of ['actor', 'client'] as const) {
      expect(countOfValue(field, ofNone, list, false)).toBe(3);
      expect(countOfValue(field, ofNone, list.slice(0, 2), false)).toBe(0);
      expect(countOfValue(field, ofNone, list.slice(0, 2), true)).toBeNull();
      expect(countOfValue(field, ofNone, full, false)).toBeNull();
    }
  });

  test('is of exactly what the server finds by it', () => {
    expect(countOfValue('action', { is: 'users.login' }, list, false)).toBe(5);
    expect(countOfValue('action', { is: 'Users.Login' }, list, false)).toBe(0);
    expect(countOfValue('action', { prefix: 'users.l' }, list, false)).toBe(7);
    expect(countOfValue('action', { prefix: 'Users.' }, list, false)).toBe(0);
  });

  test('is not shown where the facet does not tell', () => {
    for (const value of [{ is: 'users.nothing' }, { prefix: 'users.' }]) {
      expect(countOfValue('action', value, full, false)).toBeNull();
      expect(countOfValue('action', value, list, true)).toBeNull();
    }
    // What is listed has the count that it is listed with.
    expect(countOfValue('action', { is: 'users.7' }, full, true)).toBe(1);
  });

  test('is that of an actor for its id alone: what bears a name or an address may be listed by other ids', () => {
    const actors = [
      { key: 'auth0|5f1', label: 'Ana Souza', count: 4 },
      { key: 'ana@example.com', label: 'ana@example.com', count: 1 },
    ];
    expect(countOfValue('actor', { is: 'auth0|5f1' }, actors, false)).toBe(4);
    for (const value of [{ is: 'Ana Souza' }, { is: 'Auth0|5F1' }, { prefix: 'a' }])
      expect(countOfValue('actor', value, actors, false)).toBeNull();
  });
});

test('an export says how many entries match only where all were counted', () => {
  for (const name of ['en', 'pt-BR'])
    for (const needsClient of [true, false]) {
      const wordsOf = (precision: string): string[] =>
        exportCountMessage(precision, needsClient)
          .split('.')
          .reduce((found, key) => found[key], locale(name))
          .split(' | ');
      const exact = wordsOf('EXACT');
      const atLeast = wordsOf('AT_LEAST');
      expect(atLeast).toHaveLength(3);
      expect(atLeast[0]).toMatch(/found yet|ainda/);
      expect(exact.join()).not.toMatch(/yet|ainda|least|menos/i);
      for (const words of atLeast.slice(1)) expect(words).toMatch(/^(At least|Ao menos) /);
    }
});

describe('what the query would find without a condition', () => {
  const question = (query: string): Question => ({ filter: { query }, timeZone: 'UTC' });
  const of = (value: number): Total => ({ value, precision: 'EXACT' });

  test('is counted for each condition by its place, and only once for the same conditions', async () => {
    const asked: { query: string; signal: AbortSignal; answer: (total: Total | Error) => void }[] = [];
    const questions = shallowRef([question('b'), question('a')]);
    const scope = effectScope();
    const totals = scope.run(() =>
      useTotals(
        () => questions.value,
        ({ filter }, signal) =>
          new Promise((resolve, reject) => {
            const answer = (total: Total | Error) =>
              total instanceof Error ? reject(total) : resolve(total);
            asked.push({ query: filter.query!, signal, answer });
          }),
      ),
    )!;
    expect(asked.map(({ query }) => query)).toEqual(['b', 'a']);
    asked[1]!.answer(of(7));
    await expect.poll(() => [...totals.value]).toEqual([[1, of(7)]]);
    asked[0]!.answer(new Error('too slow'));
    await expect.poll(() => totals.value.get(0)).toBeNull();

    // A name that became known changes the words alone.
    questions.value = questions.value.map((each) => ({ ...each }));
    await nextTick();
    expect(asked).toHaveLength(2);
    expect(totals.value.size).toBe(2);

    questions.value = [question('a'), question('a')];
    await nextTick();
    expect(asked.slice(2).map(({ query }) => query)).toEqual(['a', 'a']);
    expect(totals.value.size).toBe(0);
    asked[2]!.answer(of(1));
    asked[3]!.answer(of(2));
    await expect.poll(() => [totals.value.get(0), totals.value.get(1)]).toEqual([of(1), of(2)]);
    expect(asked[0]!.signal.aborted).toBe(true);
    scope.stop();
    expect(asked[3]!.signal.aborted).toBe(true);
  });
});
