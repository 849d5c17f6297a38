import fc from 'fast-check';
import { execute, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import type { ReelContext } from '../../../src/graphql/context.js';
import { type Finished, placeFinished } from '../../../src/graphql/plain-fields.js';
import { buildReelSchema } from '../../../src/graphql/schema.js';
import { Answers } from '../../../src/http/answer.js';
import { writeJson } from '../../../src/http/json-writer.js';
import type { LogEntry } from '../../../src/log/entry/log-entry.entity.js';
import { ALL_COLUMNS, type EntryColumns, StoredEntry } from '../../../src/log/entry/stored-entry.js';
import { entryToJson, entryToWire } from '../../../src/log/entry/wire.js';
import { entry, rowOf, storedEntry, textsOf } from '../../support/rows.js';

const schema = buildReelSchema();
const STORED =
  `id module action severity origin actorId actorType actorEmail actorName onBehalfOfId onBehalfOfName tenantId
  clientId resourceType resourceId resourceName outcome data ipAddress userAgent requestId repaired occurredAt createdAt
  sequence erasedAt __typename`.split(/\s+/);

const name = fc.constantFrom(...STORED);
const alias = fc.constantFrom('a', 'b', 'module', 'constructor', '__proto__', 'toString');
const field = fc.oneof(
  { weight: 6, arbitrary: name },
  fc.tuple(alias, name).map(([to, of]) => `${to}: ${of}`),
  fc.constantFrom('changeCount', 'module @skip(if: false)', 'action @include(if: false)'),
);
const selection: fc.Arbitrary<string> = fc
  .array(field, { minLength: 1, maxLength: 8 })
  .chain((fields) =>
    fc.constantFrom(
      fields.join(' '),
      `... on LogEntry { ${fields.join(' ')} } id`,
      `... { ${fields.join(' ')} }`,
      `...Some`,
      `... @skip(if: true) { ${fields.join(' ')} } id`,
    ),
  );
const document = fc.tuple(selection, selection, fc.array(name, { minLength: 1, maxLength: 5 })).map(
  ([nodes, other, some]) =>
    `{ logs { nodes { ${nodes} } } more: logs { list: nodes { ${other} } nodes { id } edges { node { id } } } edged: logs { edges { cursor node { ${nodes} } } pageInfo { endCursor } }
        log(id: "01a21dc7-3f00-7b18-b23d-4c2df61b571d") { ${nodes} } none: log(id: "01a21dc7-3f00-7b18-b23d-4c2df61b571d") { ${other} } } fragment Some on LogEntry { ${some.join(' ')} }`,
);

const BUCKETS = [
  {
    start: '2026-01-05T10:00:00.000000Z',
    end: '2026-01-05T11:00:00.000000Z',
    count: 3,
    bySeverity: [
      { key: 'INFO', label: null, count: 2 },
      { key: 'ERROR', label: 'with "quotes"', count: 1 },
    ],
  },
  { start: '2026-01-05T11:00:00.000000Z', end: '2026-01-05T12:00:00.000000Z', count: 0, bySeverity: [] },
];

/** Entries of which the given columns are read. */
type Read = (columns: EntryColumns) => readonly object[];

function contextOf(read: Read, finished?: Finished[]) {
  const rest = { hasNextPage: false, hasPreviousPage: false, stopped: null };
  return {
    caller: {},
    services: {
      authorizer: { require: async () => ({ tenantId: '', clients: null }) },
      stats: { stats: () => ({ timeline: async () => BUCKETS, facet: async () => BUCKETS[0]!.bySeverity }) },
      reader: {
        list: async (_criteria: unknown, _page: unknown, columns: EntryColumns) => ({
          entries: read(columns),
          ...rest,
        }),
        get: async (_scope: unknown, _id: string, columns: EntryColumns) => read(columns)[0] ?? null,
      },
    },
    loaders: { recordView: async () => {} },
    pageSizes: { defaultPageSize: 50, maxPageSize: 100 },
    now: new Date(),
    answer: new Answers().begin(),
    finished,
  } as unknown as ReelContext;
}

/** As JSON: of graphql-js alone, and with lists that were finished beside it; and their number. */
async function both(text: string, entries: readonly object[] | Read) {
  const read = typeof entries === 'function' ? entries : () => entries;
  const parsed = parse(text);
  const finished: Finished[] = [];
  const plain = await execute({ schema, document: parsed, contextValue: contextOf(read) });
  const result = await execute({ schema, document: parsed, contextValue: contextOf(read, finished) });
  placeFinished(result.data, finished);
  const written = Buffer.concat(await writeJson(result, () => {})).toString();
  return { plain: JSON.stringify(plain), result: written, lists: finished.length };
}

/** As jsonb has it: it knows no -0, and no value that is undefined. */
const asJson = (value: object | null): Record<string, unknown> | null => JSON.parse(JSON.stringify(value));

const isValid = (text: string) =>
  validate(schema, parse(text)).every(({ message }) => message.includes('is never used'));

describe('lists of entries', () => {
  test('are what graphql-js makes of them, whatever is selected', () =>
    fc.assert(
      fc.asyncProperty(document.filter(isValid), fc.array(entry, { maxLength: 3 }), async (text, entries) => {
        const { plain, result } = await both(text, entries);
        expect(result).toBe(plain);
      }),
    ));

  test('of stored rows are what graphql-js makes of them, as text', () =>
    fc.assert(
      fc.asyncProperty(document.filter(isValid), fc.array(entry, { maxLength: 3 }), async (text, entries) => {
        const stored: Read = (columns) => entries.map((each) => storedEntry(each, columns));
        const { plain, result } = await both(text, stored);
        expect(JSON.parse(result)).toEqual(JSON.parse(plain));
      }),
    ));

  test('of rows with other types are the errors of graphql-js', async () => {
    const [one] = fc.sample(entry, { numRuns: 1, seed: 1 });
    for (const [name, text] of [
      ['severity', '9'],
      ['data', '[]'],
      ['module', null],
      ['createdAt', null],
    ] as const) {
      const broken: Read = (columns) => {
        const texts = textsOf({ ...one, origin: 'MODULE', data: {} }, columns);
        texts[columns.placeOf(name)] = text;
        return [new StoredEntry(rowOf(texts), columns)];
      };
      const { plain, result } = await both(`{ logs { nodes { ${name} } } }`, broken);
      expect(JSON.parse(result)).toEqual(JSON.parse(plain));
      expect(JSON.parse(result).errors).toHaveLength(1);
    }
  });

  test('of stored rows are over REST as entries are', () =>
    fc.assert(
      fc.property(entry, (values) => {
        const stored = storedEntry(values);
        expect(JSON.parse(entryToJson(stored).toString())).toEqual(
          JSON.parse(JSON.stringify(entryToWire(stored))),
        );
        expect(stored.toJSON()).toMatchObject({
          id: values.id,
          data: asJson(values.data),
          repaired: values.repaired,
        } as LogEntry);
      }),
    ));

  test('of what is no entry are the errors of graphql-js', () =>
    fc.assert(
      fc.asyncProperty(
        fc.subarray(STORED.slice(0, -1), { minLength: 1 }),
        fc.array(fc.record(Object.fromEntries(STORED.map((each) => [each, fc.anything()]))), {
          minLength: 1,
        }),
        async (fields, entries) => {
          const { plain, result } = await both(
            `{ logs { nodes { ${fields.join(' ')} } } }`,
            entries as object[],
          );
          expect(result).toBe(plain);
        },
      ),
    ));

  test.each([
    ['a promise', Promise.resolve({ a: 1 })],
    ['a function', () => ({ a: 1 })],
    ['an error', new Error('not readable')],
  ])('with %s in place of a value are what graphql-js makes of it', async (_, value) => {
    const { plain, result } = await both('{ logs { nodes { id data createdAt } } }', [
      { id: 'a', data: value, createdAt: 'b' },
    ]);
    expect(JSON.parse(result)).toEqual(JSON.parse(plain));
    const whole = await both('{ logs { nodes { actorName } } }', [value as object]);
    expect(JSON.parse(whole.result)).toEqual(JSON.parse(whole.plain));
  });

  test('are read in the columns that are selected, and in those that these are told from', () => {
    const seen: (readonly string[])[] = [];
    const read: Read = (columns) => {
      seen.push(columns.fields.map(({ name }) => name));
      return [];
    };
    const all = ALL_COLUMNS.fields.map(({ name }) => name);
    return fc.assert(
      fc.asyncProperty(fc.subarray(STORED.slice(0, -1), { minLength: 1 }), async (names) => {
        seen.length = 0;
        const text = `{ logs { nodes { ${names.join(' ')} } pageInfo { endCursor } } other: logs { nodes { id changeCount } } }`;
        await execute({ schema, document: parse(text), contextValue: contextOf(read) });
        const told = names.includes('actorType') ? ['actorId', 'actorEmail', 'actorName', 'erasedAt'] : [];
        expect(seen.map((each) => new Set(each))).toEqual([new Set(['id', ...names, ...told]), new Set(all)]);
      }),
    );
  });

  test.each([
    ['{ logs { nodes { id data } } }', 1],
    ['{ logs { nodes { ...F } } } fragment F on LogEntry { id m: module ... { action } __typename }', 1],
    ['{ logs { nodes { id } } more: logs { nodes { action } } }', 2],
    ['{ logs { edges { cursor node { id data } } } }', 1],
    ['{ logs { edges { cursor node { id } node { data } } } }', 0],
    ['{ logs { edges { node { id changeCount } } } }', 0],
    ['{ logs { nodes { id changeCount } } }', 0],
    ['{ logs { nodes { id @include(if: true) } } }', 0],
    ['{ logs { nodes { id related { id } } } }', 0],
    ['{ log(id: "01a21dc7-3f00-7b18-b23d-4c2df61b571d") { id data } }', 1],
    ['{ log(id: "01a21dc7-3f00-7b18-b23d-4c2df61b571d") { id changeCount } }', 0],
    ['{ logStats { timeline { start end count bySeverity { key label count } __typename } } }', 1],
    ['{ logStats { a: timeline { bySeverity { n: count } } facet(field: MODULE) { key label } } }', 2],
  ])('%s is finished in %i of its places', async (text, lists) => {
    const [one] = fc.sample(entry, { numRuns: 1, seed: 1 });
    const { lists: found } = await both(text, (columns) => [
      storedEntry({ ...one, requestId: null }, columns),
    ]);
    expect(found).toBe(lists);
  });
});
