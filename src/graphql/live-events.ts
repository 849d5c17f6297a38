import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ReelError, unauthenticated } from '../errors.js';
import type { LiveOptions } from './live.js';
import { pieces } from './live-socket.js';
import type { SubscriptionRequest } from './subscriptions.js';

/** Something is said at least this often, so that neither end takes the other for gone. */
const SIGN_OF_LIFE_MS = 12_000;

/** Subscriptions as server-sent events, one a request: the distinct connections of the GraphQL over SSE protocol. */
export function eventStreams({
  subscriptions,
  readCaller,
  closing,
}: Pick<LiveOptions, 'subscriptions' | 'readCaller'> & { closing: AbortSignal }) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const asked = readSubscription(request);
    if (typeof asked === 'string')
      return refuse(reply, 400, [{ message: asked, extensions: { code: 'BAD_USER_INPUT' } }]);
    let prepared: ReturnType<typeof subscriptions.prepare>;
    try {
      const caller = await readCaller(request.raw);
      prepared = subscriptions.prepare(asked, caller);
      // Every subscription asks for a credential, and here there is still a status to say so with.
      if ('document' in prepared && caller.credential === null) throw unauthenticated();
    } catch (error) {
      if (!(error instanceof ReelError)) throw error;
      const { status, message, code, retryAfter } = error;
      if (retryAfter !== undefined) reply.header('retry-after', String(Math.ceil(retryAfter)));
      return refuse(reply, status, [{ message, extensions: { code } }]);
    }
    if (!('document' in prepared)) return refuse(reply, 400, subscriptions.errors(prepared));
    reply.hijack();
    const stream = new EventStream(reply.raw, reply.getHeaders());
    try {
      await subscriptions.deliver(prepared, stream);
      // A stream that ends without this word was broken off, as by a server that goes away, and may be asked for again.
      if (!closing.aborted) await stream.send([], 'event: complete\ndata:\n\n');
    } finally {
      stream.end();
    }
    return reply;
  };
}

/** An answer that goes on, written no faster than it is taken. */
class EventStream {
  private readonly gone = new AbortController();
  private readonly lives: NodeJS.Timeout;
  /** Ends the wait for what is being written. */
  private written: (() => void) | null = null;

  constructor(
    private readonly raw: ServerResponse,
    headers: Record<string, string | number | string[] | undefined>,
  ) {
    raw.once('close', () => {
      this.gone.abort();
      this.written?.();
    });
    raw.on('error', () => {});
    raw.writeHead(200, {
      ...headers,
      connection: 'keep-alive',
      'cache-control': 'no-cache',
      'content-encoding': 'none',
      'content-type': 'text/event-stream; charset=utf-8',
    });
    // Some browsers take no notice of headers alone.
    raw.write(':\n\n');
    this.lives = setInterval(() => {
      if (this.written === null) raw.write(':\n\n');
    }, SIGN_OF_LIFE_MS);
  }

  get signal(): AbortSignal {
    return this.gone.signal;
  }

  async send(results: readonly string[], last = ''): Promise<void> {
    const events = results.map((result) => `event: next\ndata: ${result}\n\n`);
    for (const piece of pieces(last ? [...events, last] : events)) {
      if (this.gone.signal.aborted) return;
      await new Promise<void>((written) => {
        this.written = written;
        this.raw.write(piece.join(''), () => written());
      });
      this.written = null;
    }
  }

  end(): void {
    clearInterval(this.lives);
    this.raw.end();
  }
}

/** What a request asks for, or what it should have been. */
function readSubscription({ method, body, query }: FastifyRequest): SubscriptionRequest | string {
  const given = (method === 'GET' ? query : body) as Record<string, unknown> | null | undefined;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return 'Expected a JSON object with a query, got something else';
  const { query: text, operationName = null } = given;
  const variables = method === 'GET' ? parsed(given.variables) : given.variables;
  if (typeof text !== 'string')
    return `query: expected a text, got ${text === undefined ? 'nothing' : typeof text}`;
  if (operationName !== null && typeof operationName !== 'string')
    return `operationName: expected a text, got ${typeof operationName}`;
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables)))
    return 'variables: expected an object, got something else';
  return { query: text, operationName, variables: variables as Record<string, unknown> | null | undefined };
}

/** Text that is no JSON stays text. */
function parsed(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const refuse = (reply: FastifyReply, status: number, errors: readonly object[]) =>
  reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify({ errors }));

/** Whether a request asks for an event stream. */
export const wantsEventStream = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes('text/event-stream') ?? false;
