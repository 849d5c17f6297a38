import { Kind, print, stripIgnoredCharacters } from 'graphql';

/**
 * A plugin for GraphQL Code Generator that writes each operation as minified text with its type. Fragments are written
 * once and spliced in. A host's bundler drops the operations it does not use.
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
    '/** The text of an operation, typed by its result and variables. */',
    'export type Operation<Result, Variables> = string & { __apiType?: (variables: Variables) => Result };',
    ...fragments.map((fragment) => `const ${fragment.name.value} = \`${text(fragment)}\`;`),
    ...operations.map((operation) => {
      const { value: name } = operation.name;
      const type = name + operation.operation.replace(/^./, (letter) => letter.toUpperCase());
      return `export const ${name}Document: Operation<${type}, ${type}Variables> = \`${text(operation)}${spread(operation).join('')}\`;`;
    }),
  ].join('\n\n');
};
