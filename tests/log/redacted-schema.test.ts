import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactor } from '../../src/client/redact.js';
import { schemaCheck } from '../../src/log/actions/json-schema.js';
import { withoutRedacted } from '../../src/log/actions/redacted-schema.js';

type Schema = Record<string, unknown>;

const NAMES = ['a', 'b', 'c'];
const name = fc.constantFrom(...NAMES);

/** A schema and data that fits it. */
interface Pair {
  schema: Schema;
  data: unknown;
}

const leaf: fc.Arbitrary<Pair> = fc.oneof(
  fc.string({ maxLength: 3 }).map((data) => ({ schema: { type: 'string', maxLength: 3 }, data })),
  fc.integer({ min: 0, max: 9 }).map((data) => ({ schema: { type: 'integer', minimum: 0 }, data })),
  fc.constantFrom('x', 'y').map((data) => ({ schema: { enum: ['x', 'y'] }, data })),
  fc.boolean().map((data) => ({ schema: { type: 'boolean' }, data })),
);

const { pair } = fc.letrec<{ pair: Pair; object: Pair; list: Pair; choice: Pair }>((tie) => ({
  pair: fc.oneof({ maxDepth: 4, depthIdentifier: 'pair' }, leaf, tie('object'), tie('list'), tie('choice')),
  object: fc
    .tuple(fc.dictionary(name, tie('pair') as fc.Arbitrary<Pair>, { maxKeys: 3 }), fc.boolean(), fc.boolean())
    .map(([members, isClosed, isCounted]) => ({
      schema: {
        type: 'object',
        properties: Object.fromEntries(Object.entries(members).map(([key, { schema }]) => [key, schema])),
        required: Object.keys(members),
        ...(isClosed && { additionalProperties: false }),
        ...(isCounted && { minProperties: Object.keys(members).length }),
      },
      data: Object.fromEntries(Object.entries(members).map(([key, { data }]) => [key, data])),
    })),
  list: (tie('pair') as fc.Arbitrary<Pair>).map(({ schema, data }) => ({
    schema: { type: 'array', items: schema, minItems: 1 },
    data: [data, data],
  })),
  choice: fc
    .tuple(tie('pair') as fc.Arbitrary<Pair>, fc.constantFrom('anyOf', 'oneOf', 'allOf', '$ref'))
    .map(([{ schema, data }, keyword]) => ({
      schema:
        keyword === 'oneOf'
          ? { oneOf: [schema, false] }
          : keyword === '$ref'
            ? { allOf: [schema, {}] }
            : { [keyword]: [schema] },
      data,
    })),
}));

const whole = fc.dictionary(name, pair, { minKeys: 1, maxKeys: 3 }).map((members) => ({
  schema: {
    type: 'object',
    properties: Object.fromEntries(Object.entries(members).map(([key, each]) => [key, each.schema])),
    required: Object.keys(members),
  } as Schema,
  data: Object.fromEntries(Object.entries(members).map(([key, { data }]) => [key, data])),
}));

const path = fc
  .array(fc.constantFrom(...NAMES, '*', '0'), { minLength: 1, maxLength: 4 })
  .map((names) => names.join('.'));
const rules = fc.uniqueArray(fc.record({ path, how: fc.constantFrom('drop' as const, 'mask' as const) }), {
  selector: (rule) => rule.path,
  minLength: 1,
  maxLength: 3,
});

describe('a schema without what is redacted', () => {
  it('is fitted by whatever fitted the schema, once it is redacted', () => {
    fc.assert(
      fc.property(whole, rules, ({ schema, data }, redaction) => {
        expect(schemaCheck(schema)(data)).toEqual([]);
        const { _redacted, ...left } = redactor({ rules: redaction, patterns: [] })(data);
        const relaxed = withoutRedacted(
          schema,
          redaction.map((rule) => rule.path),
        );
        expect(schemaCheck(relaxed)(left)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('still refuses what is wrong elsewhere', () => {
    const schema = {
      $defs: {
        card: {
          type: 'object',
          properties: { number: { type: 'string' }, name: { type: 'string' } },
          required: ['number', 'name'],
        },
      },
      type: 'object',
      properties: { cards: { type: 'array', items: { $ref: '#/$defs/card' } }, reason: { type: 'string' } },
      required: ['cards', 'reason'],
    };
    const check = schemaCheck(withoutRedacted(schema, ['cards.number']));
    expect(check({ cards: [{ name: 'x' }], reason: 'y' })).toEqual([]);
    expect(check({ cards: [{ name: 'x', number: '****1' }], reason: 'y' })).toEqual([]);
    expect(check({ cards: [{}], reason: 'y' })).toMatchObject([{ way: ['cards', 0, 'name'] }]);
    expect(check({ cards: [{ name: 'x' }] })).toMatchObject([{ way: ['reason'] }]);
  });

  it('ends with schemas that lead round and fork', () => {
    const round = {
      $defs: {
        a: { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }] },
        b: { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] },
      },
      $ref: '#/$defs/a',
    };
    expect(withoutRedacted(round, ['x.y', '*.*', 'x'])).toBeTypeOf('object');
    const tree = {
      properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#' } } },
      required: ['name'],
    };
    const check = schemaCheck(withoutRedacted(tree, ['children.name']));
    expect(check({ name: 'a', children: [{ children: [{ name: 'b' }] }] })).toEqual([]);
    expect(check({ children: [] })).toMatchObject([{ way: ['name'] }]);
  });
});
