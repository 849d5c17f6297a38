import {
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  isInputObjectType,
  isInputType,
  isListType,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql';
import { UnheldNumber } from '../query-line/number.js';
import { badRequest } from './limits.js';

/** Unknown fields of an input object that are worth an error each: graphql-js reports no more. */
const MAX_UNKNOWN = 50;
/** Of what stands where it cannot: more members, levels or characters say nothing more. */
const [MAX_MEMBERS, MAX_LEVELS, MAX_CHARACTERS] = [20, 3, 200];

type Variables = Readonly<Record<string, unknown>>;

/**
 * Variables without what would only be written into errors. graphql-js writes the whole value around each fault, so that a
 * body of many faults takes their number times its length. What is well is the same object as before. Errors: BAD_USER_INPUT for a list that is far too long.
 */
export function abridgeVariables(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Variables,
): Record<string, unknown> {
  const abridged: Record<string, unknown> = {};
  for (const { variable, type: node } of variableDefinitions) {
    const name = variable.name.value;
    const type = typeFromAST(schema, node);
    if (Object.hasOwn(variables, name))
      abridged[name] = isInputType(type) ? abridge(variables[name], type) : variables[name];
  }
  return abridged;
}

function abridge(value: unknown, type: GraphQLInputType): unknown {
  if (typeof value !== 'object' || value === null || value instanceof UnheldNumber) return value;
  const open = getNullableType(type);
  if (isListType(open)) return Array.isArray(value) ? items(value, open.ofType) : abridge(value, open.ofType);
  // Of data everything counts.
  if (open.name === 'JSONObject' && !Array.isArray(value)) return value;
  if (!isInputObjectType(open) || Array.isArray(value)) return excerpt(value, 0);
  const fields = open.getFields();
  const names = Object.keys(value);
  const most = Object.keys(fields).length + MAX_UNKNOWN;
  const given = value as Variables;
  let copy = names.length > most ? pick(given, names.slice(0, most)) : undefined;
  for (const name of names.slice(0, most)) {
    const field = fields[name];
    if (!field) continue;
    const member = abridge(given[name], field.type);
    if (member === given[name]) continue;
    copy ??= pick(given, names);
    copy[name] = member;
  }
  return copy ?? value;
}

/** Every list has a bound of its own, of 1,000 items or fewer, which is told where it is read; before that graphql-js would look at each item of a far longer one. */
const MAX_ITEMS = 2_000;

function items(list: readonly unknown[], type: GraphQLInputType): readonly unknown[] {
  if (list.length > MAX_ITEMS) throw badRequest('lists of at most 1,000 items', `one of ${list.length}`);
  let copy: unknown[] | undefined;
  for (const [index, item] of list.entries()) {
    const abridged = abridge(item, type);
    if (abridged === item) continue;
    copy ??= [...list];
    copy[index] = abridged;
  }
  return copy ?? list;
}

/** Names may be such as `__proto__`. */
const pick = (from: Variables, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, from[name]]));

function excerpt(value: unknown, level: number): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_CHARACTERS);
  if (typeof value !== 'object' || value === null || value instanceof UnheldNumber) return value;
  if (level === MAX_LEVELS) return null;
  if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((item) => excerpt(item, level + 1));
  const names = Object.keys(value).slice(0, MAX_MEMBERS);
  return Object.fromEntries(
    names.map((name) => [name.slice(0, MAX_CHARACTERS), excerpt((value as Variables)[name], level + 1)]),
  );
}
