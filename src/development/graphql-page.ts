import {
  astFromValue,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  getDirectiveValues,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isScalarType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  print,
} from 'graphql';
import { markdownBlocks, markdownTable } from './markdown.js';

type Field = GraphQLField<unknown, unknown>;
type Input = GraphQLArgument | GraphQLInputField;

/** The reference part of docs/graphql.md: every root field, type, input, enum, scalar and directive of the schema. */
export function graphqlPage(schema: GraphQLSchema): string {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type) && !roots.includes(type as never),
  );
  const section = (title: string, is: (type: GraphQLNamedType) => boolean) => [
    `## ${title}`,
    ...types
      .filter(is)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(typeSection),
  ];
  return markdownBlocks([
    ...['Queries', 'Mutations', 'Subscriptions'].flatMap((title, index) => [
      `## ${title}`,
      ...Object.values(roots[index]?.getFields() ?? {}).flatMap((field) => [
        `### ${roots[index]?.name}.${field.name}`,
        ...rootSection(field, schema),
      ]),
    ]),
    ...section('Objects', isObjectType),
    ...section('Inputs', isInputObjectType),
    ...section('Enums', isEnumType),
    ...section('Scalars', isScalarType),
    '## Directives',
    ...schema
      .getDirectives()
      .filter((directive) => !isSpecifiedDirective(directive))
      .flatMap(({ name, description, args }) => [`### @${name}`, description, argumentsTable(args)]),
  ]);
}

function rootSection(field: Field, schema: GraphQLSchema): (string | null | undefined)[] {
  return [
    field.description,
    `Returns ${typeLink(field.type)}. ${needs(field, schema)}`,
    argumentsTable(field.args),
  ];
}

/** Who may use the field, from its directive. */
function needs({ astNode }: Field, schema: GraphQLSchema): string {
  const values = (name: string) => astNode && getDirectiveValues(schema.getDirective(name)!, astNode);
  const mentor = values('mentor') as { action: string; scopes: string[] } | undefined;
  if (mentor) return `Needs the action \`${mentor.action}\` at ${mentor.scopes.join(' or ')}.`;
  if (values('internal')) return "Needs a module's service credential.";
  return 'Needs any credential.';
}

function typeSection(type: GraphQLNamedType): (string | null | undefined)[] {
  return [`### ${type.name}`, type.description, membersTable(type)];
}

function membersTable(type: GraphQLNamedType): string {
  if (isEnumType(type))
    return markdownTable(
      ['Value', 'Meaning'],
      type.getValues().map(({ name, description }) => [`\`${name}\``, description ?? '']),
    );
  if (isInputObjectType(type)) return inputsTable('Field', Object.values(type.getFields()));
  if (!isObjectType(type)) return '';
  const rows = Object.values(type.getFields()).map((field) => [
    `\`${field.name}\`${field.args.length > 0 ? `(${field.args.map(inline).join(', ')})` : ''}`,
    typeLink(field.type),
    [field.description, ...field.args.map(({ name, description }) => `\`${name}\`: ${description}`)].join(
      ' ',
    ),
  ]);
  return markdownTable(['Field', 'Type', 'Meaning'], rows);
}

const argumentsTable = (args: readonly GraphQLArgument[]): string => inputsTable('Argument', args);

const inputsTable = (title: string, inputs: readonly Input[]): string =>
  markdownTable(
    [title, 'Type', 'Default', 'Meaning'],
    inputs.map((input) => [
      `\`${input.name}\``,
      typeLink(input.type),
      defaultOf(input),
      input.description ?? '',
    ]),
  );

const inline = (input: Input): string => {
  const fallback = defaultOf(input);
  return `\`${input.name}\`: ${typeLink(input.type)}${fallback ? ` = ${fallback}` : ''}`;
};

function defaultOf({ type, defaultValue }: Input): string {
  const node = defaultValue === undefined ? null : astFromValue(defaultValue, type);
  return node ? `\`${print(node)}\`` : '';
}

/** `[LogEntry!]!` with a link to LogEntry. */
function typeLink(type: GraphQLType): string {
  const { name } = getNamedType(type);
  const [before = '', after = ''] = String(type).split(name);
  const link = isSpecifiedScalarType(getNamedType(type)) ? name : `[${name}](#${name.toLowerCase()})`;
  return `${before.replaceAll('[', '\\[')}${link}${after.replaceAll(']', '\\]')}`;
}
