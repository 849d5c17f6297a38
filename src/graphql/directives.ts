import { MapperKind, mapSchema } from '@graphql-tools/utils';
import {
  DirectiveLocation,
  defaultFieldResolver,
  type GraphQLArgs,
  GraphQLDirective,
  GraphQLEnumType,
  type GraphQLFieldConfig,
  type GraphQLFieldResolver,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  GraphQLString,
  getDirectiveValues,
} from 'graphql';
import { createParameterDecorator, Directive } from 'type-graphql';
import { VIEW } from '../auth/actions.js';
import type { MentorScope } from '../auth/grant.js';
import type { Author, Scope } from '../auth/scope.js';
import type { ReelContext } from './context.js';

const MentorScopeType = new GraphQLEnumType({
  name: 'MentorScope',
  description: 'Where a Mentor grant holds: the whole account (tenant), or one client of it.',
  values: {
    ACCOUNT: { description: 'The whole account (tenant).' },
    CLIENT: { description: 'One client of it.' },
  } satisfies Record<MentorScope, object>,
});

const MENTOR = new GraphQLDirective({
  name: 'mentor',
  description:
    'Requires the caller to hold a Mentor action in one of the given scopes in the current tenant. Without it: FORBIDDEN.',
  locations: [DirectiveLocation.FIELD_DEFINITION],
  args: {
    action: {
      type: new GraphQLNonNull(GraphQLString),
      description: 'Mentor action code, for example reel.logs.view.',
    },
    scopes: {
      type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(MentorScopeType))),
      description: 'Scopes in which a grant of the action counts.',
    },
  },
});

const INTERNAL = new GraphQLDirective({
  name: 'internal',
  description: "Requires a module's service credential. A person's credential gets FORBIDDEN.",
  locations: [DirectiveLocation.FIELD_DEFINITION],
});

const AUTHENTICATED = new GraphQLDirective({
  name: 'authenticated',
  description: "Requires any valid credential, a module's or a person's.",
  locations: [DirectiveLocation.FIELD_DEFINITION],
});

export const DIRECTIVES = [MENTOR, INTERNAL, AUTHENTICATED];

/** Requires a Mentor action; `@GrantedScope()` passes the granted scope to the resolver. */
export const Mentor = (action: string, scopes: readonly MentorScope[]) =>
  Directive(`@mentor(action: "${action}", scopes: [${scopes.join(', ')}])`);
/** Requires a module's credential; `@GrantedAuthor()` passes the author of new entries to the resolver. */
export const Internal = () => Directive('@internal');
/** Requires any credential. */
export const Authenticated = () => Directive('@authenticated');

/** By `info`, which graphql-js makes anew for each field that it resolves. */
const scopes = new WeakMap<GraphQLResolveInfo, Scope>();
const authors = new WeakMap<GraphQLResolveInfo, Author>();

/** The scope in which the caller holds the action of the field's @mentor. */
export const grantedScope = (info: GraphQLResolveInfo): Scope => resultOf(scopes, info);
export const GrantedScope = () => createParameterDecorator(({ info }) => grantedScope(info));
export const GrantedAuthor = () => createParameterDecorator(({ info }) => resultOf(authors, info));

function resultOf<T>(results: WeakMap<GraphQLResolveInfo, T>, info: GraphQLResolveInfo): T {
  const result = results.get(info);
  if (result === undefined)
    throw new Error(`${info.parentType.name}.${info.fieldName}: expected a directive that checks for this`);
  return result;
}

/** Refuses a caller, or resolves to what records that they view the log. */
type Check = (context: ReelContext, info: GraphQLResolveInfo) => Promise<RecordView | undefined>;
type RecordView = (args: Record<string, unknown>) => Promise<void>;
type Field = GraphQLFieldConfig<unknown, ReelContext, GraphQLArgs>;

/**
 * Puts the check of a field's directive before its resolver: before `subscribe` of a subscription, before `resolve` of any
 * other field. Throws for a field of a root type without a directive, and for a field with several.
 */
export function enforceDirectives(schema: GraphQLSchema): GraphQLSchema {
  const [subscription, ...roots] = [
    schema.getSubscriptionType(),
    schema.getQueryType(),
    schema.getMutationType(),
  ];
  return mapSchema(schema, {
    [MapperKind.OBJECT_FIELD]: (field: Field, name, typeName) => {
      const checks = checksOf(field);
      const isSubscription = typeName === subscription?.name;
      const isRoot = isSubscription || roots.some((root) => root?.name === typeName);
      if (checks.length > 1 || (isRoot && checks.length === 0))
        throw new Error(
          `${typeName}.${name}: expected one of ${DIRECTIVES.map(String).join(', ')}, got ${checks.length}`,
        );
      const [check] = checks;
      if (check === undefined) return field;
      if (!isSubscription)
        return { ...field, resolve: guarded(check, field.resolve ?? defaultFieldResolver) };
      if (!field.subscribe) throw new Error(`${typeName}.${name}: expected a subscribe function, got none`);
      return { ...field, subscribe: guarded(check, field.subscribe) };
    },
  });
}

type Resolve = GraphQLFieldResolver<unknown, ReelContext>;

const guarded =
  (check: Check, resolve: Resolve): Resolve =>
  async (source, args, context, info) => {
    const recordView = await check(context, info);
    const value = await resolve(source, args, context, info);
    // After reading, so that a view never shows its own record; before answering, so that none goes unrecorded.
    await recordView?.(args);
    return value;
  };

function checksOf({ astNode }: Field): Check[] {
  if (!astNode) return [];
  const mentor = getDirectiveValues(MENTOR, astNode) as
    | { action: string; scopes: readonly MentorScope[] }
    | undefined;
  const checks: Check[] = [];
  if (mentor)
    checks.push(async ({ services, caller, loaders }, info) => {
      const scope = await services.authorizer.require(caller, mentor.action, mentor.scopes);
      scopes.set(info, scope);
      if (mentor.action !== VIEW) return undefined;
      return (args) => loaders.recordView(scope, { field: info.fieldName, arguments: args });
    });
  if (getDirectiveValues(INTERNAL, astNode))
    checks.push(async ({ services, caller }, info) => {
      authors.set(info, services.authorizer.internal(caller));
      return undefined;
    });
  if (getDirectiveValues(AUTHENTICATED, astNode))
    checks.push(async ({ services, caller }) => {
      services.authorizer.authenticated(caller);
      return undefined;
    });
  return checks;
}
