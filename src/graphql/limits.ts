import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';

/**
 * Characters, tokens, definitions and selections in one selection set are counted in the whole document, since they bound what
 * parsing and validation cost; levels and aliases in the operation that is executed (what it may cost is in cost.ts).
 * Validation stops after `errors` errors.
 */
export const LIMITS = {
  depth: 16,
  aliases: 30,
  selections: 300,
  definitions: 100,
  tokens: 3_000,
  characters: 1_048_576,
  errors: 20,
} as const;

/** For a request that cannot be executed. */
export const badRequest = (expected: string, got: number | string): GraphQLError =>
  new GraphQLError(`Expected ${expected}, got ${got}`, {
    extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
  });

/** What is wrong with a document that must not even be validated: some rules look at each fragment for each operation. */
export function documentError(document: DocumentNode): GraphQLError | null {
  const { definitions, selections } = LIMITS;
  const defined = document.definitions.length;
  if (defined > definitions)
    return badRequest(`at most ${definitions} operations and fragments`, `${defined} of them`);
  let widest = 0;
  visit(document, {
    SelectionSet: (set) => {
      widest = Math.max(widest, set.selections.length);
    },
  });
  return widest > selections
    ? badRequest(`at most ${selections} selections in one selection set`, `${widest} selections`)
    : null;
}

/** Of operations that were measured before. */
const sizes = new WeakMap<OperationDefinitionNode, Size>();

/** Aliases in a fragment count as often as it is spread. Errors: BAD_USER_INPUT. */
export function checkSize(document: DocumentNode, operation: OperationDefinitionNode): void {
  let size = sizes.get(operation);
  if (!size) {
    size = measure(document, operation);
    sizes.set(operation, size);
  }
  const { depth, aliases } = size;
  if (depth > LIMITS.depth) throw badRequest(`a depth of at most ${LIMITS.depth} levels`, `${depth} levels`);
  if (aliases > LIMITS.aliases) throw badRequest(`at most ${LIMITS.aliases} aliases`, `${aliases} aliases`);
}

interface Size {
  depth: number;
  aliases: number;
}

/** Measures each fragment once, so that spreads which double at each step cost nothing. */
function measure(document: DocumentNode, operation: OperationDefinitionNode): Size {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  const measured = new Map<string, Size>();

  const measureFragment = (name: string): Size => {
    const known = measured.get(name);
    if (known) return known;
    // Stands while the fragment is being measured; graphql-js's own rule refuses cycles.
    measured.set(name, { depth: 0, aliases: 0 });
    const size = measureSelections(fragments.get(name)?.selectionSet);
    measured.set(name, size);
    return size;
  };

  const measureSelections = (selectionSet: SelectionSetNode | undefined): Size => {
    const sum: Size = { depth: 0, aliases: 0 };
    for (const node of selectionSet?.selections ?? []) {
      const inner =
        node.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(node.name.value)
          : measureSelections(node.selectionSet);
      const isField = node.kind === Kind.FIELD;
      sum.depth = Math.max(sum.depth, inner.depth + (isField ? 1 : 0));
      sum.aliases += inner.aliases + (isField && node.alias ? 1 : 0);
    }
    return sum;
  };

  return measureSelections(operation.selectionSet);
}
