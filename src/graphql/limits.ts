import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Bounds of a document. What an operation may cost is counted in cost.ts; a filter's own bounds are held by log/filter/criteria.ts. */
export const LIMITS = { levels: 16, aliases: 30, tokens: 3_000, operations: 1 } as const;

/** A bound that the request does not keep, in the words of a refusal. */
export const overLimit = (expected: string, came: number | string): GraphQLError =>
  new GraphQLError(`Expected ${expected}, got ${came}`, {
    extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
  });

/** A validation rule. Aliases count as often as the fragment they stand in is spread. */
export function limitsRule(context: ValidationContext): ASTVisitor {
  for (const fault of limitFaults(context.getDocument())) context.reportError(fault);
  return {};
}

export function limitFaults(document: DocumentNode): GraphQLError[] {
  const faults: GraphQLError[] = [];
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length > LIMITS.operations)
    faults.push(overLimit('one operation in a request', `${operations.length} operations`));
  const { levels, aliases } = measure(document);
  if (levels > LIMITS.levels)
    faults.push(overLimit(`a depth of at most ${LIMITS.levels} levels`, `${levels} levels`));
  if (aliases > LIMITS.aliases)
    faults.push(overLimit(`at most ${LIMITS.aliases} aliases`, `${aliases} aliases`));
  return faults;
}

interface Measure {
  levels: number;
  aliases: number;
}

/** Each fragment is measured once, so that spreads which double at each step cost nothing. */
function measure(document: DocumentNode): Measure {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  const measured = new Map<string, Measure>();

  const measureFragment = (name: string): Measure => {
    const known = measured.get(name);
    if (known) return known;
    // Holds while the fragment itself is measured, too: a circle is refused by graphql-js's own rule.
    measured.set(name, { levels: 0, aliases: 0 });
    const fragment = fragments.get(name);
    const found = measureSelections(fragment?.selectionSet);
    measured.set(name, found);
    return found;
  };

  const measureSelections = (selectionSet: SelectionSetNode | undefined): Measure => {
    const sum: Measure = { levels: 0, aliases: 0 };
    for (const node of selectionSet?.selections ?? []) {
      const inner =
        node.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(node.name.value)
          : measureSelections(node.selectionSet);
      const isField = node.kind === Kind.FIELD;
      sum.levels = Math.max(sum.levels, inner.levels + (isField ? 1 : 0));
      sum.aliases += inner.aliases + (isField && node.alias ? 1 : 0);
    }
    return sum;
  };

  const whole: Measure = { levels: 0, aliases: 0 };
  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION) continue;
    const found = measureSelections(node.selectionSet);
    whole.levels = Math.max(whole.levels, found.levels);
    whole.aliases += found.aliases;
  }
  return whole;
}
