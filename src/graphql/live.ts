import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { GraphQLError } from 'graphql';
import { type Context, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { checkJson } from '../http/json.js';
import { type Caller, type IncomingCall, withConnectionParams } from '../http/request.js';
import { LiveSocket } from './live-socket.js';
import { closeCode, type Subscriptions } from './subscriptions.js';

export interface LiveOptions {
  path: string;
  subscriptions: Subscriptions;
  /** Errors: UNAUTHENTICATED, BAD_USER_INPUT. */
  readCaller: (call: IncomingCall) => Caller | Promise<Caller>;
  /** Origins of pages beside Reel's own whose scripts may open a websocket. */
  allowedOrigins: readonly string[];
}

interface Extra {
  request: IncomingMessage;
  live: LiveSocket;
  caller?: Caller;
}
type LiveContext = Context<Record<string, unknown>, Extra>;

/** Of one websocket at a time. */
const MAX_SUBSCRIPTIONS = 50;
const MAX_MESSAGE_BYTES = 256 * 1024;
/** A client that does not answer the end of its connection within this time is cut off. */
const GOODBYE_MS = 2_000;

/**
 * Subscriptions over websockets, by graphql-transport-ws: the credential stands in the connection parameters or the
 * upgrade's headers. A message past 256 KiB closes with 1009.
 */
export function serveWebsockets(app: FastifyInstance, options: LiveOptions): void {
  const { path, readCaller, allowedOrigins } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols,
  });
  const protocol = serveProtocol(options.subscriptions, readCaller);
  const isMeant = ({ url, headers }: IncomingMessage) =>
    url?.split('?')[0] === path && headers.upgrade?.toLowerCase() === 'websocket';
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isMeant(request)) return;
    if (!isOwnPage(request, allowedOrigins)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => accept(opened, socket, request));
  };
  const accept = (opened: WebSocket, carrier: Duplex, request: IncomingMessage) => {
    const live = new LiveSocket(opened, carrier);
    const closed = protocol.opened(
      {
        protocol: opened.protocol,
        send: (text) => live.send([text]),
        close: (code, reason) => opened.close(code, reason),
        onMessage: (take) =>
          opened.on('message', (message) => {
            try {
              checkJson(String(message));
            } catch (error) {
              opened.close(
                4400,
                Buffer.from((error as Error).message)
                  .subarray(0, 100)
                  .toString(),
              );
              return;
            }
            take(String(message)).catch((error: unknown) => {
              options.subscriptions.errors([new GraphQLError('', { originalError: error as Error })]);
              opened.close(4500, 'Internal server error');
            });
          }),
      },
      { request, live },
    );
    // A message that keeps to no rule has closed the socket by then, with 1009 where it was too long.
    opened.on('error', () => {});
    opened.once('close', (code, reason) => void closed(code, String(reason)));
  };
  app.server.on('upgrade', upgrade);
  answerOtherUpgrades(app.server, isMeant);
  app.addHook('preClose', async () => {
    app.server.off('upgrade', upgrade);
    for (const client of sockets.clients) client.close(1001, 'Going away');
    const cut = setTimeout(() => {
      for (const client of sockets.clients) client.terminate();
    }, GOODBYE_MS);
    await new Promise((closed) => sockets.close(closed));
    clearTimeout(cut);
  });
}

function serveProtocol(subscriptions: Subscriptions, readCaller: LiveOptions['readCaller']) {
  const places = new WeakMap<object, { live: LiveSocket; id: string }>();
  const closeFor = ({ socket }: LiveSocket, error: unknown) => {
    const { code, reason } = closeCode(error);
    socket.close(code, reason);
  };
  return makeServer<Record<string, unknown>, Extra>({
    onConnect: async ({ connectionParams, extra }: LiveContext) => {
      try {
        extra.caller = await readCaller(withConnectionParams(extra.request, connectionParams));
        return true;
      } catch (error) {
        closeFor(extra.live, error);
        return false;
      }
    },
    onSubscribe: ({ extra, subscriptions: open }: LiveContext, id, payload) => {
      if (Object.keys(open).length > MAX_SUBSCRIPTIONS) {
        extra.live.socket.close(4429, `At most ${MAX_SUBSCRIPTIONS} subscriptions on one socket`);
        return [];
      }
      const prepared = subscriptions.prepare(payload, extra.caller!);
      if ('document' in prepared) places.set(prepared, { live: extra.live, id });
      return prepared;
    },
    onError: (_context, _id, _payload, errors) => subscriptions.errors(errors),
    subscribe: (args) => {
      const { live, id } = places.get(args)!;
      const ended = new AbortController();
      const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
      const delivered = subscriptions.deliver(args, {
        signal: ended.signal,
        send: (results) =>
          live.send(
            results.map((result) => `${head}${result}}`),
            ended.signal,
          ),
      });
      // After the last result, which says why.
      const over = delivered.then((error) => {
        if (error !== null) setImmediate(() => closeFor(live, error));
      });
      return sentAlready(over, ended);
    },
  });
}

/** Results of which graphql-ws has only to see the end, since each is sent as the text that it shares with others. */
function sentAlready(over: Promise<void>, ended: AbortController): AsyncGenerator<never, void, void> {
  const finish = async () => {
    ended.abort();
    await over;
    return { done: true, value: undefined } as const;
  };
  const results: AsyncGenerator<never, void, void> = {
    next: async () => {
      await over;
      return { done: true, value: undefined };
    },
    return: finish,
    throw: finish,
    [Symbol.asyncIterator]: () => results,
    [Symbol.asyncDispose]: async () => void (await finish()),
  };
  return results;
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
