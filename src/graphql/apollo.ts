import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { FastifyBaseLogger } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { Config } from '../config/config.js';
import type { ReelContext } from './context.js';
import { checkCost } from './cost.js';
import { causeOf, errorFormatter, noteRequest } from './format-error.js';
import { badRequest, checkSize, LIMITS, selectionsRule } from './limits.js';
import { answerPlugin, responsePlugin } from './response.js';
import { placesRule, placeVariableErrors } from './value-errors.js';

/** Browsers send these to another origin only after a preflight, so a request that has one is not forged. */
const CSRF_HEADERS = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'];

export function createApollo(
  schema: GraphQLSchema,
  config: Pick<Config, 'env' | 'introspection'>,
  log: Pick<FastifyBaseLogger, 'debug' | 'info' | 'warn' | 'error'>,
): ApolloServer<ReelContext> {
  return new ApolloServer<ReelContext>({
    schema,
    // Apollo would otherwise go by NODE_ENV.
    nodeEnv: config.env,
    introspection: config.introspection,
    includeStacktraceInErrorResponses: false,
    formatError: errorFormatter({ log, hints: config.introspection }),
    logger: {
      debug: (message) => log.debug(message),
      info: (message) => log.info(message),
      warn: (message) => log.warn(message),
      error: (message) => log.error(message),
    },
    csrfPrevention: { requestHeaders: CSRF_HEADERS },
    parseOptions: { maxTokens: LIMITS.tokens },
    validationRules: [selectionsRule, placesRule],
    validationOptions: { maxErrors: LIMITS.errors },
    persistedQueries: false,
    stopOnTerminationSignals: false,
    stringifyResult: JSON.stringify,
    plugins: [
      responsePlugin,
      operationPlugin,
      // The last, since it writes what the others have left.
      answerPlugin,
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
    ],
  });
}

/** Refuses what must not be executed, or not over HTTP, of the operation that operationName chooses. */
const operationPlugin: ApolloServerPlugin<ReelContext> = {
  requestDidStart: async () => ({
    async didResolveOperation({ schema, document, operation, request: { variables }, contextValue }) {
      // Apollo itself refuses a request that chooses no operation, next.
      if (!operation) return;
      if (operation.operation === 'subscription')
        throw badRequest(
          'a query or a mutation',
          'a subscription, which needs a websocket or Accept: text/event-stream',
        );
      checkSize(document, operation);
      checkCost({ schema, document, operation, variables, pageSizes: contextValue.pageSizes });
    },
    async didEncounterErrors({ errors, schema, operation, request: { variables = {} }, contextValue }) {
      noteRequest(errors, contextValue.caller.requestId);
      if (operation) placeVariableErrors(errors, { schema, operation, variables });
    },
    async willSendResponse({ errors = [], response: { body } }) {
      // Of the copies by which selectionsRule stops validation, one is answered.
      if (
        body.kind === 'single' &&
        errors.length > LIMITS.errors &&
        causeOf(errors[0]) === causeOf(errors[1])
      )
        body.singleResult.errors = body.singleResult.errors?.slice(0, 1);
    },
  }),
};
