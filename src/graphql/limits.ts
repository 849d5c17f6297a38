import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Of a document; validation stops after as many errors. What an operation may cost is in cost.ts. */
export const LIMITS = { depth: 16, aliases: 30, tokens: 3_000, operations: 1, errors: 20 } as const;

/** For a request that cannot be executed. */
export const badRequest = (expected: string, got: number | string): GraphQLError =>
  new GraphQLError(`Expected ${expected}, got ${got}`, {
    extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
  });

/** A validation rule. */
export function limitsRule(context: ValidationContext): ASTVisitor {
  for (const error of limitErrors(context.getDocument())) context.reportError(error);
  return {};
}

/** Aliases in a fragment count as often as it is spread. */
export function limitErrors(document: DocumentNode): GraphQLError[] {
  const errors: GraphQLError[] = [];
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length > LIMITS.operations)
    errors.push(badRequest('one operation in a request', `${operations.length} operations`));
  const { depth, aliases } = measure(document);
  if (depth > LIMITS.depth)
    errors.push(badRequest(`a depth of at most ${LIMITS.depth} levels`, `${depth} levels`));
  if (aliases > LIMITS.aliases)
    errors.push(badRequest(`at most ${LIMITS.aliases} aliases`, `${aliases} aliases`));
  return errors;
}

interface Size {
  depth: number;
  aliases: number;
}

/** Measures each fragment once, so that spreads which double at each step cost nothing. */
function measure(document: DocumentNode): Size {
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

  const total: Size = { depth: 0, aliases: 0 };
  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION) continue;
    const size = measureSelections(node.selectionSet);
    total.depth = Math.max(total.depth, size.depth);
    total.aliases += size.aliases;
  }
  return total;
}
