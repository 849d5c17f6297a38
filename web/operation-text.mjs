import { Kind, print, stripIgnoredCharacters } from 'graphql';

/**
 * A plugin of GraphQL Code Generator: each operation as the shortest text that says it, its type beside it. Fragments
 * stand once and are spliced in; operations that a host does not use are left out by its bundler.
 */
export const plugin = (_schema, documents) => {
  const definitions = documents.flatMap(({ document }) => document.definitions);
  const text = (definition) => stripIgnoredCharacters(print(definition));
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const spread = (definition) =>
    fragments
      .filter(({ name }) => text(definition).includes(`...${name.value}`))
      .map(({ name }) => `\${${name.value}}`);
  return [
    "/** An operation's text; the type says what it answers and asks. */",
    'export type Operation<Result, Variables> = string & { __apiType?: (variables: Variables) => Result };',
    ...fragments.map((fragment) => `const ${fragment.name.value} = \`${text(fragment)}\`;`),
    ...operations.map((operation) => {
      const { value: name } = operation.name;
      const type = name + operation.operation.replace(/^./, (letter) => letter.toUpperCase());
      return `export const ${name}Document: Operation<${type}, ${type}Variables> = \`${text(operation)}${spread(operation).join('')}\`;`;
    }),
  ].join('\n\n');
};
