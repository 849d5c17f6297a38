import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeJson } from '../../src/http/json-writer.js';

const LONG = 'x'.repeat(70_000);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, undefined, LONG, new Date(0), '"'.repeat(40_000)),
    tie('list'),
    tie('plain'),
    tie('result'),
  ),
  list: fc.array(tie('any'), { maxLength: 6 }),
  plain: fc.dictionary(fc.string(), tie('any'), { maxKeys: 6 }),
  // As graphql-js makes them.
  result: fc.dictionary(fc.string(), tie('any'), { maxKeys: 6, noNullPrototype: false }),
})).plain;

test('text is what JSON.stringify makes, in pieces whose bytes are told', () =>
  fc.assert(
    fc.asyncProperty(value, async (given) => {
      const told: number[] = [];
      const chunks = await writeJson(given as object, (bytes) => told.push(bytes));
      expect(Buffer.concat(chunks).toString()).toBe(Buffer.from(JSON.stringify(given)).toString());
      expect(chunks.map(({ length }) => length)).toEqual(told);
    }),
  ));

test('what is long is written in several pieces, whatever it is made of', async () => {
  const nodes = Array.from({ length: 50 }, (_, id) => ({ id, text: 'x'.repeat(10_000) }));
  const ofResult = Object.assign(Object.create(null), { nodes }) as object;
  const chunks = await writeJson({ data: ofResult }, () => {});
  expect(chunks.length).toBeGreaterThan(5);
  expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(200_000);
});
