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
import { overLimit } from './limits.js';

export const MAX_COST = 20_000;

export interface Costed {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  readonly pageSizes: PageSizes;
}

/** Errors: BAD_USER_INPUT where the operation costs more than MAX_COST. */
export function checkCost(costed: Costed): void {
  const cost = new Meter(costed).read();
  if (cost > MAX_COST)
    throw overLimit(
      `a cost of at most ${MAX_COST} (a field costs 1, times the size of the lists it stands in)`,
      cost,
    );
}

/** Of a selection: what it costs once, and what it costs for each item of the connection it is made on. */
interface Cost {
  once: number;
  eachItem: number;
}

/**
 * A field costs 1, times the size of the lists it stands in. A list's size is its `first` or `last` (the larger), given,
 * by default, or else the default page; a connection's size counts for what stands in its lists (nodes, edges), not for
 * pageInfo or totalCount. Lists without such an argument count as one item. What @skip or @include leave out costs nothing.
 */
class Meter {
  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  private readonly known = new Map<string, Cost>();
  private readonly defaults = new Map<string, ValueNode | undefined>();

  constructor(private readonly costed: Costed) {
    for (const node of costed.document.definitions)
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.fragments.set(node.name.value, node);
    for (const { variable, defaultValue } of costed.operation.variableDefinitions ?? [])
      this.defaults.set(variable.name.value, defaultValue);
  }

  read(): number {
    const { schema, operation } = this.costed;
    return this.ofSelections(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined)
      .once;
  }

  private ofSelections(set: SelectionSetNode | undefined, type: GraphQLNamedType | undefined): Cost {
    const sum: Cost = { once: 0, eachItem: 0 };
    for (const node of set?.selections ?? []) {
      if (this.isLeftOut(node.directives)) continue;
      const cost =
        node.kind === Kind.FIELD
          ? this.ofField(node, type)
          : node.kind === Kind.FRAGMENT_SPREAD
            ? this.ofFragment(node.name.value)
            : this.ofSelections(node.selectionSet, this.typeNamed(node.typeCondition?.name.value) ?? type);
      sum.once += cost.once;
      sum.eachItem += cost.eachItem;
    }
    return sum;
  }

  /** Once for each fragment, however often it is spread. Validation has refused circles before. */
  private ofFragment(name: string): Cost {
    let cost = this.known.get(name);
    if (!cost) {
      const fragment = this.fragments.get(name);
      cost = this.ofSelections(fragment?.selectionSet, this.typeNamed(fragment?.typeCondition.name.value));
      this.known.set(name, cost);
    }
    return cost;
  }

  private ofField(node: FieldNode, parent: GraphQLNamedType | undefined): Cost {
    const field = fieldsOf(parent)?.[node.name.value];
    const type = field && getNamedType(field.type);
    const inner = this.ofSelections(node.selectionSet, type);
    if (!field) return { once: 1 + inner.once, eachItem: 0 };
    const isList = isListType(getNullableType(field.type));
    if (isList && isConnection(parent)) return { once: 1, eachItem: inner.once };
    if (isConnection(type))
      return { once: 1 + inner.once + inner.eachItem * this.sizeOf(node, field), eachItem: 0 };
    return { once: 1 + inner.once * (isList ? this.sizeOf(node, field) : 1), eachItem: 0 };
  }

  /** Cut at the largest size that any field takes, so that a larger one is refused in that field's own words. */
  private sizeOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    const { defaultPageSize, maxPageSize } = this.costed.pageSizes;
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

  private isLeftOut(directives: readonly DirectiveNode[] | undefined): boolean {
    return (directives ?? []).some(({ name, arguments: given }) => {
      if (name.value !== 'skip' && name.value !== 'include') return false;
      const condition = given?.find((each) => each.name.value === 'if');
      return condition !== undefined && this.valueOf(condition.value) === (name.value === 'skip');
    });
  }

  /** A number or boolean, written out or as a variable; undefined for anything else. */
  private valueOf(node: ValueNode): number | boolean | undefined {
    if (node.kind === Kind.INT) return Number(node.value);
    if (node.kind === Kind.BOOLEAN) return node.value;
    if (node.kind !== Kind.VARIABLE) return undefined;
    const name = node.name.value;
    const given = this.costed.variables?.[name];
    if (typeof given === 'number' || typeof given === 'boolean') return given;
    const fallback = given === undefined ? this.defaults.get(name) : undefined;
    return fallback && this.valueOf(fallback);
  }

  private typeNamed(name: string | undefined): GraphQLNamedType | undefined {
    return name === undefined ? undefined : this.costed.schema.getType(name);
  }
}

const fieldsOf = (type: GraphQLNamedType | undefined) =>
  isObjectType(type) || isInterfaceType(type) ? type.getFields() : undefined;

const isConnection = (type: GraphQLNamedType | undefined): boolean => fieldsOf(type)?.pageInfo !== undefined;
