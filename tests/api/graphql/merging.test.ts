import 'reflect-metadata';
import fc from 'fast-check';
import { buildSchema, OverlappingFieldsCanBeMergedRule, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { overlappingFieldsRule } from '../../../src/graphql/overlapping-fields.js';
import { expectLinear } from '../../support/growth.js';

const schema = buildSchema(`
  interface Node { id: ID! name: String self: Node many: [Node!] }
  type Dog implements Node { id: ID! name: String self: Node many: [Node!] age: Int says(to: String, how: How): String sire: Dog }
  type Cat implements Node { id: ID! name: String self: Node many: [Node!] age: Float says(to: String, how: How): String lives: Int! }
  union Pet = Dog | Cat
  input How { loud: Int soft: Int }
  type Query { node(id: ID): Node dog: Dog cat: Cat pet: Pet pets: [Pet] age: Int }
`);

const refuses = (rule: typeof overlappingFieldsRule, document: string) =>
  validate(schema, parse(document), [rule], { maxErrors: 20 }).length > 0;

/** Documents of few names, so that fields meet: most are not valid otherwise, which the rule does not mind. */
const documents = (() => {
  const name = fc.constantFrom(
    'id',
    'name',
    'age',
    'says',
    'lives',
    'self',
    'many',
    'node',
    'dog',
    'cat',
    'pet',
    'sire',
    '__typename',
  );
  const type = fc.constantFrom('Node', 'Dog', 'Cat', 'Pet', 'Query', 'Nothing');
  const alias = fc.oneof({ weight: 4, arbitrary: fc.constant('') }, fc.constantFrom('id: ', 'a: ', 'name: '));
  const args = fc.oneof(
    { weight: 4, arbitrary: fc.constant('') },
    fc.constantFrom(
      '(to: "x")',
      '(to: "y")',
      '(to: "x", how: {loud: 1, soft: 2})',
      '(how: {soft: 2, loud: 1}, to: "x")',
      '(how: {loud: [1, 2]})',
    ),
  );
  const { set } = fc.letrec<{ set: string; selection: string }>((tie) => ({
    set: fc
      .array(tie('selection'), { minLength: 1, maxLength: 4, depthIdentifier: 'set' })
      .map((all) => `{ ${all.join(' ')} }`),
    selection: fc.oneof(
      { depthSize: 'small', withCrossShrink: true, depthIdentifier: 'set' },
      fc.tuple(alias, name, args).map((parts) => parts.join('')),
      fc.constantFrom('...A', '...B', '...C'),
      fc.tuple(alias, name, args, tie('set')).map((parts) => parts.join('')),
      fc.tuple(type, tie('set')).map(([on, inner]) => `... on ${on} ${inner}`),
      tie('set').map((inner) => `... ${inner}`),
    ),
  }));
  // No fragment spreads one before it, so that there is no circle, which other rules refuse.
  const without = (text: string, ...spreads: string[]) =>
    spreads.reduce((left, spread) => left.replaceAll(`...${spread}`, 'id'), text);
  return fc.tuple(set, set, set, set, type, type, type).map(
    ([query, a, b, c, onA, onB, onC]) => `
      query { ...A ...B ...C ${query.slice(1)}
      fragment A on ${onA} ${without(a, 'A')}
      fragment B on ${onB} ${without(b, 'A', 'B')}
      fragment C on ${onC} ${without(c, 'A', 'B', 'C')}`,
  );
})();

describe('merging of fields', () => {
  test("refuses what graphql-js's own rule refuses, and nothing else", () => {
    const seen = { refused: 0, let: 0 };
    fc.assert(
      fc.property(documents, (document) => {
        const expected = refuses(OverlappingFieldsCanBeMergedRule, document);
        seen[expected ? 'refused' : 'let'] += 1;
        expect(refuses(overlappingFieldsRule, document)).toBe(expected);
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.refused, seen.let)).toBeGreaterThan(5);
  });

  test.each([
    ['{ dog { a: name } dog { a: id } }', '"name" and "id" are different fields'],
    ['{ dog { says(to: "x") } dog { says(to: "y") } }', 'they have differing arguments'],
    ['{ pet { ... on Dog { age } ... on Cat { age } } }', 'they return conflicting types "Int" and "Float"'],
  ])('says of %s why', (document, reason) => {
    const [error] = validate(schema, parse(document), [overlappingFieldsRule]);
    expect(error?.message).toContain(reason);
    expect(error?.locations).toHaveLength(2);
  });

  test.each<[string, (size: number) => string]>([
    ['many fields of one name', (size) => `{ ${'dog { id } '.repeat(size / 4)} }`],
    [
      'fragments of fields that fork at each level',
      (size) => {
        const levels = Math.floor(size / 40);
        const fragment = (at: number) =>
          `fragment F${at} on Node { self { ...F${at + 1} } a: self { ...F${at + 1} } }`;
        return `{ node { ...F0 } } ${Array.from({ length: levels }, (_, at) => fragment(at)).join(' ')} fragment F${levels} on Node { id }`;
      },
    ],
    [
      // As a deterministic automaton of one that is not: each way down has a set of its own.
      'sets that no two ways down share',
      (size) => {
        const levels = Math.floor(size / 60);
        const fragment = (at: number) =>
          `fragment F${at} on Node { self { ...F${at + 1} } a: self { ...F${at + 1} ...G${at + 1} } } fragment G${at} on Node { self { ...G${at + 1} } a: self { ...G${at + 1} } }`;
        return `{ node { ...F0 } } ${Array.from({ length: levels }, (_, at) => fragment(at)).join(' ')} fragment F${levels} on Node { id } fragment G${levels} on Node { name }`;
      },
    ],
  ])('of %s takes time that does not grow with the square', async (_, make) => {
    await expectLinear(750, (size) => validate(schema, parse(make(size)), [overlappingFieldsRule]));
  });
});
