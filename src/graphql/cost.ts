import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { MAX_ITEMS } from '../log/read/page.js';
import type { PageSizes } from './context.js';
import { badRequest } from './limits.js';

export const MAX_COST = 20_000;

export interface OperationToExecute {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  readonly pageSizes: PageSizes;
}

/** What operations cost, of those whose cost depends on no variable. */
const known = new WeakMap<OperationDefinitionNode, number>();

/** Errors: BAD_USER_INPUT where the operation costs more than MAX_COST. */
export function checkCost(operation: OperationToExecute): void {
  const cost = known.get(operation.operation) ?? count(operation);
  if (cost > MAX_COST)
    throw badRequest(
      `a cost of at most ${MAX_COST} (a field costs 1, times the size of the lists around it)`,
      cost,
    );
}

function count(operation: OperationToExecute): number {
  const counter = new CostCounter(operation);
  const cost = counter.total();
  if (!counter.dependsOnVariables) known.set(operation.operation, cost);
  return cost;
}

/** Of a selection set: a fixed part, and what each item of the connection that it selects from adds. */
interface Cost {
  fixed: number;
  perItem: number;
}

/**
 * A field costs 1, times the size of the lists around it. A list's size is the larger of its `first` and `last`, as given or
 * by default, else the default page size. A connection's size applies to what is inside its lists (nodes, edges), not to
 * pageInfo or totalCount. A list without such an argument counts as one item. What @skip or @include leave out costs nothing.
 */
class CostCounter {
  dependsOnVariables = false;
  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  private readonly fragmentCosts = new Map<string, Cost>();
  private readonly defaults = new Map<string, ValueNode | undefined>();

  constructor(private readonly context: OperationToExecute) {
    for (const node of context.document.definitions)
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.fragments.set(node.name.value, node);
    for (const { variable, defaultValue } of context.operation.variableDefinitions ?? [])
      this.defaults.set(variable.name.value, defaultValue);
  }

  total(): number {
    const { schema, operation } = this.context;
    return this.costOfSelections(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined)
      .fixed;
  }

  private costOfSelections(set: SelectionSetNode | undefined, type: GraphQLNamedType | undefined): Cost {
    const sum: Cost = { fixed: 0, perItem: 0 };
    for (const node of set?.selections ?? []) {
      if (this.isSkipped(node.directives)) continue;
      const cost =
        node.kind === Kind.FIELD
          ? this.costOfField(node, type)
          : node.kind === Kind.FRAGMENT_SPREAD
            ? this.costOfFragment(node.name.value)
            : this.costOfSelections(
                node.selectionSet,
                this.typeNamed(node.typeCondition?.name.value) ?? type,
              );
      sum.fixed += cost.fixed;
      sum.perItem += cost.perItem;
    }
    return sum;
  }

  /** Computed once for each fragment, however often it is spread. Validation has refused cycles. */
  private costOfFragment(name: string): Cost {
    let cost = this.fragmentCosts.get(name);
    if (!cost) {
      const fragment = this.fragments.get(name);
      cost = this.costOfSelections(
        fragment?.selectionSet,
        this.typeNamed(fragment?.typeCondition.name.value),
      );
      this.fragmentCosts.set(name, cost);
    }
    return cost;
  }

  private costOfField(node: FieldNode, parent: GraphQLNamedType | undefined): Cost {
    const field = fieldsOf(parent)?.[node.name.value];
    const type = field && getNamedType(field.type);
    const inner = this.costOfSelections(node.selectionSet, type);
    if (!field) return { fixed: 1 + inner.fixed, perItem: 0 };
    const isList = isListType(getNullableType(field.type));
    if (isList && isConnection(parent)) return { fixed: 1, perItem: inner.fixed };
    if (isConnection(type))
      return { fixed: 1 + inner.fixed + inner.perItem * this.sizeOf(node, field), perItem: 0 };
    return { fixed: 1 + inner.fixed * (isList ? this.sizeOf(node, field) : 1), perItem: 0 };
  }

  /** At most the largest size that a field takes, so that the field itself refuses a larger one. */
  private sizeOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    const { defaultPageSize, maxPageSize } = this.context.pageSizes;
    const sizing = field.args.filter(({ name }) => name === 'first' || name === 'last');
    if (sizing.length === 0) return 1;
    const sizes = sizing
      .map(({ name, defaultValue }) => {
        const argument = node.arguments?.find((each) => each.name.value === name);
        return argument ? (this.valueOf(argument.value) ?? defaultValue) : defaultValue;
      })
      .filter((size) => typeof size === 'number');
    const size = sizes.length === 0 ? defaultPageSize : Math.max(...sizes);
    return Math.min(Math.max(size, 1), Math.max(maxPageSize, MAX_ITEMS));
  }

  private isSkipped(directives: readonly DirectiveNode[] | undefined): boolean {
    return (directives ?? []).some(({ name, arguments: given }) => {
      if (name.value !== 'skip' && name.value !== 'include') return false;
      const condition = given?.find((each) => each.name.value === 'if');
      return condition !== undefined && this.valueOf(condition.value) === (name.value === 'skip');
    });
  }

  /** A number or a boolean, as a literal or by a variable; undefined for anything else. */
  private valueOf(node: ValueNode): number | boolean | undefined {
    if (node.kind === Kind.INT) return Number(node.value);
    if (node.kind === Kind.BOOLEAN) return node.value;
    if (node.kind !== Kind.VARIABLE) return undefined;
    this.dependsOnVariables = true;
    const name = node.name.value;
    const given = this.context.variables?.[name];
    if (typeof given === 'number' || typeof given === 'boolean') return given;
    const fallback = given === undefined ? this.defaults.get(name) : undefined;
    return fallback && this.valueOf(fallback);
  }

  private typeNamed(name: string | undefined): GraphQLNamedType | undefined {
    return name === undefined ? undefined : this.context.schema.getType(name);
  }
}

const fieldsOf = (type: GraphQLNamedType | undefined) =>
  isObjectType(type) || isInterfaceType(type) ? type.getFields() : undefined;

const isConnection = (type: GraphQLNamedType | undefined): boolean => fieldsOf(type)?.pageInfo !== undefined;
