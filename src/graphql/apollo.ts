import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { FastifyBaseLogger } from 'fastify';
import { GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import type { Config } from '../config/config.js';
import { abridgeVariables } from './abridge.js';
import type { ReelContext } from './context.js';
import { checkCost } from './cost.js';
import type { Documents } from './documents.js';
import { errorFormatter, noteRequest } from './format-error.js';
import { badRequest, checkSize, LIMITS } from './limits.js';
import { answerPlugin, responsePlugin } from './response.js';
import type { ValidateDocument } from './validation.js';
import { placeVariableErrors } from './value-errors.js';

/** Browsers send these to another origin only after a preflight, so a request that has one is not forged. */
const CSRF_HEADERS = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'];

export interface ApolloOptions {
  schema: GraphQLSchema;
  validateDocument: ValidateDocument;
  documents: Documents;
  config: Pick<Config, 'env' | 'introspection'>;
  log: Pick<FastifyBaseLogger, 'debug' | 'info' | 'warn' | 'error'>;
  formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
}

export function createApollo({
  schema,
  validateDocument,
  documents,
  config,
  log,
  formatError,
}: ApolloOptions): ApolloServer<ReelContext> {
  return new ApolloServer<ReelContext>({
    schema,
    // Apollo would otherwise go by NODE_ENV.
    nodeEnv: config.env,
    introspection: config.introspection,
    includeStacktraceInErrorResponses: false,
    formatError,
    logger: {
      debug: (message) => log.debug(message),
      info: (message) => log.info(message),
      warn: (message) => log.warn(message),
      error: (message) => log.error(message),
    },
    csrfPrevention: { requestHeaders: CSRF_HEADERS },
    parseOptions: { maxTokens: LIMITS.tokens },
    // In place of Apollo's validation, which always has a rule that is quadratic in the document, stands operationPlugin's.
    dangerouslyDisableValidation: true,
    // operationPlugin looks documents up itself.
    documentStore: null,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    stringifyResult: JSON.stringify,
    plugins: [
      responsePlugin,
      // Of an invalid document Apollo formats one error, which is counted, and the plug-in all.
      operationPlugin(validateDocument, documents, errorFormatter({ log, hints: config.introspection })),
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

/** A document that is not valid, by its first error. */
class InvalidDocument extends GraphQLError {
  constructor(readonly errors: readonly GraphQLError[]) {
    super(errors[0]!.message, { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
  }
}

/** Validates documents, and refuses what must not be executed, or not over HTTP, of the operation that operationName chooses. */
const operationPlugin = (
  validateDocument: ValidateDocument,
  documents: Documents,
  formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError,
): ApolloServerPlugin<ReelContext> => ({
  requestDidStart: async () => ({
    async didResolveSource(context) {
      // What Apollo finds here it does not parse.
      Object.assign(context, { document: documents.get(context.source) });
    },
    async didResolveOperation({ schema, source, document, operation, request, contextValue }) {
      const errors = validateDocument(document);
      if (errors.length > 0) throw new InvalidDocument(errors);
      if (contextValue.caller.credential !== null) documents.keep(source, document);
      // Apollo itself refuses a request that chooses no operation, next.
      if (!operation) return;
      if (operation.operation === 'subscription')
        throw badRequest(
          'a query or a mutation',
          'a subscription, which needs a websocket or Accept: text/event-stream',
        );
      checkSize(document, operation);
      const { variables } = request;
      checkCost({ schema, document, operation, variables, pageSizes: contextValue.pageSizes });
      if (variables) request.variables = abridgeVariables(schema, operation, variables);
    },
    async didEncounterErrors({ errors, schema, operation, request: { variables = {} }, contextValue }) {
      noteRequest(errors, contextValue.caller.requestId);
      if (operation) placeVariableErrors(errors, { schema, operation, variables });
    },
    async willSendResponse({ errors: [error] = [], response: { body } }) {
      // Apollo takes one error of a hook; validation finds several.
      if (body.kind === 'single' && error instanceof InvalidDocument)
        body.singleResult.errors = error.errors.map((each) => formatError(each.toJSON(), each));
    },
  }),
});
