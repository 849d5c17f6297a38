import { Readable } from 'node:stream';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import {
  errorCodes,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Config } from '../config/config.js';
import { badInput, ReelError } from '../errors.js';
import { type Answer, Answers } from '../http/answer.js';
import { Bodies } from '../http/bodies.js';
import { UnsupportedCoding } from '../http/content-encoding.js';
import { checkJson } from '../http/json.js';
import type { Caller, IncomingCall } from '../http/request.js';
import { requestIdOf } from '../http/request-id.js';
import { UnheldNumber } from '../query-line/number.js';
import { createApollo } from './apollo.js';
import { createContext, type PageSizes } from './context.js';
import { cutVariables } from './cut-variables.js';
import { acceptsEventStream, eventStreams } from './event-streams.js';
import { errorFormatter, noteRequest } from './format-error.js';
import { LIMITS } from './limits.js';
import { contextError, negotiateType, textOf } from './response.js';
import { buildReelSchema } from './schema.js';
import type { Services } from './services.js';
import { Subscriptions } from './subscriptions.js';
import { serveWebsockets } from './websockets.js';

export interface GraphqlOptions extends Services {
  config: Pick<Config, 'env' | 'introspection' | 'allowedOrigins'> & PageSizes;
  log: FastifyBaseLogger;
  /** Of all interfaces of the server; own ones where none are given. */
  answers?: Answers;
  /** Likewise. */
  bodies?: Bodies;
  /** Returns the value or a promise of it. Errors: SyntaxError, BAD_USER_INPUT. */
  parseJson: (text: string) => unknown;
  /** Errors: UNAUTHENTICATED for a bad token, BAD_USER_INPUT for a bad tenant or client header. */
  readCaller: (call: IncomingCall) => Caller | Promise<Caller>;
}

export const GRAPHQL_PATH = '/graphql';
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
const METHODS = ['GET', 'POST'];

/** /graphql as a Fastify plug-in: queries and mutations over HTTP, subscriptions over websockets and as event streams. */
export async function graphqlRoutes(app: FastifyInstance, options: GraphqlOptions): Promise<void> {
  const { config, log, parseJson, readCaller, ...rest } = options;
  const { answers = new Answers(), bodies = new Bodies(), ...services } = rest;
  const schema = buildReelSchema();
  const apollo = createApollo(schema, config, log);
  await apollo.start();
  app.addHook('onClose', () => apollo.stop());

  const subscriptions = new Subscriptions({
    schema,
    services,
    answers,
    pageSizes: config,
    introspection: config.introspection,
    format: errorFormatter({ log, hints: config.introspection }),
  });
  const streamEvents = eventStreams(app, { subscriptions, readCaller });
  const { allowedOrigins } = config;
  serveWebsockets(app, { path: app.prefix + GRAPHQL_PATH, subscriptions, readCaller, allowedOrigins });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    async (_request: FastifyRequest, body: Buffer) =>
      checkBody(await parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body))),
  );
  app.addHook('preParsing', bodies.admit);
  const format = errorFormatter({ log, hints: false });
  app.setErrorHandler((error, request, reply) => {
    const [status, thrown] = httpError(error);
    noteRequest([thrown], requestIdOf(request.raw));
    if (thrown instanceof ReelError && thrown.retryAfter !== undefined)
      reply.header('retry-after', Math.max(1, Math.ceil(thrown.retryAfter)));
    return sendError(reply, status, format({ message: '' }, thrown));
  });

  const answerOf = new WeakMap<FastifyRequest, Answer>();
  const execute = fastifyApolloHandler(apollo, {
    context: async (request: FastifyRequest, reply: FastifyReply) => {
      try {
        const caller = await readCaller(request.raw);
        const answer = answers.open(reply.raw);
        answerOf.set(request, answer);
        return createContext(caller, services, config, answer);
      } catch (error) {
        throw contextError(error, requestIdOf(request.raw));
      }
    },
  }).bind(app);
  const respond = async (request: FastifyRequest, reply: FastifyReply) => {
    const short = await execute(request, reply);
    const answer = answerOf.get(request);
    const chunks = answer && textOf(answer);
    return chunks ? sendChunks(reply, chunks) : short;
  };
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: GRAPHQL_PATH,
    exposeHeadRoute: false,
    bodyLimit: MAX_BODY_BYTES,
    onRequest: async (request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
      if (!METHODS.includes(request.method))
        return sendError(
          reply.header('allow', METHODS.join(', ')),
          405,
          invalid('GET or POST', request.method),
        );
      const { variables = [], extensions = [] } = request.query as Record<string, string | string[]>;
      for (const text of [variables, extensions].flat()) checkJson(text);
      // Here, since Apollo checks this only when it has executed the operation.
      const { accept } = request.headers;
      if (!acceptsEventStream(request) && negotiateType(accept) === null)
        return sendError(reply, 406, invalid('an Accept header that takes application/json', 'another'));
      return undefined;
    },
    handler: (request, reply) =>
      acceptsEventStream(request) ? streamEvents(request, reply) : respond(request, reply),
  });
}

/** Text that was made piece by piece. */
function sendChunks(reply: FastifyReply, chunks: readonly Buffer[]): FastifyReply {
  const [first] = chunks;
  if (chunks.length === 1) return reply.send(first);
  reply.header(
    'content-length',
    chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  );
  return reply.send(Readable.from(chunks));
}

/** Only what is in variables may be a number that no double holds: Apollo would take these two for objects. */
function checkBody(body: unknown): unknown {
  const { query, variables, extensions } = (body ?? {}) as Record<string, unknown>;
  if (typeof query === 'string' && query.length > LIMITS.characters)
    throw badInput('query', `at most ${LIMITS.characters} characters`, query);
  cutVariables(variables);
  for (const [name, value] of Object.entries({ variables, extensions }))
    if (value instanceof UnheldNumber) throw badInput(name, 'an object', value);
  return body;
}

const invalid = (expected: string, got: string) => ({
  message: `Expected ${expected}, got ${got}`,
  extensions: { code: 'BAD_USER_INPUT' },
});

const sendError = (reply: FastifyReply, status: number, error: object) =>
  reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify({ errors: [error] }));

/** The status for an error of Fastify's or of the JSON parser's, and what to report. */
function httpError(error: unknown): [status: number, thrown: unknown] {
  if (error instanceof ReelError) return [error.code === 'BAD_USER_INPUT' ? 400 : error.status, error];
  if (error instanceof UnsupportedCoding) return [415, new ReelError('BAD_USER_INPUT', error.message)];
  if (error instanceof SyntaxError || isUndecodable(error))
    return [400, expected('a body of JSON text in UTF-8')];
  if (error instanceof errorCodes.FST_ERR_CTP_BODY_TOO_LARGE)
    return [413, expected(`a body of at most ${MAX_BODY_BYTES} bytes`)];
  if (error instanceof errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE)
    return [415, expected('a Content-Type of application/json')];
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return [statusCode, expected('a well-formed HTTP request')];
  // The Host header and the path make no URL.
  if (code === 'ERR_INVALID_URL') return [400, expected('a well-formed Host header')];
  return [500, error];
}

const isUndecodable = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === 'ERR_ENCODING_INVALID_ENCODED_DATA';

const expected = (what: string): ReelError => new ReelError('BAD_USER_INPUT', `Expected ${what}`);
