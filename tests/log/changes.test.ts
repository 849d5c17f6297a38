import 'reflect-metadata';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf, type LogChange, MAX_CHANGES } from '../../src/log/entry/changes.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Applies changes to before, as a reader of them would: later indices of a list go first. */
function apply(before: Json | undefined, changes: readonly LogChange[]): Json | undefined {
  const holder: { [key: string]: Json } = before === undefined ? {} : { root: structuredClone(before) };
  for (const change of [...changes].reverse()) {
    const steps = `root${change.path}`
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() as string;
    const parent = steps.reduce<Json>((at, step) => (at as { [key: string]: Json })[step] as Json, holder);
    put(parent, last, change.after === null ? undefined : (JSON.parse(change.after) as Json));
  }
  return holder.root;
}

function put(parent: Json, step: string, value: Json | undefined): void {
  if (value !== undefined)
    Object.defineProperty(parent, step, { value, enumerable: true, writable: true, configurable: true });
  else if (Array.isArray(parent)) parent.splice(Number(step), 1);
  else delete (parent as { [key: string]: Json })[step];
}

/** A list that grew was put together from its end; its places are all there again. */
const settle = (value: Json | undefined) =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Json);

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
  it('says all that it takes to get from before to after, and nothing else', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const changes = changesOf({ before, after });
        expect(settle(apply(before, changes))).toEqual(after);
        expect(new Set(changes.map((change) => change.path)).size).toBe(changes.length);
        for (const change of changes) expect(change.before).not.toBe(change.after);
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
        expect(changesOf({ before: value, after: turned })).toEqual([]);
      }),
    );
  });

  it.each<[string, unknown, unknown, LogChange[]]>([
    ['a changed value', { a: 1 }, { a: 2 }, [{ path: '/a', before: '1', after: '2' }]],
    ['an added key', {}, { a: { b: 1 } }, [{ path: '/a', before: null, after: '{"b":1}' }]],
    ['a removed key', { a: [1] }, {}, [{ path: '/a', before: '[1]', after: null }]],
    ['null, which is a value', { a: null }, { a: 0 }, [{ path: '/a', before: 'null', after: '0' }]],
    ['another kind', { a: [] }, { a: {} }, [{ path: '/a', before: '[]', after: '{}' }]],
    ['a list grown', { a: [1] }, { a: [1, 2] }, [{ path: '/a/1', before: null, after: '2' }]],
    ['a list shrunk', { a: [1, 2] }, { a: [1] }, [{ path: '/a/1', before: '2', after: null }]],
    ['escaped keys', { 'a/b~': 1 }, { 'a/b~': 2 }, [{ path: '/a~1b~0', before: '1', after: '2' }]],
    ['an empty key', { '': 1 }, { '': 2 }, [{ path: '/', before: '1', after: '2' }]],
    ['bare values as roots', 'old', 'new', [{ path: '', before: '"old"', after: '"new"' }]],
    ['no before', undefined, { a: 1 }, [{ path: '', before: null, after: '{"a":1}' }]],
    ['no after', { a: 1 }, undefined, [{ path: '', before: '{"a":1}', after: null }]],
    [
      'a name that all objects inherit',
      {},
      { constructor: 1 },
      [{ path: '/constructor', before: null, after: '1' }],
    ],
  ])('tells %s', (_, before, after, expected) => {
    const data = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    expect(changesOf(data)).toEqual(expected);
  });

  it('orders by key units at each level, and lists by number', () => {
    const before = { b: 1, a: { z: 1, B: 1 }, list: Array.from({ length: 12 }, () => 0) };
    const after = { b: 2, a: { z: 2, B: 2 }, list: Array.from({ length: 12 }, () => 1) };
    expect(changesOf({ before, after }).map((change) => change.path)).toEqual([
      '/a/B',
      '/a/z',
      '/b',
      ...before.list.map((_, index) => `/list/${index}`),
    ]);
  });

  it(`stops at ${MAX_CHANGES}`, () => {
    const many = (value: number) =>
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${1000 + index}`, value]));
    const changes = changesOf({ before: many(1), after: many(2) });
    expect(changes).toHaveLength(MAX_CHANGES);
    expect(changes.at(-1)?.path).toBe('/k1199');
  });

  it('finds nothing where there is no before or after', () => {
    expect(changesOf(null)).toEqual([]);
    expect(changesOf({ other: 1 })).toEqual([]);
  });
});
