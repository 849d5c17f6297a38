import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { badInput, ReelError, unauthenticated } from '../errors.js';
import { Answers } from '../http/answer.js';
import { Bodies } from '../http/bodies.js';
import { bodyText } from '../http/body-text.js';
import { type BodyBound, BodyTooLarge, UnsupportedCoding } from '../http/content-encoding.js';
import { edge } from '../http/edge.js';
import { checkJson } from '../http/json.js';
import { sendPieces } from '../http/pieces.js';
import type { Caller, IncomingCall } from '../http/request.js';
import { requestIdOf } from '../http/request-id.js';
import { MAX_UNKNOWN_BYTES } from '../http/unread-body.js';
import { UnheldNumber } from '../query-line/number.js';
import { createApollo } from './apollo.js';
import { createContext, type PageSizes, type ReelContext } from './context.js';
import { cutVariables } from './cut-variables.js';
import { Documents } from './documents.js';
import { acceptsEventStream, eventStreams } from './event-streams.js';
import { errorFormatter, noteRequest } from './format-error.js';
import { executeKnown } from './known-operation.js';
import { LIMITS } from './limits.js';
import { negotiateType, refusalHead, textOf } from './response.js';
import { buildReelSchema } from './schema.js';
import type { Services } from './services.js';
import { Subscriptions } from './subscriptions.js';
import { documentValidator } from './validation.js';
import { serveWebsockets, type WebsocketBounds } from './websockets.js';

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
  /** Is given the subscriptions, whose number is measured. */
  onSubscriptions?: (subscriptions: Pick<Subscriptions, 'length'>) => void;
  /** Told of each error that is answered: its code in lower case. */
  onRefused?: (reason: string) => void;
  websockets?: Partial<WebsocketBounds>;
  /** Default: /graphql. */
  path?: string;
}

const GRAPHQL_PATH = '/graphql';
/** A module's, which sends entries by the thousand. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_PERSON_BYTES = 1024 * 1024;
const METHODS = ['GET', 'POST'];

/** /graphql as a Fastify plug-in: queries and mutations over HTTP, subscriptions over websockets and as event streams. */
export async function graphqlRoutes(app: FastifyInstance, options: GraphqlOptions): Promise<void> {
  const { config, log, parseJson, readCaller, websockets, onSubscriptions, onRefused, ...others } = options;
  const { path: url = GRAPHQL_PATH, ...rest } = others;
  const { answers = new Answers(), bodies = new Bodies(), ...services } = rest;
  await app.register(edge);
  const schema = buildReelSchema();
  const validateDocument = documentValidator(schema, config);
  const documents = new Documents();
  const formatError = errorFormatter({ log, hints: config.introspection, onRefused });
  const apollo = createApollo({ schema, validateDocument, documents, config, log, formatError });
  await apollo.start();
  app.addHook('onClose', () => apollo.stop());

  const subscriptions = new Subscriptions({
    schema,
    services,
    answers,
    pageSizes: config,
    validateDocument,
    format: formatError,
  });
  onSubscriptions?.(subscriptions);
  /** Of each request, by its headers. */
  const callers = new WeakMap<IncomingCall, Caller>();
  const callerOf = (call: IncomingCall): Caller => callers.get(call)!;
  const streamEvents = eventStreams(app, { subscriptions, readCaller: callerOf });
  const { allowedOrigins } = config;
  const path = app.prefix + url;
  serveWebsockets(app, { path, subscriptions, readCaller, allowedOrigins, ...websockets });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    async (_request: FastifyRequest, body: Buffer) => checkBody(await parseJson(bodyText(body))),
  );
  app.addHook(
    'preParsing',
    bodies.admit(({ raw }) => boundOf(callerOf(raw))),
  );
  const format = errorFormatter({ log, hints: false, onRefused });
  app.setErrorHandler((error, request, reply) => {
    const [status, thrown] = httpError(error);
    noteRequest([thrown], requestIdOf(request.raw));
    return sendError(reply.headers(refusalHead(thrown).headers), status, format({ message: '' }, thrown));
  });

  const contexts = new WeakMap<FastifyRequest, ReelContext>();
  const throughApollo = fastifyApolloHandler(apollo, {
    context: async (request: FastifyRequest) => contexts.get(request)!,
  }).bind(app);
  const known = { schema, documents, formatError };
  const respond = async (request: FastifyRequest, reply: FastifyReply) => {
    const context = {
      ...createContext(callerOf(request.raw), services, config, answers.open(reply.raw)),
      finished: [],
    };
    const { body, headers } = request;
    const response = isPlain(request)
      ? await executeKnown(known, { body, accept: headers.accept }, context)
      : null;
    if (response) {
      const { http, pieces } = response;
      return sendPieces(reply.code(http.status ?? 200).headers(Object.fromEntries(http.headers)), pieces);
    }
    contexts.set(request, context);
    const short = await throughApollo(request, reply);
    const pieces = textOf(context.answer);
    return pieces ? sendPieces(reply, pieces) : short;
  };
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url,
    exposeHeadRoute: false,
    bodyLimit: MAX_BODY_BYTES,
    onRequest: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      if (!METHODS.includes(request.method))
        return sendError(
          reply.header('allow', METHODS.join(', ')),
          405,
          invalid('GET or POST', request.method),
        );
      const caller = await readCaller(request.raw);
      callers.set(request.raw, caller);
      // A document in the address counts as a body does.
      if (caller.credential === null && request.url.length > MAX_UNKNOWN_BYTES) throw unauthenticated();
      const { variables = [], extensions = [] } = request.query as Record<string, string | string[]>;
      for (const text of [variables, extensions].flat()) checkJson(text);
      // Here, since Apollo checks this only when it has executed the operation.
      if (acceptsEventStream(request)) return undefined;
      const type = negotiateType(request.headers.accept);
      if (type === null)
        return sendError(reply, 406, invalid('an Accept header that takes application/json', 'another'));
      // Apollo reads it again, in time that grows with the square of a list of types.
      request.raw.headers.accept = type;
      return undefined;
    },
    handler: (request, reply) =>
      acceptsEventStream(request) ? streamEvents(request, reply) : respond(request, reply),
  });
}

/** Whether it is a POST whose address Apollo could read. */
const isPlain = ({ method, url, protocol, hostname }: FastifyRequest): boolean =>
  method === 'POST' && URL.canParse(url, `${protocol}://${hostname}/`);

/** Without a credential, which was looked for before, a body is hardly worth reading. */
function boundOf({ credential }: Caller): BodyBound {
  if (credential === null) return { bytes: MAX_UNKNOWN_BYTES, refusal: unauthenticated };
  const bytes = credential.kind === 'person' ? MAX_PERSON_BYTES : MAX_BODY_BYTES;
  return { bytes, refusal: () => new BodyTooLarge(bytes) };
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
  if (error instanceof ReelError) return [refusalHead(error).status, error];
  if (error instanceof UnsupportedCoding) return [415, new ReelError('BAD_USER_INPUT', error.message)];
  if (error instanceof SyntaxError || isUndecodable(error))
    return [400, expected('a body of JSON text in UTF-8')];
  // Fastify's errors by their codes, since a host may bring a Fastify of its own.
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  if (error instanceof BodyTooLarge || code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return [
      413,
      expected(`a body of at most ${error instanceof BodyTooLarge ? error.bytes : MAX_BODY_BYTES} bytes`),
    ];
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return [415, expected('a Content-Type of application/json')];
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return [statusCode, expected('a well-formed HTTP request')];
  // The Host header and the path make no URL.
  if (code === 'ERR_INVALID_URL') return [400, expected('a well-formed Host header')];
  return [500, error];
}

const isUndecodable = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === 'ERR_ENCODING_INVALID_ENCODED_DATA';

const expected = (what: string): ReelError => new ReelError('BAD_USER_INPUT', `Expected ${what}`);
