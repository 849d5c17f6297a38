import 'reflect-metadata';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf, type LogChange, MAX_CHANGES } from '../../src/log/entry/changes.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The value at a JSON Pointer (RFC 6901); undefined where there is none. */
function at(root: Json | undefined, pointer: string): Json | undefined {
  let value = root;
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as { [key: string]: Json })[key];
  }
  return value;
}

/** The paths of all single values, an empty object or array being one. */
function leaves(value: Json | undefined, path = ''): string[] {
  if (value === undefined) return [];
  const members = value !== null && typeof value === 'object' ? Object.entries(value) : [];
  if (members.length === 0) return [path];
  return members.flatMap(([key, each]) =>
    leaves(each, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}

const text = (value: Json | undefined) => (value === undefined ? null : JSON.stringify(value));
const isFilled = (value: Json | undefined) =>
  value !== null && typeof value === 'object' && Object.keys(value).length > 0;

const key = fc.oneof(
  fc.constantFrom('a', 'b', '~', '/', '~1', '', '0', '10', '2', 'constructor', 'ä'),
  fc.string(),
);
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, false, 0, 1, '', 'x', 'null'),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4 }),
  ),
}));

describe('changesOf', () => {
  it('says every difference once, down to single values, and nothing else', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const { listed, count } = changesOf({ before, after });
        expect(count).toBe(listed.length);
        for (const change of listed) {
          const [from, to] = [at(before, change.path), at(after, change.path)];
          // Null counts as absent beside an object or array whose values are told one by one.
          expect(change.before).toBe(text(from));
          expect(change.after).toBe(text(to));
          expect(change.before).not.toBe(change.after);
          // A whole object or array only where it replaces, or is replaced by, another value.
          if (isFilled(from)) expect(to ?? null).not.toBeNull();
          if (isFilled(to)) expect(from ?? null).not.toBeNull();
        }
        const paths = listed.map(({ path }) => path);
        for (const path of paths)
          expect(paths.filter((other) => other === path || other.startsWith(`${path}/`))).toEqual([path]);
        const isTold = (leaf: string) =>
          paths.some((path) => leaf === path || leaf.startsWith(`${path}/`) || path.startsWith(`${leaf}/`));
        for (const leaf of [...leaves(before), ...leaves(after)])
          if (text(at(before, leaf)) !== text(at(after, leaf)))
            expect([leaf, isTold(leaf)]).toEqual([leaf, true]);
      }),
      { numRuns: 2000 },
    );
  });

  it('says nothing of equal values, whatever the order of their keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        const turned = JSON.parse(JSON.stringify(value), (_, each: Json) =>
          each !== null && typeof each === 'object' && !Array.isArray(each)
            ? Object.fromEntries(Object.entries(each).reverse())
            : each,
        ) as Json;
        expect(changesOf({ before: value, after: turned })).toMatchObject({ listed: [], count: 0 });
      }),
    );
  });

  it.each<[string, unknown, unknown, LogChange[]]>([
    ['a changed value', { a: 1 }, { a: 2 }, [{ path: '/a', before: '1', after: '2' }]],
    ['an added object', {}, { a: { b: 1 } }, [{ path: '/a/b', before: null, after: '1' }]],
    [
      'an object in place of null',
      { a: null },
      { a: { b: 1 } },
      [{ path: '/a/b', before: null, after: '1' }],
    ],
    [
      'a removed list',
      { a: [1, { b: 2 }] },
      {},
      [
        { path: '/a/0', before: '1', after: null },
        { path: '/a/1/b', before: '2', after: null },
      ],
    ],
    ['a list become null', { a: [1] }, { a: null }, [{ path: '/a/0', before: '1', after: null }]],
    ['an added empty object', {}, { a: {} }, [{ path: '/a', before: null, after: '{}' }]],
    ['an empty list in place of null', { a: null }, { a: [] }, [{ path: '/a', before: 'null', after: '[]' }]],
    ['an emptied object', { a: { b: 1 } }, { a: {} }, [{ path: '/a/b', before: '1', after: null }]],
    [
      'an object in place of a number',
      { a: 1 },
      { a: { b: 1 } },
      [{ path: '/a', before: '1', after: '{"b":1}' }],
    ],
    ['an added null', {}, { a: null }, [{ path: '/a', before: null, after: 'null' }]],
    ['null, which is a value', { a: null }, { a: 0 }, [{ path: '/a', before: 'null', after: '0' }]],
    ['another kind', { a: [] }, { a: {} }, [{ path: '/a', before: '[]', after: '{}' }]],
    ['a list grown', { a: [1] }, { a: [1, 2] }, [{ path: '/a/1', before: null, after: '2' }]],
    ['a list shrunk', { a: [1, 2] }, { a: [1] }, [{ path: '/a/1', before: '2', after: null }]],
    ['escaped keys', { 'a/b~': 1 }, { 'a/b~': 2 }, [{ path: '/a~1b~0', before: '1', after: '2' }]],
    ['an empty key', { '': 1 }, { '': 2 }, [{ path: '/', before: '1', after: '2' }]],
    ['bare values as roots', 'old', 'new', [{ path: '', before: '"old"', after: '"new"' }]],
    [
      'no before',
      undefined,
      { b: 2, a: { c: 1 } },
      [
        { path: '/a/c', before: null, after: '1' },
        { path: '/b', before: null, after: '2' },
      ],
    ],
    ['a before that is null', null, { a: 1 }, [{ path: '/a', before: null, after: '1' }]],
    ['no after', { a: 1 }, undefined, [{ path: '/a', before: '1', after: null }]],
    ['an after that is null', { a: 1 }, null, [{ path: '/a', before: '1', after: null }]],
    ['a removed list as root', [1], null, [{ path: '/0', before: '1', after: null }]],
    ['an added empty root', undefined, {}, [{ path: '', before: null, after: '{}' }]],
    ['a bare value in place of null', null, 5, [{ path: '', before: 'null', after: '5' }]],
    ['a bare value alone, which says nothing', '2026-01-01T00:00:00Z', undefined, []],
    [
      'a name that all objects inherit',
      {},
      { constructor: 1 },
      [{ path: '/constructor', before: null, after: '1' }],
    ],
  ])('tells %s', (_, before, after, expected) => {
    const data = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    expect(changesOf(data)).toMatchObject({ listed: expected, count: expected.length });
  });

  it('orders by key units at each level, and lists by number', () => {
    const before = { b: 1, a: { z: 1, B: 1 }, list: Array.from({ length: 12 }, () => 0) };
    const after = { b: 2, a: { z: 2, B: 2 }, list: Array.from({ length: 12 }, () => 1) };
    expect(changesOf({ before, after }).listed.map((change) => change.path)).toEqual([
      '/a/B',
      '/a/z',
      '/b',
      ...before.list.map((_, index) => `/list/${index}`),
    ]);
  });

  it(`lists ${MAX_CHANGES}, and counts them all`, () => {
    const many = (value: number) =>
      Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`k${1000 + index}`, value]));
    const { listed, count } = changesOf({ before: many(1), after: many(2) });
    expect(listed).toHaveLength(MAX_CHANGES);
    expect(listed.at(-1)?.path).toBe('/k1199');
    expect(count).toBe(260);
    expect(changesOf({ before: null, after: { list: Array(30_000).fill(0) } }).count).toBe(30_000);
  });

  it('lists fewer where paths are as long as data itself', () => {
    const after = { ['k'.repeat(20_000)]: Array(100).fill(1) };
    const { listed, count } = changesOf({ before: {}, after });
    expect([listed.length, count]).toEqual([3, 100]);
  });

  it.each([
    ['old', 'new'],
    ['old_values', 'new_values'],
  ])('reads data.%s and data.%s where there is no pair before them', (before, after) => {
    const pair = { [before]: { a: 1 }, [after]: { a: 2 } };
    const change = { path: '/a', before: '1', after: '2' };
    expect(changesOf({ ...pair, before: null, after: null }).listed).toEqual([change]);
    expect(changesOf({ ...pair, before: '2026-01-01' }).listed).toEqual([change]);
    expect(changesOf({ ...pair, after: { b: 1 } }).listed).toEqual([
      { path: '/b', before: null, after: '1' },
    ]);
  });

  it('finds nothing where there is no before or after', () => {
    for (const data of [null, { other: 1 }, { new: true }, { old: 'x' }, { before: null, after: null }])
      expect(changesOf(data)).toMatchObject({ listed: [], count: 0 });
  });
});
