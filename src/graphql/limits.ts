import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  visit,
} from 'graphql';

/**
 * Characters, tokens and selections in one selection set are counted in the whole document, since they bound what parsing and validation
 * cost; levels and aliases in the operation that is executed (what it may cost is in cost.ts). Validation stops after
 * `errors` errors.
 */
export const LIMITS = {
  depth: 16,
  aliases: 30,
  selections: 300,
  tokens: 3_000,
  characters: 1_048_576,
  errors: 20,
} as const;

/** For a request that cannot be executed. */
export const badRequest = (expected: string, got: number | string): GraphQLError =>
  new GraphQLError(`Expected ${expected}, got ${got}`, {
    extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
  });

/** What is wrong with a document that must not even be validated: that compares the fields of a set pair by pair. */
export function selectionsError(document: DocumentNode): GraphQLError | null {
  let widest = 0;
  visit(document, {
    SelectionSet: ({ selections }) => {
      widest = Math.max(widest, selections.length);
    },
  });
  const { selections } = LIMITS;
  if (widest <= selections) return null;
  return badRequest(`at most ${selections} selections in one selection set`, `${widest} selections`);
}

/** A validation rule, for where nothing can be done before validation: reports the error until validation stops. */
export const selectionsRule = (context: ValidationContext): ASTVisitor => ({
  Document(document) {
    const error = selectionsError(document);
    for (let count = 0; error && count <= LIMITS.errors; count++) context.reportError(error);
  },
});

/** Aliases in a fragment count as often as it is spread. Errors: BAD_USER_INPUT. */
export function checkSize(document: DocumentNode, operation: OperationDefinitionNode): void {
  const { depth, aliases } = measure(document, operation);
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
