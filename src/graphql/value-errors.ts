import {
  type ASTNode,
  type ASTVisitor,
  coerceInputValue,
  type GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isScalarType,
  Kind,
  type OperationDefinitionNode,
  print,
  typeFromAST,
  type ValidationContext,
} from 'graphql';
import { clip } from '../errors.js';

/** Where a value of a document or of its variables is, what may be there, and what came. */
interface Place {
  /** `inputs[3].data` from an argument on, `$inputs[3].data` from a variable on. */
  readonly path: string;
  readonly type: GraphQLInputType | undefined;
  readonly came: () => string;
}

/** Of values in documents, by node. */
const placesOfNodes = new WeakMap<ASTNode, Place>();
/** Of values in variables, by the error about them. */
const placesOfErrors = new WeakMap<Error, Place>();

/** A validation rule that refuses nothing: it notes where each value stands, so that errors can say so. */
export const placesRule = (context: ValidationContext): ASTVisitor => {
  const place = (node: ASTNode, path: string, type: GraphQLInputType | undefined) =>
    placesOfNodes.set(node, { path, type, came: () => print(node) });
  return {
    Argument: ({ name, value }) => void place(value, name.value, context.getInputType() ?? undefined),
    VariableDefinition: ({ variable, defaultValue, type }) => {
      if (!defaultValue) return;
      const known = typeFromAST(context.getSchema(), type);
      place(defaultValue, `$${variable.name.value}`, isInputType(known) ? known : undefined);
    },
    ListValue(node) {
      const { path, type } = placesOfNodes.get(node) ?? {};
      for (const [index, value] of node.values.entries())
        place(value, `${path}[${index}]`, memberOf(type, index));
    },
    ObjectValue(node) {
      const { path, type } = placesOfNodes.get(node) ?? {};
      for (const field of node.fields)
        for (const each of [field, field.value])
          place(each, `${path}.${field.name.value}`, memberOf(type, field.name.value));
    },
  };
};

export interface CoercedOperation {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Notes where the values are that errors of coercing an operation's variables are about; graphql-js says so in prose alone. */
export function placeVariableErrors(errors: readonly GraphQLError[], operation: CoercedOperation): void {
  const ofVariables = errors.filter(({ nodes }) => nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION);
  if (ofVariables.length === 0) return;
  const places = faultyPlaces(operation, ofVariables.length);
  for (const [index, error] of ofVariables.entries()) {
    const place = places[index];
    if (place) placesOfErrors.set(error, place);
  }
}

/** Coerces variables as graphql-js's getVariableValues does, up to the fault of that number; they come in the same order. */
function faultyPlaces({ schema, operation, variables }: CoercedOperation, max: number): Place[] {
  const places: Place[] = [];
  const enough = Symbol('enough');
  try {
    for (const { variable, type: node, defaultValue } of operation.variableDefinitions ?? []) {
      const name = variable.name.value;
      const type = typeFromAST(schema, node);
      if (!isInputType(type)) continue;
      const note = (path: readonly (string | number)[], came: () => string) => {
        const known = path.reduce<GraphQLInputType | undefined>(memberOf, type);
        if (places.push({ path: `$${name}${pathText(path)}`, type: known, came }) >= max) throw enough;
      };
      if (!Object.hasOwn(variables, name)) {
        if (isNonNullType(type) && !defaultValue) note([], () => 'nothing');
      } else if (variables[name] === null && isNonNullType(type)) note([], () => 'null');
      else coerceInputValue(variables[name], type, (path, came) => note(path, () => clip(came)));
    }
  } catch (error) {
    if (error !== enough) throw error;
  }
  return places;
}

const pathText = (path: readonly (string | number)[]): string =>
  path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');

/** The type of an item of a list, or of a field of an input object. */
function memberOf(type: GraphQLInputType | undefined, step: string | number): GraphQLInputType | undefined {
  const open = type && getNullableType(type);
  // A value that is no list stands for a list of one.
  const listed = isListType(open) && typeof step === 'string' ? getNamedType(open) : open;
  if (isListType(listed)) return listed.ofType as GraphQLInputType;
  return isInputObjectType(listed) ? listed.getFields()[step]?.type : undefined;
}

/** Of what came, at most so many characters of the path and of the value; together no more than 200. */
const [MAX_PATH, MAX_CAME] = [60, 120];

const UNKNOWN_FIELD = /^Field "(?:\w+\.)?(\w+)" is not defined by type "(\w+)"/;
const MISSING_FIELD = /^Field "(?:\w+\.)?(\w+)" of required type ".+" was not provided/;
const OWN = /^expected .*?, got (?=.)/s;

/**
 * What an error about a value says: `inputs[3].tenantId: expected a UUID, got "ana"`; null where an error is about something
 * else. `reason` is graphql-js's or a scalar's own message; `hints`: whether names of the schema may be suggested.
 */
export function valueMessage(error: GraphQLError, reason: string, hints: boolean): string | null {
  const inVariable = placesOfErrors.get(error);
  const place = inVariable ?? error.nodes?.map((node) => placesOfNodes.get(node)).find(Boolean);
  if (!place || reason.startsWith('Argument "')) return null;
  const hint = hints ? splitHint(reason)[1] : '';
  const at = (suffix = '') => {
    const path = cut(place.path + suffix, MAX_PATH);
    return inVariable ? `Variable "${path}"` : path;
  };
  const [, unknown, typeName] = UNKNOWN_FIELD.exec(reason) ?? [];
  if (unknown !== undefined)
    // In a document the error is about the field, in variables about the object around it.
    return `${at(inVariable ? `.${unknown}` : '')}: expected a field of ${typeName}, got one that it does not have.${hint}`;
  const [, missing] = MISSING_FIELD.exec(reason) ?? [];
  if (missing !== undefined)
    return `${at(`.${missing}`)}: expected ${expectedOf(memberOf(place.type, missing), hints)}, got nothing`;
  const own = OWN.exec(reason)?.[0];
  if (own !== undefined) return `${at()}: ${own}${shown(place, reason.slice(own.length))}`;
  if (/^Variable "\$/.test(reason) && !inVariable) return `${at()}: ${cut(reason, MAX_CAME)}`;
  const came = shown(place, place.came());
  const isQuoted = !inVariable && isEnumType(getNamedType(place.type)) && came.startsWith('"');
  const expected = `${expectedOf(place.type, hints)}${isQuoted ? ', without quotation marks' : ''}`;
  return `${at()}: expected ${expected}, got ${came}${hint && '.'}${hint}`;
}

/** No secret is as short. */
const MAX_OPEN = 12;
const SECRET_FIELD = 'secret';

/** Whether a value is a stream's secret, holds one, or stands beside one: settings hold headers and keys. */
function isSecret({ path, type }: Place): boolean {
  const named = getNamedType(type);
  return (
    /\.(?:secret|settings)\b/.test(path) || (isInputObjectType(named) && SECRET_FIELD in named.getFields())
  );
}

const shown = (place: Place, came: string): string =>
  came.length > MAX_OPEN && isSecret(place) ? 'something else' : cut(came, MAX_CAME);

/**
 * A message of graphql-js, and what it suggests at its end, which names what is in the schema. Not by a pattern: before it
 * stands what came, which may be nothing but the beginnings of suggestions.
 */
export function splitHint(message: string): [said: string, hint: string] {
  const at = message.endsWith('?') ? message.lastIndexOf(' Did you mean ') : -1;
  return at < 0 ? [message, ''] : [message.slice(0, at), message.slice(at)];
}

/** What a type takes, in words. */
function expectedOf(type: GraphQLInputType | undefined, hints: boolean): string {
  const open = type && getNullableType(type);
  if (open === undefined) return 'another value';
  if (isListType(open)) return `a list (of ${expectedOf(open.ofType as GraphQLInputType, hints)})`;
  if (isEnumType(open))
    return hints
      ? `one of ${open
          .getValues()
          .map(({ name }) => name)
          .join(', ')}`
      : `a value of ${open.name}`;
  if (isScalarType(open)) return WORDS[open.name] ?? String(open.extensions.expected ?? open.name);
  return `an object of type ${open.name}`;
}

const WORDS: Readonly<Record<string, string>> = {
  String: 'text',
  Boolean: 'true or false',
  Int: 'an integer from -2147483648 to 2147483647',
};

const cut = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max - 1).toWellFormed()}…` : text;
