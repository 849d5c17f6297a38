import 'reflect-metadata';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { type GraphQLObjectType, type GraphQLSchema, specifiedDirectives } from 'graphql';
import { buildSchemaSync, getMetadataStorage, type PubSub } from 'type-graphql';
import { ActionResolver } from './action.resolver.js';
import { DIRECTIVES, enforceDirectives } from './directives.js';
import { LogConnectionResolver, LogResolver } from './log.resolver.js';
import { MeResolver } from './me.resolver.js';
import { finishPlainFields } from './plain-fields.js';
import { SealResolver } from './seal.resolver.js';
import { StreamResolver } from './stream.resolver.js';
import { ViewResolver } from './view.resolver.js';

/** The executable schema. Resolvers take all that they need from a ReelContext, so that one schema serves any number of servers. */
export function buildReelSchema(): GraphQLSchema {
  orderArguments();
  const schema = buildSchemaSync({
    resolvers: [
      LogResolver,
      LogConnectionResolver,
      SealResolver,
      MeResolver,
      StreamResolver,
      ViewResolver,
      ActionResolver,
    ],
    directives: [...specifiedDirectives, ...DIRECTIVES],
    pubSub: NO_PUB_SUB,
    validate: false,
  });
  // type-graphql has no place to say these.
  describe(schema.getQueryType(), 'What can be asked.');
  describe(schema.getMutationType(), 'What can be stored, and prepared for download.');
  describe(schema.getSubscriptionType(), 'What can be followed, over a websocket or an event stream.');
  return finishPlainFields(enforceDirectives(schema));
}

/**
 * As they are declared. type-graphql has them the other way round, until a resolver is called: it then sorts its own list in
 * place, and a schema that is built afterwards would be another.
 */
function orderArguments(): void {
  getMetadataStorage().params.sort((one, other) => one.index - other.index);
}

function describe(type: GraphQLObjectType | null | undefined, description: string): void {
  if (type) type.description = description;
}

/** The text of schema.graphql. */
export const printReelSchema = (): string => `${printSchemaWithDirectives(buildReelSchema())}\n`;

/** type-graphql requires one, though every subscription here has a `subscribe` of its own. */
const NO_PUB_SUB: PubSub = {
  publish: () => {},
  subscribe: (topic) => {
    throw new Error(`expected a subscription with a subscribe function, got the topic ${topic}`);
  },
};
