import 'reflect-metadata';
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorFormatter } from '../../../src/graphql/format-error.js';
import { buildReelSchema } from '../../../src/graphql/schema.js';
import { Subscriptions } from '../../../src/graphql/subscriptions.js';
import { documentValidator } from '../../../src/graphql/validation.js';
import { Answers } from '../../../src/http/answer.js';
import { bootGraphql, fakeServices, NOBODY } from '../../support/graphql-server.js';

const schema = buildReelSchema();

/** A value that its type does not take: as JSON, as a literal, and how a message shows it. */
interface BadValue {
  json: unknown;
  literal: string;
  shown: string;
}

const bad = (json: unknown, literal = JSON.stringify(json), shown = JSON.stringify(json)): BadValue => ({
  json,
  literal,
  shown,
});
const BAD: Record<string, BadValue[]> = {
  String: [bad(7), bad(['a', 'b']), bad(true)],
  Int: [bad('7'), bad(1.5), bad(2 ** 31)],
  Boolean: [bad('true'), bad(1)],
  UUID: [bad('x'), bad(7)],
  DateTime: [bad('yesterday'), bad('2026-01-05T10:00:00'), bad(7)],
  JSONObject: [bad([1]), bad('{}'), bad(7)],
  Count: [bad(-1), bad('1'), bad(1.5)],
};

function badValuesOf(type: GraphQLInputType): BadValue[] {
  const named = getNamedType(type);
  if (isEnumType(named)) return [bad('NO_SUCH', 'NO_SUCH'), bad(7)];
  if (isInputObjectType(named)) return [bad(7), bad('x')];
  return BAD[named.name]!;
}

interface Case {
  operation: 'query' | 'mutation' | 'subscription';
  field: GraphQLField<unknown, unknown>;
  argument: GraphQLArgument;
  /** From the argument's value on. */
  path: readonly (string | number)[];
  type: GraphQLInputType;
}

/** Input types whose fields are among the cases. */
const seen = new Set<string>();

/** The argument, and each input field below it, of a type that several arguments have once; of lists the second item. */
function casesOf(
  base: Omit<Case, 'path' | 'type'>,
  type: GraphQLInputType,
  path: readonly (string | number)[] = [],
): Case[] {
  const own: Case = { ...base, path, type };
  const open = getNullableType(type);
  if (isListType(open)) return [own, ...casesOf(base, open.ofType as GraphQLInputType, [...path, 1])];
  if (!isInputObjectType(open) || seen.has(open.name)) return [own];
  seen.add(open.name);
  return [
    own,
    ...Object.values(open.getFields()).flatMap((each: GraphQLInputField) =>
      casesOf(base, each.type, [...path, each.name]),
    ),
  ];
}

const cases: Case[] = (['query', 'mutation', 'subscription'] as const).flatMap((operation) => {
  const root =
    operation === 'query'
      ? schema.getQueryType()
      : operation === 'mutation'
        ? schema.getMutationType()
        : schema.getSubscriptionType();
  return Object.values(root?.getFields() ?? {}).flatMap((field) =>
    field.args.flatMap((argument) => casesOf({ operation, field, argument }, argument.type)),
  );
});

const textOf = (path: readonly (string | number)[]) =>
  path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');

/** A value with `inner` at the path, and nothing else that is there. */
const jsonAt = (path: readonly (string | number)[], inner: unknown): unknown =>
  path.reduceRight<unknown>(
    (value, step) => (typeof step === 'number' ? [null, value] : { [step]: value }),
    inner,
  );
const literalAt = (path: readonly (string | number)[], inner: string): string =>
  path.reduceRight<string>(
    (value, step) => (typeof step === 'number' ? `[null, ${value}]` : `{ ${step}: ${value} }`),
    inner,
  );

/** Literals for the other arguments that a field must have. */
const FINE: Record<string, string> = {
  Count: '1',
  UUID: '"0196f2f0-0000-7000-8000-00000000b001"',
  UpdateStreamInput: '{}',
};

function documentOf({ operation, field, argument }: Case, value: string, declared = ''): string {
  const selection = isCompositeType(getNamedType(field.type)) ? '{ __typename }' : '';
  const others = field.args.filter((each) => each !== argument && isRequiredArgument(each));
  const rest = others.map(({ name, type }) => `, ${name}: ${FINE[getNamedType(type).name]}`).join('');
  return `${operation} ${declared} { ${field.name}(${argument.name}: ${value}${rest}) ${selection} }`;
}

let production: Awaited<ReturnType<typeof bootGraphql>>;
let development: Awaited<ReturnType<typeof bootGraphql>>;
beforeAll(async () => {
  production = await bootGraphql();
  development = await bootGraphql({}, { introspection: true });
});
afterAll(() => Promise.all([production.close(), development.close()]));

const subscriptionsOf = (hints: boolean) =>
  new Subscriptions({
    schema,
    services: fakeServices(),
    answers: new Answers(),
    pageSizes: { defaultPageSize: 50, maxPageSize: 100 },
    validateDocument: documentValidator(schema, { introspection: hints }),
    format: errorFormatter({ log: { error: () => {} }, hints }),
  });

/** What the errors say, through variables and as a literal. */
async function messagesOf(
  each: Case,
  { json, literal }: BadValue,
  hints = false,
): Promise<[string[], string[]]> {
  const ask = async (query: string, variables = {}): Promise<string[]> => {
    let errors: readonly { message: string }[] = [];
    if (each.operation !== 'subscription')
      errors = (await (hints ? development : production).ask(query, { variables })).body.errors ?? [];
    else {
      const results = await subscriptionsOf(hints).subscribe({ query, variables }, NOBODY);
      if (Symbol.asyncIterator in results) for await (const result of results) errors = result.errors ?? [];
      else errors = results;
    }
    return errors.map(({ message }) => message);
  };
  return Promise.all([
    ask(documentOf(each, '$v', `($v: ${each.argument.type})`), { v: jsonAt(each.path, json) }),
    ask(documentOf(each, literalAt(each.path, literal))),
  ]);
}

describe('a bad value is named', () => {
  test.each(
    cases.map((each) => [`${each.field.name}(${each.argument.name}${textOf(each.path)}:)`, each] as const),
  )('at %s', async (_, each) => {
    const at = textOf(each.path);
    for (const value of badValuesOf(each.type)) {
      // A list takes a value for a list of one.
      if (isListType(getNullableType(each.type)) && Array.isArray(value.json)) continue;
      const [variables, literals] = await messagesOf(each, value);
      const [inVariable, inLiteral] = [
        `Variable "$v${at}": expected `,
        `${each.argument.name}${at}: expected `,
      ];
      expect(variables.find((message) => message.startsWith(inVariable))).toMatch(/ expected .+, got .+$/);
      const found = literals.find((message) => message.startsWith(inLiteral));
      const shown = value.literal === 'NO_SUCH' ? value.literal : value.shown;
      expect(found?.replaceAll(/\s/g, '')).toContain(`,got${shown.replaceAll(/\s/g, '')}`);
    }
    if (isNonNullType(each.type)) {
      const [variables, literals] = await messagesOf(each, bad(null));
      expect(variables).toContainEqual(expect.stringMatching(/: expected .+, got null$/));
      expect(literals).toContainEqual(expect.stringMatching(/: expected .+, got null$/));
    }
  });

  /** One argument or field of each input type. */
  const ofInputs = cases
    .filter(({ type }) => isInputObjectType(getNullableType(type)))
    .filter(({ type }, index, all) => all.findIndex((other) => `${other.type}` === `${type}`) === index);

  const fieldsOf = (type: GraphQLInputType) =>
    Object.values((getNamedType(type) as GraphQLInputObjectType).getFields());

  test.each(ofInputs)('an unknown field of $type, suggested where schemas may be', async (each) => {
    const name = fieldsOf(each.type)[0]!.name;
    const value = bad({ [`${name}z`]: 1 }, `{ ${name}z: 1 }`);
    for (const hints of [false, true])
      for (const messages of await messagesOf(each, value, hints)) {
        const found = messages.find((message) => message.includes(`${textOf(each.path)}.${name}z`));
        expect(found).toMatch(/: expected a field of \w+, got one that it does not have\./);
        if (hints) expect(found).toContain(`Did you mean "${name}"`);
        else expect(found).not.toMatch(/mean/);
      }
  });

  test.each(
    ofInputs.flatMap((each) =>
      fieldsOf(each.type)
        .filter(({ type, defaultValue }) => isNonNullType(type) && defaultValue === undefined)
        .map(({ name }) => [each.type, name, each] as const),
    ),
  )('a %s without %s', async (_, name, each) => {
    const at = `${textOf(each.path)}.${name}`;
    const [variables, literals] = await messagesOf(each, bad({}, '{}'));
    const message = (start: string) => new RegExp(`^${start}: expected .+, got nothing$`);
    const escaped = at.replaceAll(/[[\].]/g, '\\$&');
    expect(variables).toContainEqual(expect.stringMatching(message(`Variable "\\$v${escaped}"`)));
    expect(literals).toContainEqual(expect.stringMatching(message(`${each.argument.name}${escaped}`)));
  });
});

describe('what came', () => {
  const long = 'x'.repeat(5_000);

  test.each(
    cases
      .filter(({ type }, index) => cases.findIndex((other) => `${other.type}` === `${type}`) === index)
      .map((each) => [each.type, each] as const),
  )('for a %s is repeated in short, however long it is', async (_, each) => {
    for (const value of [bad(long), bad([[long]]), bad({ [long]: long }, `{ ${long}: "${long}" }`)])
      for (const messages of await messagesOf(each, value))
        for (const message of messages) {
          expect(message.replaceAll(/[^x]/g, '').length).toBeLessThanOrEqual(200);
          expect(message.length).toBeLessThan(500);
        }
  });

  test('is told of variables that are missing, used as another type, or not defined', async () => {
    const message = async (query: string, variables = {}) =>
      (await production.ask(query, { variables })).body.errors[0].message;
    expect(await message('query ($id: UUID!) { log(id: $id) { id } }')).toBe(
      'Variable "$id": expected a UUID, got nothing',
    );
    expect(await message('query ($n: Int = "a") { logs(first: $n) { nodes { id } } }')).toMatch(
      /^\$n: expected an integer .*, got "a"$/,
    );
    expect(await message('query ($n: Int) { logs(filter: { modules: [$n] }) { nodes { id } } }')).toBe(
      'filter.modules[0]: Variable "$n" of type "Int" used in position expecting type "String!".',
    );
    expect(await message('{ logs(filter: { search: $n }) { nodes { id } } }')).toBe(
      'filter.search: Variable "$n" is not defined.',
    );
    expect(await message('{ logs(orderBy: "NEWEST_FIRST") { nodes { id } } }')).toBe(
      'orderBy: expected a value of LogOrder, without quotation marks, got "NEWEST_FIRST"',
    );
  });

  test('is told of each of several values, and of variables up to the fiftieth', async () => {
    const inputs = Array.from({ length: 80 }, (_, index) => ({ module: 'm', action: index }));
    const { body } = await production.ask(
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { as: 'module', variables: { inputs } },
    );
    const messages = body.errors.map(({ message }: { message: string }) => message);
    expect(messages.slice(0, 50)).toEqual(
      inputs
        .slice(0, 50)
        .map(({ action }) => `Variable "$inputs[${action}].action": expected text, got ${action}`),
    );
    expect(messages.slice(50)).toEqual([expect.stringMatching(/^Too many errors/)]);
  });
});
