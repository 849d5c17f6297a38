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
import { MENTOR_SCOPES, type MentorScope } from '../auth/grant.js';
import type { Author, Scope } from '../auth/scope.js';
import type { ReelContext } from './context.js';

const MentorScopeType = new GraphQLEnumType({
  name: 'MentorScope',
  description: 'Where a Mentor grant holds: the whole account (tenant), or one client of it.',
  values: Object.fromEntries(MENTOR_SCOPES.map((scope) => [scope, { value: scope }])),
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

/** The field asks for a Mentor action; its resolver is given the scope by `@GrantedScope()`. */
export const Mentor = (action: string, scopes: readonly MentorScope[]) =>
  Directive(`@mentor(action: "${action}", scopes: [${scopes.join(', ')}])`);
/** The field asks for a module's credential; its resolver is given who writes by `@GrantedAuthor()`. */
export const Internal = () => Directive('@internal');
/** The field asks for any credential; its resolver is given who writes by `@GrantedAuthor()`. */
export const Authenticated = () => Directive('@authenticated');

/** By the call's own info, of which graphql-js makes one for each field it resolves. */
const scopes = new WeakMap<GraphQLResolveInfo, Scope>();
const authors = new WeakMap<GraphQLResolveInfo, Author>();

/** What a field with @mentor was granted. */
export const scopeOf = (info: GraphQLResolveInfo): Scope => granted(scopes, info);
export const GrantedScope = () => createParameterDecorator(({ info }) => scopeOf(info));
export const GrantedAuthor = () => createParameterDecorator(({ info }) => granted(authors, info));

function granted<T>(grants: WeakMap<GraphQLResolveInfo, T>, info: GraphQLResolveInfo): T {
  const grant = grants.get(info);
  if (grant === undefined) throw new Error(`${info.parentType.name}.${info.fieldName} was not granted that`);
  return grant;
}

/** Records a look, before its answer. */
type RecordLook = (args: Record<string, unknown>) => Promise<void>;
type Grant = (context: ReelContext, info: GraphQLResolveInfo) => Promise<RecordLook | undefined>;
type Field = GraphQLFieldConfig<unknown, ReelContext, GraphQLArgs>;

/**
 * Puts the check of its directive before each field that bears one: before `subscribe` of a subscription, before
 * `resolve` of any other. Throws for a field of a root type that bears none, and for one that bears several.
 */
export function enforceDirectives(schema: GraphQLSchema): GraphQLSchema {
  const [subscription, ...roots] = [
    schema.getSubscriptionType(),
    schema.getQueryType(),
    schema.getMutationType(),
  ];
  return mapSchema(schema, {
    [MapperKind.OBJECT_FIELD]: (field: Field, name, typeName) => {
      const grants = grantsOf(field);
      const isSubscription = typeName === subscription?.name;
      const isRoot = isSubscription || roots.some((root) => root?.name === typeName);
      if (grants.length > 1 || (isRoot && grants.length === 0))
        throw new Error(
          `${typeName}.${name}: expected one of ${DIRECTIVES.map(String).join(', ')}, got ${grants.length}`,
        );
      const [grant] = grants;
      if (grant === undefined) return field;
      if (!isSubscription)
        return { ...field, resolve: guarded(grant, field.resolve ?? defaultFieldResolver) };
      if (!field.subscribe) throw new Error(`${typeName}.${name}: expected a subscribe function, got none`);
      return { ...field, subscribe: guarded(grant, field.subscribe) };
    },
  });
}

type Resolve = GraphQLFieldResolver<unknown, ReelContext>;

const guarded =
  (grant: Grant, resolve: Resolve): Resolve =>
  async (source, args, context, info) => {
    const recordLook = await grant(context, info);
    const answer = await resolve(source, args, context, info);
    // After looking, so that what is seen is not the record of seeing it; before answering, so that none goes unrecorded.
    await recordLook?.(args);
    return answer;
  };

function grantsOf({ astNode }: Field): Grant[] {
  if (!astNode) return [];
  const mentor = getDirectiveValues(MENTOR, astNode) as
    | { action: string; scopes: readonly MentorScope[] }
    | undefined;
  const grants: Grant[] = [];
  if (mentor)
    grants.push(async ({ services, caller, loaders }, info) => {
      const scope = await services.authorizer.require(caller, mentor.action, mentor.scopes);
      scopes.set(info, scope);
      if (mentor.action !== VIEW) return undefined;
      return (args) => loaders.recordLook(scope, { field: info.fieldName, arguments: args });
    });
  if (getDirectiveValues(INTERNAL, astNode))
    grants.push(async ({ services, caller }, info) => {
      authors.set(info, services.authorizer.internal(caller));
      return undefined;
    });
  if (getDirectiveValues(AUTHENTICATED, astNode))
    grants.push(async ({ services, caller }, info) => {
      authors.set(info, await services.authorizer.author(caller));
      return undefined;
    });
  return grants;
}
