import 'reflect-metadata';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { type GraphQLSchema, specifiedDirectives } from 'graphql';
import { buildSchemaSync, type PubSub } from 'type-graphql';
import { DIRECTIVES, enforceDirectives } from './directives.js';
import { LogConnectionResolver, LogResolver } from './log.resolver.js';
import { SealResolver } from './seal.resolver.js';

/** The schema with its resolvers, which take all they need from a ReelContext; one serves any number of servers. */
export function buildReelSchema(): GraphQLSchema {
  return enforceDirectives(
    buildSchemaSync({
      resolvers: [LogResolver, LogConnectionResolver, SealResolver],
      directives: [...specifiedDirectives, ...DIRECTIVES],
      pubSub: NO_TOPICS,
      validate: false,
    }),
  );
}

/** The text of schema.graphql. */
export const printReelSchema = (): string => `${printSchemaWithDirectives(buildReelSchema())}\n`;

/** type-graphql asks for one, though subscriptions here have their own source. */
const NO_TOPICS: PubSub = {
  publish: () => {},
  subscribe: (topic) => {
    throw new Error(`expected a subscription with its own source, got the topic ${topic}`);
  },
};
