import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import {
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type DirectiveNode,
  type FieldDefinitionNode,
  type GraphQLArgument,
  type GraphQLInputField,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  type InputValueDefinitionNode,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedDirective,
  isSpecifiedScalarType,
  Kind,
  parse,
  print,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { enforceDirectives } from '../../../src/graphql/directives.js';
import { buildReelSchema, printReelSchema } from '../../../src/graphql/schema.js';
import { LogFacet, LogStats } from '../../../src/log/stats/log-stats.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Every element of a schema by its path, with what the contract fixes of it; what is `undefined` may be anything. */
function elementsOf(text: string): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>();
  const directives = (nodes: readonly DirectiveNode[] | undefined) => (nodes ?? []).map(print).sort();
  const member = (path: string, node: InputValueDefinitionNode | FieldDefinitionNode) => {
    found.set(path, {
      type: print(node.type),
      description: node.description?.value.trim(),
      directives: directives(node.directives),
      ...(node.kind === Kind.INPUT_VALUE_DEFINITION
        ? { defaultValue: node.defaultValue ? print(node.defaultValue) : null }
        : {}),
    });
    if (node.kind === Kind.FIELD_DEFINITION)
      for (const argument of node.arguments ?? []) member(`${path}(${argument.name.value}:)`, argument);
  };
  for (const node of parse(text).definitions as Exclude<
    DefinitionNode,
    { kind: Kind.OPERATION_DEFINITION }
  >[]) {
    if (!('name' in node) || !node.name) continue;
    const name = node.kind === Kind.DIRECTIVE_DEFINITION ? `@${node.name.value}` : node.name.value;
    found.set(name, {
      kind: node.kind,
      description: 'description' in node ? node.description?.value.trim() : undefined,
      directives: 'directives' in node ? directives(node.directives) : [],
      ...(node.kind === Kind.DIRECTIVE_DEFINITION ? places(node) : {}),
    });
    if ('fields' in node) for (const field of node.fields ?? []) member(`${name}.${field.name.value}`, field);
    if ('arguments' in node)
      for (const argument of (node as DirectiveDefinitionNode).arguments ?? [])
        member(`${name}(${argument.name.value}:)`, argument);
    if (node.kind === Kind.ENUM_TYPE_DEFINITION)
      for (const value of node.values ?? []) found.set(`${name}.${value.name.value}`, { kind: value.kind });
  }
  return found;
}

const places = ({ locations, repeatable }: DirectiveDefinitionNode) => ({
  locations: locations.map(({ value }) => value),
  repeatable,
});

describe('the schema', () => {
  const ours = elementsOf(printReelSchema());

  it.each([...elementsOf(read('contract.graphql'))])('has %s as the contract has it', (path, contract) => {
    expect(ours.get(path)).toMatchObject(JSON.parse(JSON.stringify(contract)));
  });

  it('asks for no argument or input that the contract does not know', () => {
    const contract = elementsOf(read('contract.graphql'));
    const required = [...ours].filter(
      ([path, { type, defaultValue }]) =>
        /!$/.test(String(type)) && defaultValue === null && !contract.has(path),
    );
    expect(required).toEqual([]);
  });

  it('describes every type, field, argument, input field, enum value and directive', () => {
    const undescribed: string[] = [];
    const look = (path: string, { description }: { description?: string | null | undefined }) => {
      if (!description?.trim()) undescribed.push(path);
    };
    const members = (path: string, of: readonly (GraphQLArgument | GraphQLInputField)[]) => {
      for (const each of of) look(`${path}${each.name}`, each);
    };
    const schema = buildReelSchema();
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
      look(type.name, type);
      if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
      if (isInputObjectType(type)) members(`${type.name}.`, Object.values(type.getFields()));
      if (isObjectType(type) || isInterfaceType(type))
        for (const field of Object.values(type.getFields())) {
          look(`${type.name}.${field.name}`, field);
          members(`${type.name}.${field.name}: `, field.args);
        }
    }
    for (const directive of schema.getDirectives().filter((each) => !isSpecifiedDirective(each))) {
      look(`@${directive.name}`, directive);
      members(`@${directive.name}: `, directive.args);
    }
    expect(undescribed).toEqual([]);
  });

  it('is the one that schema.graphql shows', () => {
    expect(read('../../../schema.graphql')).toBe(printReelSchema());
  });

  it('can be built again for another server', () => {
    expect(buildReelSchema()).not.toBe(buildReelSchema());
  });
});

describe('a field of a root type', () => {
  const field = (directives: string[]) =>
    new GraphQLSchema({
      query: new GraphQLObjectType({
        name: 'Query',
        fields: {
          open: {
            type: GraphQLString,
            astNode: {
              kind: Kind.FIELD_DEFINITION,
              name: { kind: Kind.NAME, value: 'open' },
              type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: 'String' } },
              directives: directives.map((value) => ({
                kind: Kind.DIRECTIVE,
                name: { kind: Kind.NAME, value },
              })),
            },
          },
        },
      }),
    });

  it('cannot be left without a directive', () => {
    expect(() => enforceDirectives(field([]))).toThrow('Query.open: expected one of @mentor');
    expect(() => enforceDirectives(field(['deprecated']))).toThrow('Query.open');
  });

  it('cannot bear two', () => {
    expect(() => enforceDirectives(field(['internal', 'authenticated']))).toThrow('got 2');
  });

  it('may bear one', () => {
    expect(() => enforceDirectives(field(['internal']))).not.toThrow();
  });
});

it('is the same after calls as before them', async () => {
  const printed = printReelSchema();
  const { facet } = (buildReelSchema().getType('LogStats') as GraphQLObjectType).getFields();
  const stats = new LogStats({ facet: async () => [] } as unknown as ConstructorParameters<
    typeof LogStats
  >[0]);
  const nothing = {} as never;
  expect(await facet!.resolve!(stats, { field: LogFacet.MODULE, first: 1 }, nothing, nothing)).toEqual([]);
  expect(printReelSchema()).toBe(printed);
});
