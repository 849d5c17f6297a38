import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { clip } from '../../errors.js';
import { readNumber, UnheldNumber } from '../../query-line/number.js';
import { parseInstant, parseUuid } from '../../query-line/values.js';

/** `node`: of a literal; it tells where in the document the value is. */
const refuse = (expected: string, came: unknown, node?: ValueNode): GraphQLError =>
  new GraphQLError(`expected ${expected}, got ${clip(came)}`, {
    nodes: node ?? null,
    extensions: { code: 'BAD_USER_INPUT' },
  });

/** Output passes through: the database's answer is already in the wire's form, and checking it again costs. */
const passThrough = (value: unknown) => value;

function textScalar(
  name: string,
  description: string,
  expected: string,
  parse: (text: string) => string | null,
): GraphQLScalarType {
  const read = (value: unknown, node?: ValueNode): string => {
    const parsed = typeof value === 'string' ? parse(value) : null;
    if (parsed === null) throw refuse(expected, value, node);
    return parsed;
  };
  return new GraphQLScalarType({
    name,
    description,
    extensions: { expected },
    serialize: passThrough,
    parseValue: (value) => read(value),
    parseLiteral: (node) => read(literal(node), node),
  });
}

const PAST_MICROSECONDS = /\.\d{6}0*[1-9]/;

export const DateTime = textScalar(
  'DateTime',
  'An instant, RFC 3339. Inputs need an offset or Z; outputs are UTC with microseconds kept as stored.',
  'an RFC 3339 instant with an offset or Z',
  // Digits past microseconds are for whoever takes the value to refuse or cut; they are not lost here.
  (text) => (PAST_MICROSECONDS.test(text) && parseInstant(text) ? text : parseInstant(text)),
);

export const UUID = textScalar('UUID', 'RFC 9562 UUID, lower case.', 'a UUID', parseUuid);

export const JSONObject = new GraphQLScalarType<Record<string, unknown>, unknown>({
  name: 'JSONObject',
  description: 'A JSON object: the root is never an array or a bare value.',
  extensions: { expected: 'a JSON object' },
  serialize: passThrough,
  parseValue: (value) => jsonObject(value),
  parseLiteral: (node, variables) => jsonObject(literal(node, variables ?? undefined), node),
});

const COUNT = 'an integer from 0 to 2^53 - 1';

export const Count = new GraphQLScalarType<number, unknown>({
  name: 'Count',
  description: 'A non-negative integer up to 2^53 - 1, since Int ends at 2^31 - 1.',
  extensions: { expected: COUNT },
  serialize: passThrough,
  parseValue: (value) => count(value),
  parseLiteral: (node) => count(literal(node), node),
});

function jsonObject(value: unknown, node?: ValueNode): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof UnheldNumber)
    throw refuse('a JSON object', value, node);
  return value as Record<string, unknown>;
}

function count(value: unknown, node?: ValueNode): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw refuse(COUNT, value, node);
  return value;
}

/** A literal of the document as the value that the same JSON in a variable would be. */
function literal(node: ValueNode, variables?: Record<string, unknown>): unknown {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
    case Kind.ENUM:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      return readNumber(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((each) => literal(each, variables));
    case Kind.OBJECT:
      // That each name stands once is a rule of validation.
      return Object.fromEntries(
        node.fields.map((field) => [field.name.value, literal(field.value, variables)]),
      );
    case Kind.VARIABLE:
      return variables?.[node.name.value];
  }
}
