import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { GraphQLError } from 'graphql';
import {
  CloseCode,
  type ConnectionInitMessage,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  handleProtocols,
  type Message,
  MessageType,
  parseMessage,
  type SubscribeMessage,
  stringifyMessage,
} from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { ReelError } from '../errors.js';
import { checkJson } from '../http/json.js';
import { type Caller, withConnectionParams } from '../http/request.js';
import { corkUntilTick, drained } from './backpressure.js';
import type { SubscriptionResult, TransportOptions } from './subscriptions.js';

export interface WebsocketOptions extends TransportOptions {
  path: string;
  /** Origins of pages beside Reel's own whose scripts may open a websocket. */
  allowedOrigins: readonly string[];
}

/** Of one websocket at a time. */
const MAX_SUBSCRIPTIONS = 50;
const MAX_MESSAGE_BYTES = 256 * 1024;
/** A client has this long to send its connection_init. */
const INITIALISATION_MS = 3_000;
/** A client that answers no ping for this long is cut off. */
const PING_MS = 12_000;
/** A client that does not answer the closing handshake within this time is cut off. */
const CLOSE_MS = 2_000;

/**
 * Subscriptions over websockets, by graphql-transport-ws: the credential is in the connection parameters or in the headers
 * of the upgrade. A message past 256 KiB closes with 1009.
 */
export function serveWebsockets(app: FastifyInstance, options: WebsocketOptions): void {
  const { path, allowedOrigins } = options;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols,
  });
  const isForGraphql = ({ url, headers }: IncomingMessage) =>
    url?.split('?')[0] === path && headers.upgrade?.toLowerCase() === 'websocket';
  const upgrade = (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    if (!isForGraphql(request)) return;
    if (!isAllowedOrigin(request, allowedOrigins)) {
      connection.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    server.handleUpgrade(request, connection, head, (socket) => {
      keepAlive(socket);
      new Connection(socket, connection, request, options);
    });
  };
  app.server.on('upgrade', upgrade);
  ignoreOtherUpgrades(app.server, isForGraphql);
  app.addHook('preClose', async () => {
    app.server.off('upgrade', upgrade);
    for (const client of server.clients) client.close(1001, 'Going away');
    const cut = setTimeout(() => {
      for (const client of server.clients) client.terminate();
    }, CLOSE_MS);
    await new Promise((closed) => server.close(closed));
    clearTimeout(cut);
  });
}

/** The server's side of graphql-transport-ws on one websocket. */
class Connection {
  private isInitialised = false;
  private caller: Caller | null = null;
  /** What stops each subscription, by its id. */
  private readonly active = new Map<string, AbortController>();

  constructor(
    private readonly socket: WebSocket,
    private readonly stream: Duplex,
    private readonly request: IncomingMessage,
    private readonly options: WebsocketOptions,
  ) {
    if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL)
      socket.close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable');
    const timeout = setTimeout(() => {
      if (!this.isInitialised)
        socket.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
    }, INITIALISATION_MS);
    socket.on('message', (message) => {
      this.receive(String(message)).catch((error: unknown) => {
        options.subscriptions.formatError(error);
        socket.close(CloseCode.InternalServerError, 'Internal server error');
      });
    });
    // A frame that breaks the protocol has closed the socket by then, with 1009 where it was too long.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timeout);
      for (const stop of this.active.values()) stop.abort();
    });
  }

  private get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  private async receive(text: string): Promise<void> {
    if (!this.isOpen) return;
    let message: Message;
    try {
      checkJson(text);
      message = parseMessage(text);
    } catch (error) {
      // What checkJson refuses says why: a name that stands twice, a number that no double holds.
      if (error instanceof ReelError)
        return this.socket.close(
          CloseCode.BadRequest,
          Buffer.from(error.message).subarray(0, 100).toString(),
        );
      return this.socket.close(CloseCode.BadRequest, 'Invalid message received');
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        return this.initialise(message);
      case MessageType.Ping:
        return this.send({ ...message, type: MessageType.Pong });
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        return this.subscribe(message);
      case MessageType.Complete:
        return this.active.get(message.id)?.abort();
      default:
        return this.socket.close(CloseCode.BadRequest, 'Unexpected message received');
    }
  }

  private async initialise({ payload }: ConnectionInitMessage): Promise<void> {
    if (this.isInitialised)
      return this.socket.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
    this.isInitialised = true;
    try {
      this.caller = await this.options.readCaller(withConnectionParams(this.request, payload));
    } catch (error) {
      return this.closeFor(this.options.subscriptions.formatError(error));
    }
    return this.send({ type: MessageType.ConnectionAck });
  }

  private async subscribe({ id, payload }: SubscribeMessage): Promise<void> {
    if (this.caller === null) return this.socket.close(CloseCode.Unauthorized, 'Unauthorized');
    if (this.active.has(id))
      return this.socket.close(CloseCode.SubscriberAlreadyExists, 'Subscriber already exists');
    if (this.active.size >= MAX_SUBSCRIPTIONS)
      return this.socket.close(4429, `At most ${MAX_SUBSCRIPTIONS} subscriptions on one socket`);
    const stop = new AbortController();
    this.active.set(id, stop);
    stop.signal.addEventListener('abort', () => this.active.delete(id));
    const results = await this.options.subscriptions.subscribe(payload, this.caller);
    if (Symbol.asyncIterator in results) {
      await this.deliver(id, results, stop.signal);
      if (!stop.signal.aborted) await this.send({ id, type: MessageType.Complete });
    } else await this.send({ id, type: MessageType.Error, payload: results });
    stop.abort();
  }

  private async deliver(
    id: string,
    results: AsyncIterableIterator<SubscriptionResult>,
    stopped: AbortSignal,
  ): Promise<void> {
    stopped.addEventListener('abort', () => void results.return?.());
    const head = `{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`;
    for await (const result of results) {
      if (stopped.aborted || !this.isOpen) return;
      await this.write(`${head}${result.json}}`);
      // The last result, which says why.
      if (result.data === undefined) this.closeFor(result.errors?.[0]);
    }
  }

  private async send(message: Message): Promise<void> {
    await this.write(stringifyMessage(message));
  }

  /** Resolves once the connection takes more. Who does not read is not read from either, nor written to by several at once. */
  private async write(text: string): Promise<void> {
    for (let full = drained(this.stream); full; full = drained(this.stream)) await full;
    if (!this.isOpen) return;
    corkUntilTick(this.stream);
    this.socket.send(text);
    const full = drained(this.stream);
    if (!full) return;
    this.socket.pause();
    await full;
    this.socket.resume();
  }

  /** 4401 for a credential that does not, or no longer, hold, 4403 for a missing grant, 4400 for a bad request, else 4503. */
  private closeFor(error: GraphQLError | undefined): void {
    const { code } = error?.extensions ?? {};
    if (code === 'UNAUTHENTICATED') this.socket.close(CloseCode.Unauthorized, 'Unauthorized');
    else if (code === 'FORBIDDEN') this.socket.close(CloseCode.Forbidden, 'Forbidden');
    else if (code === 'BAD_USER_INPUT') this.socket.close(CloseCode.BadRequest, closeReason(error));
    else this.socket.close(4503, 'Unavailable');
  }
}

/** At most the 123 bytes that a close frame holds (RFC 6455, section 5.5). */
const closeReason = (error: GraphQLError | undefined): string =>
  new TextDecoder().decode(Buffer.from(error?.message ?? '').subarray(0, 120), { stream: true });

function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  const pings = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_MS);
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.once('close', () => clearInterval(pings));
}

/**
 * Once it has an upgrade listener, Node hands every request that offers an upgrade to it, h2c among them, which Java's own
 * client offers each time. Those that no listener is for are answered as if they had offered none.
 */
function ignoreOtherUpgrades(
  server: UpgradingServer,
  isForGraphql: (request: IncomingMessage) => boolean,
): void {
  const before = server.shouldUpgradeCallback;
  server.shouldUpgradeCallback = (request) =>
    isForGraphql(request) || (server.listenerCount('upgrade') > 1 && (before?.call(server, request) ?? true));
}

/** Node keeps its server option of this name (24.9) as a property, which its types do not have. */
type UpgradingServer = Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };

/** Browsers say which page opens the socket; programs say nothing. */
function isAllowedOrigin({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}
