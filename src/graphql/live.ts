import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createHandler } from 'graphql-sse/lib/use/fastify';
import { useServer as serveProtocol } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ReelError, unauthenticated } from '../errors.js';
import { type Caller, type IncomingCall, withConnectionParams } from '../request.js';
import { closeCode, type SubscriptionRequest, type Subscriptions } from './subscriptions.js';

export interface LiveOptions {
  path: string;
  subscriptions: Subscriptions;
  /** Errors: UNAUTHENTICATED, BAD_USER_INPUT. */
  readCaller: (call: IncomingCall) => Caller | Promise<Caller>;
  /** Origins of pages beside Reel's own whose scripts may open a websocket. */
  allowedOrigins: readonly string[];
}

/** Of one websocket at a time. */
const MAX_SUBSCRIPTIONS = 50;
const MAX_MESSAGE_BYTES = 256 * 1024;

/** Subscriptions over websockets, by graphql-transport-ws: the credential stands in the connection parameters or the upgrade's headers. */
export function serveWebsockets(app: FastifyInstance, options: LiveOptions): void {
  const { path, subscriptions, readCaller } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  const callers = new WeakMap<WebSocket, Caller>();
  const socketOf = new WeakMap<object, WebSocket>();
  const live = serveProtocol<Record<string, unknown>>(
    {
      onConnect: async ({ connectionParams, extra }) => {
        try {
          callers.set(extra.socket, await readCaller(withConnectionParams(extra.request, connectionParams)));
          return true;
        } catch (error) {
          const { code, reason } = closeCode(error);
          extra.socket.close(code, reason);
          return false;
        }
      },
      onSubscribe: (context, _id, payload) => {
        if (Object.keys(context.subscriptions).length > MAX_SUBSCRIPTIONS) {
          context.extra.socket.close(4429, `At most ${MAX_SUBSCRIPTIONS} subscriptions on one socket`);
          return [];
        }
        const prepared = subscriptions.prepare(payload, callers.get(context.extra.socket)!);
        if ('document' in prepared) socketOf.set(prepared, context.extra.socket);
        return prepared;
      },
      onError: (_context, _id, _payload, errors) => subscriptions.errors(errors),
      subscribe: (args) =>
        subscriptions.run(args, (error) => {
          const { code, reason } = closeCode(error);
          // After the last result, which says why.
          setImmediate(() => socketOf.get(args)?.close(code, reason));
        }),
    },
    sockets,
  );
  const isMeant = ({ url, headers }: IncomingMessage) =>
    url?.split('?')[0] === path && headers.upgrade?.toLowerCase() === 'websocket';
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isMeant(request)) return;
    if (!isOwnPage(request, options.allowedOrigins)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
  };
  app.server.on('upgrade', upgrade);
  answerOtherUpgrades(app.server, isMeant);
  app.addHook('preClose', async () => {
    app.server.off('upgrade', upgrade);
    await live.dispose();
  });
}

/**
 * With an upgrade listener, Node leaves every request that offers an upgrade to it, h2c among them, which Java's own
 * client offers with each: here those that nobody listens for are answered as if they offered none.
 */
function answerOtherUpgrades(server: UpgradingServer, isMeant: (request: IncomingMessage) => boolean): void {
  const before = server.shouldUpgradeCallback;
  server.shouldUpgradeCallback = (request) =>
    isMeant(request) || (server.listenerCount('upgrade') > 1 && (before?.call(server, request) ?? true));
}

/** Node's server option (24.9) is a property of the server, too, which its types do not say. */
type UpgradingServer = Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };

/** A browser says which page opens the socket; programs say nothing. */
function isOwnPage({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Subscriptions as server-sent events, one a request (graphql-sse's distinct connections). */
export function eventStreams({
  subscriptions,
  readCaller,
}: Pick<LiveOptions, 'subscriptions' | 'readCaller'>) {
  const handler = createHandler({
    authenticate: () => null,
    onSubscribe: async ({ raw }, params) => {
      try {
        const caller = await readCaller((raw as FastifyRequest).raw);
        const prepared = subscriptions.prepare(params as SubscriptionRequest, caller);
        // Every subscription asks for a credential, and here there is still a status to say so with.
        if ('document' in prepared && caller.credential === null) throw unauthenticated();
        if ('document' in prepared) return subscriptions.run(prepared);
        return [JSON.stringify({ errors: subscriptions.errors(prepared) }), head(400)];
      } catch (error) {
        const { status, message, code, retryAfter } = error as ReelError;
        if (!status) throw error;
        return [JSON.stringify({ errors: [{ message, extensions: { code } }] }), head(status, retryAfter)];
      }
    },
  });
  return async (request: FastifyRequest, reply: FastifyReply) => {
    await handler(request, reply);
    return reply;
  };
}

const head = (status: number, retryAfter?: number) => ({
  status,
  statusText: '',
  headers: {
    'content-type': 'application/json; charset=utf-8',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) }),
  },
});

/** Whether a request asks for an event stream. */
export const wantsEventStream = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes('text/event-stream') ?? false;
