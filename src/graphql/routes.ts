import { fastifyApolloHandler } from '@as-integrations/fastify';
import {
  errorCodes,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Config } from '../config.js';
import { ReelError } from '../errors.js';
import type { Tail } from '../log/tail.js';
import type { Caller, IncomingCall } from '../request.js';
import { UNSEALED } from '../seal/seal.service.js';

import { createApollo } from './apollo.js';
import { createContext, type PageSizes, type Services } from './context.js';
import { errorFormatter } from './format-error.js';
import { serveWebsockets } from './live.js';
import { eventStreams, wantsEventStream } from './live-events.js';
import { contextError, negotiateType } from './response.js';
import { buildReelSchema } from './schema.js';
import { Subscriptions } from './subscriptions.js';
import { subscribableTail } from './tail.js';

/** What the GraphQL room needs of the house. */
export interface GraphqlOptions extends Omit<Services, 'seal' | 'tail'> {
  /** Where none is given, nothing is sealed. */
  seal?: Services['seal'];
  /** What logAdded follows; where none is given, nobody may subscribe. */
  trail?: Tail;
  config: Pick<Config, 'env' | 'allowedOrigins'> & PageSizes;
  log: FastifyBaseLogger;
  /** Errors: SyntaxError, BAD_USER_INPUT. */
  parseJson: (text: string) => unknown;
  /** Errors: UNAUTHENTICATED for a bad token, BAD_USER_INPUT for a bad tenant or client header. */
  readCaller: (call: IncomingCall) => Caller | Promise<Caller>;
}

export const GRAPHQL_PATH = '/graphql';
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
const METHODS = ['GET', 'POST'];

/** /graphql for queries and mutations, a Fastify plug-in. */
export async function graphqlRoutes(app: FastifyInstance, options: GraphqlOptions): Promise<void> {
  const {
    seal = UNSEALED,
    trail,
    config,
    log,
    parseJson,
    readCaller,
    reel,
    stats,
    exports,
    authorizer,
    audit,
  } = options;
  const closing = new AbortController();
  const tail = trail ? subscribableTail(trail, authorizer, closing.signal) : null;
  const services: Services = { reel, stats, exports, authorizer, audit, seal, tail };
  const schema = buildReelSchema();
  const apollo = createApollo(schema, config, log);
  await apollo.start();
  app.addHook('onClose', () => apollo.stop());

  const isDevelopment = config.env === 'development';
  const subscriptions = new Subscriptions({
    schema,
    services,
    pageSizes: config,
    introspection: isDevelopment,
    format: errorFormatter({ log, hints: isDevelopment }),
  });
  const { allowedOrigins } = config;
  serveWebsockets(app, { path: app.prefix + GRAPHQL_PATH, subscriptions, readCaller, allowedOrigins });
  // After the websockets, which say themselves that the server goes away; a tail that ends first would say it is complete.
  app.addHook('preClose', async () => closing.abort());
  const streamEvents = eventStreams({ subscriptions, readCaller, closing: closing.signal });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    async (_request: FastifyRequest, body: Buffer) =>
      parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body)),
  );
  const format = errorFormatter({ log, hints: false });
  app.setErrorHandler((error, _request, reply) => {
    const [status, thrown] = httpFault(error);
    return refuse(reply, status, format({ message: '' }, thrown));
  });

  const answer = fastifyApolloHandler(apollo, {
    context: async (request: FastifyRequest) => {
      try {
        return createContext(await readCaller(request.raw), services, config);
      } catch (error) {
        throw contextError(error);
      }
    },
  }).bind(app);
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: GRAPHQL_PATH,
    exposeHeadRoute: false,
    bodyLimit: MAX_BODY_BYTES,
    onRequest: async (request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
      if (!METHODS.includes(request.method))
        return refuse(
          reply.header('allow', METHODS.join(', ')),
          405,
          fault('Expected GET or POST', request.method),
        );
      if (wantsEventStream(request)) return undefined;
      // Before anything is done: Apollo looks at this only once it has its answer.
      const { accept } = request.headers;
      if (negotiateType(accept) === null)
        return refuse(reply, 406, fault('Expected an Accept header that takes application/json', 'another'));
      return undefined;
    },
    handler: (request, reply) =>
      wantsEventStream(request) ? streamEvents(request, reply) : answer(request, reply),
  });
}

const fault = (expected: string, came: string) => ({
  message: `${expected}, got ${came}`,
  extensions: { code: 'BAD_USER_INPUT' },
});

const refuse = (reply: FastifyReply, status: number, error: object) =>
  reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify({ errors: [error] }));

/** What Fastify itself refuses, in Reel's words. */
function httpFault(error: unknown): [status: number, thrown: unknown] {
  if (error instanceof ReelError) return [400, error];
  if (error instanceof SyntaxError || isUndecodable(error))
    return [400, badRequest('a body of JSON text in UTF-8')];
  if (error instanceof errorCodes.FST_ERR_CTP_BODY_TOO_LARGE)
    return [413, badRequest(`a body of at most ${MAX_BODY_BYTES} bytes`)];
  if (error instanceof errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE)
    return [415, badRequest('a Content-Type of application/json')];
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return [statusCode, badRequest('a well-formed HTTP request')];
  // The Host header makes no address together with the path.
  if (code === 'ERR_INVALID_URL') return [400, badRequest('a well-formed Host header')];
  return [500, error];
}

const isUndecodable = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === 'ERR_ENCODING_INVALID_ENCODED_DATA';

const badRequest = (expected: string): ReelError => new ReelError('BAD_USER_INPUT', `Expected ${expected}`);
