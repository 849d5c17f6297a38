import {
  type ArgumentNode,
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  print,
  type SelectionSetNode,
  type ValidationContext,
  type ValueNode,
} from 'graphql';
import { badRequest } from './limits.js';

/** Of each field, once for each set of selections that it is merged in. */
const MAX_STEPS = 30_000;

/**
 * The rule "Field Selection Merging" (GraphQL, section 5.3.2) as a validation rule, in place of graphql-js's, which compares
 * the fields of one response name pair by pair. Here fields are grouped, which takes one look at each: all of one response
 * name must have one shape; those of them that may belong to one object, one name and the same arguments; and so on with
 * what is selected from the whole group. What was looked at once is not again, and after 30,000 steps a document is refused.
 */
export const overlappingFieldsRule = (context: ValidationContext): ASTVisitor => {
  const merging = new Merging(context);
  return {
    OperationDefinition({ operation, selectionSet }) {
      const root = context.getSchema().getRootType(operation) ?? undefined;
      merging.check([{ parent: root, set: selectionSet }]);
    },
    // Of a fragment that no operation spreads, another rule complains.
    FragmentDefinition: () => false,
  };
};

/** A selection set, and the type that it selects from where it is known. */
interface Selected {
  readonly parent: GraphQLNamedType | undefined;
  readonly set: SelectionSetNode;
}

interface Field {
  readonly node: FieldNode;
  readonly parent: GraphQLNamedType | undefined;
  readonly definition: GraphQLField<unknown, unknown> | undefined;
}

class TooManySteps extends Error {}

class Merging {
  private steps = 0;
  private hasReported = false;
  private readonly ids = new Map<SelectionSetNode, number>();
  private readonly shaped = new Set<string>();
  private readonly merged = new Set<string>();
  private readonly args = new Map<FieldNode, string>();

  constructor(private readonly context: ValidationContext) {}

  check(roots: readonly Selected[]): void {
    try {
      this.checkSameObjects(roots);
      if (!this.hasReported) this.checkShapes(roots);
    } catch (error) {
      if (!(error instanceof TooManySteps)) throw error;
      const expected = `a document whose fields are merged in at most ${MAX_STEPS} steps`;
      this.context.reportError(badRequest(expected, 'one that takes more'));
    }
  }

  /** All fields of one response name, whatever object they belong to, must look alike in the response. */
  private checkShapes(selected: readonly Selected[]): void {
    if (!this.isNew(selected, this.shaped)) return;
    for (const [name, fields] of this.collect(selected)) {
      const [first, ...others] = fields.filter(({ definition }) => definition !== undefined);
      const shape = first && shapeOf(first.definition!.type);
      const other = others.find(({ definition }) => shapeOf(definition!.type) !== shape);
      if (first && other)
        this.report(
          name,
          `they return conflicting types "${first.definition!.type}" and "${other.definition!.type}"`,
          [first, other],
        );
      else this.checkShapes(selectedFrom(fields));
    }
  }

  /** Fields of one response name that may belong to the same object must be the same field, with the same arguments. */
  private checkSameObjects(selected: readonly Selected[]): void {
    if (!this.isNew(selected, this.merged)) return;
    for (const [name, fields] of this.collect(selected))
      for (const group of this.byObject(fields)) {
        const [first] = group as [Field];
        const fieldName = first.node.name.value;
        const renamed = group.find(({ node }) => node.name.value !== fieldName);
        const differing = group.find(({ node }) => this.argumentsOf(node) !== this.argumentsOf(first.node));
        if (renamed)
          this.report(name, `"${fieldName}" and "${renamed.node.name.value}" are different fields`, [
            first,
            renamed,
          ]);
        else if (differing) this.report(name, 'they have differing arguments', [first, differing]);
        else this.checkSameObjects(selectedFrom(group));
      }
  }

  /** Fields by the object type that they are of; those of an interface, or of what is not known, may be of any. */
  private byObject(fields: readonly Field[]): Iterable<readonly Field[]> {
    const ofAny = fields.filter(({ parent }) => !isObjectType(parent));
    const groups = new Map<GraphQLNamedType, Field[]>();
    for (const field of fields)
      if (isObjectType(field.parent)) {
        const group = groups.get(field.parent);
        if (group) group.push(field);
        else groups.set(field.parent, [field]);
      }
    if (groups.size === 0) return [ofAny];
    for (const group of groups.values()) {
      this.step(ofAny.length);
      group.push(...ofAny);
    }
    return groups.values();
  }

  /** The fields of several selection sets in one, by response name, those of fragments among them. */
  private collect(selected: readonly Selected[]): Map<string, Field[]> {
    const found = new Map<string, Field[]>();
    const spread = new Set<FragmentDefinitionNode>();
    const open = [...selected].reverse();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { parent, set } = next;
      const inner: Selected[] = [];
      this.step(set.selections.length);
      for (const node of set.selections) {
        if (node.kind === Kind.FIELD) {
          const definition = fieldsOf(parent)?.[node.name.value];
          const name = (node.alias ?? node.name).value;
          const same = found.get(name);
          if (same) same.push({ node, parent, definition });
          else found.set(name, [{ node, parent, definition }]);
          continue;
        }
        const fragment =
          node.kind === Kind.INLINE_FRAGMENT ? node : this.context.getFragment(node.name.value);
        if (!fragment) continue;
        if (fragment.kind === Kind.FRAGMENT_DEFINITION) {
          if (spread.has(fragment)) continue;
          spread.add(fragment);
        }
        const named = fragment.typeCondition?.name.value;
        const type = named === undefined ? parent : this.context.getSchema().getType(named);
        inner.push({ parent: type, set: fragment.selectionSet });
      }
      open.push(...inner.reverse());
    }
    return found;
  }

  private isNew(selected: readonly Selected[], seen: Set<string>): boolean {
    if (selected.length === 0) return false;
    const key = selected
      .map(({ set }) => this.idOf(set))
      .sort((a, b) => a - b)
      .join();
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  }

  private idOf(set: SelectionSetNode): number {
    const id = this.ids.get(set) ?? this.ids.size;
    this.ids.set(set, id);
    return id;
  }

  /** The arguments of a field as text that does not depend on the order of names. */
  private argumentsOf(node: FieldNode): string {
    let text = this.args.get(node);
    if (text === undefined) {
      text = (node.arguments ?? []).map(argumentText).sort().join();
      this.args.set(node, text);
    }
    return text;
  }

  private step(count: number): void {
    this.steps += count + 1;
    if (this.steps > MAX_STEPS) throw new TooManySteps();
  }

  /** In graphql-js's words. */
  private report(name: string, reason: string, fields: readonly Field[]): void {
    this.hasReported = true;
    const advice = 'Use different aliases on the fields to fetch both if this was intentional.';
    this.context.reportError(
      new GraphQLError(`Fields "${name}" conflict because ${reason}. ${advice}`, {
        nodes: fields.map(({ node }) => node),
      }),
    );
  }
}

const fieldsOf = (type: GraphQLNamedType | undefined) =>
  isObjectType(type) || isInterfaceType(type) ? type.getFields() : undefined;

const selectedFrom = (fields: readonly Field[]): Selected[] =>
  fields.flatMap(({ node, definition }) =>
    node.selectionSet
      ? [{ parent: definition && getNamedType(definition.type), set: node.selectionSet }]
      : [],
  );

/** Lists, what is never null, and what a leaf is; objects are compared by what is selected from them. */
function shapeOf(type: GraphQLOutputType): string {
  if (isNonNullType(type)) return `${shapeOf(type.ofType)}!`;
  if (isListType(type)) return `[${shapeOf(type.ofType)}]`;
  return isLeafType(type) ? type.name : '{}';
}

const argumentText = ({ name, value }: ArgumentNode): string => `${name.value}:${print(sorted(value))}`;

/** With the fields of input objects, in which no order counts, in the order of their names. */
function sorted(value: ValueNode): ValueNode {
  if (value.kind === Kind.LIST) return { ...value, values: value.values.map(sorted) };
  if (value.kind !== Kind.OBJECT) return value;
  const fields = value.fields.map((field) => ({ ...field, value: sorted(field.value) }));
  return { ...value, fields: fields.sort((a, b) => (a.name.value < b.name.value ? -1 : 1)) };
}
