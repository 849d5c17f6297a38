import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { FastifyBaseLogger } from 'fastify';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import type { Config } from '../config/config.js';
import { answerPlugin } from './answer.js';
import type { ReelContext } from './context.js';
import { checkCost } from './cost.js';
import { errorFormatter } from './format-error.js';
import { LIMITS, limitsRule } from './limits.js';

/** A bearer token is never sent along by a browser unasked, so a call with one is no forgery. */
const NOT_FORGED = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'];

export function createApollo(
  schema: GraphQLSchema,
  config: Pick<Config, 'env'>,
  log: Pick<FastifyBaseLogger, 'debug' | 'info' | 'warn' | 'error'>,
): ApolloServer<ReelContext> {
  const isDevelopment = config.env === 'development';
  return new ApolloServer<ReelContext>({
    schema,
    // Apollo would otherwise go by NODE_ENV.
    nodeEnv: config.env,
    introspection: isDevelopment,
    includeStacktraceInErrorResponses: false,
    formatError: errorFormatter({ log, hints: isDevelopment }),
    logger: {
      debug: (message) => log.debug(message),
      info: (message) => log.info(message),
      warn: (message) => log.warn(message),
      error: (message) => log.error(message),
    },
    csrfPrevention: { requestHeaders: NOT_FORGED },
    parseOptions: { maxTokens: LIMITS.tokens },
    validationRules: [limitsRule],
    // So many faults of a document are told; the rest of it is not looked at.
    validationOptions: { maxErrors: 20 },
    persistedQueries: false,
    stopOnTerminationSignals: false,
    stringifyResult: JSON.stringify,
    plugins: [
      answerPlugin,
      operationPlugin,
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
    ],
  });
}

/** Looks at an operation before anything of it is done. */
const operationPlugin: ApolloServerPlugin<ReelContext> = {
  requestDidStart: async () => ({
    async didResolveOperation({ schema, document, operation, request: { variables }, contextValue }) {
      // An operation that is not there is told by Apollo, next.
      if (!operation) return;
      if (operation.operation === 'subscription')
        throw new GraphQLError('Expected a subscription over a websocket or as server-sent events', {
          extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } },
        });
      checkCost({ schema, document, operation, variables, pageSizes: contextValue.pageSizes });
    },
  }),
};
