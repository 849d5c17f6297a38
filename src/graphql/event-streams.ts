import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLError } from 'graphql';
import { createHandler, type Response } from 'graphql-sse';
import { ReelError, unauthenticated } from '../errors.js';
import { corkUntilTick, drained } from './backpressure.js';
import { RETRY_SECONDS, type SubscriptionRequest, type TransportOptions } from './subscriptions.js';

const EVENT_STREAM = 'text/event-stream';

export const acceptsEventStream = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes(EVENT_STREAM) ?? false;

/**
 * Answers with a subscription as server-sent events, by GraphQL over SSE in its distinct connections mode. graphql-sse
 * speaks the protocol; what it does not do (docs/decisions.md) is done here.
 */
export function eventStreams(app: FastifyInstance, { subscriptions, readCaller }: TransportOptions) {
  /** The results of each request, which end at once: the events made of them would wait for the next one first. */
  const sources = new WeakMap<IncomingMessage, AsyncIterableIterator<unknown>>();
  const handle = createHandler<IncomingMessage>({
    // Without a token there is no single connection mode, which keeps streams between requests.
    authenticate: () => null,
    onSubscribe: async ({ raw }, params) => {
      try {
        const caller = await readCaller(raw);
        const results = await subscriptions.subscribe(params, caller);
        if (!(Symbol.asyncIterator in results)) return refusalOf(results);
        // Every subscription needs a credential, and here there is still a status to say so with.
        if (caller.credential === null) {
          await results.return?.();
          throw unauthenticated();
        }
        sources.set(raw, results);
        return results;
      } catch (error) {
        if (!(error instanceof ReelError)) throw error;
        const { status, message, code, retryAfter } = error;
        return refusal(status, [{ message, extensions: { code } }], retryAfter);
      }
    },
    // graphql-sse queues results without a bound; each waits here instead, until the client has taken those before it.
    onNext: (_context, { raw }) => drained(raw.socket),
  });
  const open = new Set<AsyncGenerator<string>>();
  let isClosing = false;
  const end = (events: AsyncGenerator<string>, raw?: IncomingMessage) => {
    const results = raw && sources.get(raw);
    for (const ended of [results?.return?.(), events.return(undefined)])
      ended?.catch((error: unknown) => subscriptions.formatError(error));
  };
  // A stream that breaks off without `complete` may be asked for again, unlike one that ended.
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const events of open) end(events);
  });

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const params = readParams(request);
    const [events, init] =
      typeof params === 'string'
        ? refusal(400, [{ message: params, extensions: { code: 'BAD_USER_INPUT' } }])
        : await handle({
            method: 'POST',
            url: request.url,
            // Its own reading of Accept takes no list of media types.
            headers: { get: (name) => (name === 'accept' ? EVENT_STREAM : 'application/json') },
            body: { ...params },
            raw: request.raw,
            context: undefined,
          });
    if (events === null || typeof events === 'string')
      return reply
        .code(init.status)
        .headers(init.headers ?? {})
        .send(events);
    reply.hijack();
    const { raw: response } = reply;
    // Whether the connection stays open is the client's to say, too, and Node's to answer.
    for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...init.headers }))
      if (value !== undefined && name.toLowerCase() !== 'connection') response.setHeader(name, value);
    response.on('error', () => {}).once('close', () => end(events, request.raw));
    if (response.closed) end(events, request.raw);
    response.writeHead(init.status);
    open.add(events);
    try {
      for await (const event of events) {
        if (response.destroyed || isClosing) break;
        corkUntilTick(request.raw.socket);
        response.write(event);
        await drained(request.raw.socket);
      }
    } finally {
      open.delete(events);
      response.end();
    }
    return reply;
  };
}

/** Of a request that is wrong, unless there are too many subscriptions. */
const refusalOf = (errors: readonly GraphQLError[]): Response =>
  errors[0]?.extensions.code === 'OVERLOADED' ? refusal(503, errors, RETRY_SECONDS) : refusal(400, errors);

function refusal(status: number, errors: readonly object[], retryAfter?: number): Response {
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  if (retryAfter !== undefined) headers['retry-after'] = String(Math.ceil(retryAfter));
  return [JSON.stringify({ errors }), { status, statusText: '', headers }];
}

/** The parameters of a request, as GraphQL over HTTP has them, or what is wrong with them. */
function readParams({ method, body, query: search }: FastifyRequest): SubscriptionRequest | string {
  const params = method === 'GET' ? search : body;
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    return 'Expected a JSON object with a query, got something else';
  const { query, operationName = null, variables: encoded }: Record<string, unknown> = { ...params };
  const variables = method === 'GET' ? decoded(encoded) : encoded;
  if (typeof query !== 'string')
    return `query: expected a string, got ${query === undefined ? 'nothing' : typeof query}`;
  if (operationName !== null && typeof operationName !== 'string')
    return `operationName: expected a string, got ${typeof operationName}`;
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables)))
    return 'variables: expected an object, got something else';
  return { query, operationName, variables: variables && { ...variables } };
}

/** A value from JSON; text that is not JSON stays text, which is refused as such. */
function decoded(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
