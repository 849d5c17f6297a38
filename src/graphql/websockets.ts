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
import { ReelError, unauthenticated } from '../errors.js';
import { checkJson } from '../http/json.js';
import { type Caller, withConnectionParams } from '../http/request.js';
import { careForSocket, careForSockets, endUnread, refuseSocket } from '../http/sockets.js';
import { MAX_UNKNOWN_BYTES } from '../http/unread-body.js';
import { corkUntilTick, drained } from './backpressure.js';
import type { SubscriptionResult, TransportOptions } from './subscriptions.js';

export interface WebsocketBounds {
  /** A client has this long to send a connection_init with a valid credential. */
  initialisationMs: number;
  /** Websockets without a valid credential, of one server. */
  maxUnauthenticated: number;
}

export interface WebsocketOptions extends TransportOptions, Partial<WebsocketBounds> {
  path: string;
  /** Origins of pages beside Reel's own whose scripts may open a websocket. */
  allowedOrigins: readonly string[];
}

export const BOUNDS: WebsocketBounds = { initialisationMs: 5_000, maxUnauthenticated: 1_000 };

/** Of one websocket at a time. */
const MAX_SUBSCRIPTIONS = 50;
const MAX_MESSAGE_BYTES = 256 * 1024;
/** A client that answers no ping for this long is cut off. */
const PING_MS = 12_000;
/** A client that does not answer the closing handshake within this time is cut off. */
const CLOSE_MS = 2_000;

/**
 * Subscriptions over websockets, by graphql-transport-ws: the credential is in the connection parameters or in the headers
 * of the upgrade. A message past 256 KiB closes with 1009, and so do 16 KiB without a credential.
 */
export function serveWebsockets(app: FastifyInstance, options: WebsocketOptions): void {
  const { path, allowedOrigins, maxUnauthenticated } = { ...BOUNDS, ...options };
  const server = new WebSocketServer({
    // Else all messages that came together are answered in one turn of the event loop, however many they are.
    allowSynchronousEvents: false,
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols,
  });
  const unauthenticated = new Set<Connection>();
  const isForGraphql = ({ url = '' }: IncomingMessage) =>
    url.startsWith(path) && (url.length === path.length || url[path.length] === '?');
  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    careForSocket(stream);
    if (!isForGraphql(request)) {
      if (app.server.listenerCount('upgrade') === 1) refuseSocket(stream, 404, 'Not Found');
      return;
    }
    if (!isAllowedOrigin(request, allowedOrigins))
      return refuseSocket(stream, 403, 'Expected an Origin of this server or of REEL_ALLOWED_ORIGINS');
    if (unauthenticated.size >= maxUnauthenticated)
      return refuseSocket(stream, 503, 'Too many websockets without a credential; try again shortly', {
        'Retry-After': '1',
      });
    server.handleUpgrade(request, stream, head, (socket) => {
      keepAlive(socket);
      const connection = new Connection(socket, stream, request, options);
      unauthenticated.add(connection);
      connection.onAuthenticated = () => unauthenticated.delete(connection);
      socket.once('close', connection.onAuthenticated);
    });
  };
  careForSockets(app.server);
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
  onAuthenticated = () => {};
  private isInitialised = false;
  private caller: Caller | null = null;
  /** What stops each subscription, by its id. */
  private readonly active = new Map<string, AbortController>();
  private readonly overdue: NodeJS.Timeout;
  private bytes = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly stream: Duplex,
    private readonly request: IncomingMessage,
    private readonly options: WebsocketOptions,
  ) {
    if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL)
      this.close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable');
    this.overdue = setTimeout(() => {
      if (this.isInitialised) this.close(CloseCode.Unauthorized, 'Unauthorized');
      else this.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
    }, options.initialisationMs ?? BOUNDS.initialisationMs);
    stream.on('data', this.countBytes);
    socket.on('message', (message) => {
      this.receive(String(message)).catch((error: unknown) => {
        options.subscriptions.formatError(error);
        this.close(CloseCode.InternalServerError, 'Internal server error');
      });
    });
    // A frame that breaks the protocol has closed the socket by then, with 1009 where it was too long.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(this.overdue);
      for (const stop of this.active.values()) stop.abort();
    });
  }

  /** Before it is known who sends them, whatever frames they are of. */
  private readonly countBytes = (chunk: Buffer): void => {
    this.bytes += chunk.length;
    if (this.bytes > MAX_UNKNOWN_BYTES)
      this.close(1009, `Expected at most ${MAX_UNKNOWN_BYTES} bytes before a credential`);
  };

  /** What a client sends that has not shown who it is, is not read past this. */
  private close(code: number, reason: string): void {
    this.socket.close(code, reason);
    if (this.caller === null) endUnread(this.stream);
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
        return this.close(CloseCode.BadRequest, Buffer.from(error.message).subarray(0, 100).toString());
      return this.close(CloseCode.BadRequest, 'Invalid message received');
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
        return this.close(CloseCode.BadRequest, 'Unexpected message received');
    }
  }

  private async initialise({ payload }: ConnectionInitMessage): Promise<void> {
    if (this.isInitialised)
      return this.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
    this.isInitialised = true;
    try {
      const caller = await this.options.readCaller(withConnectionParams(this.request, payload));
      if (caller.credential === null) throw unauthenticated();
      this.caller = caller;
    } catch (error) {
      return this.closeFor(this.options.subscriptions.formatError(error));
    }
    clearTimeout(this.overdue);
    this.stream.off('data', this.countBytes);
    this.onAuthenticated();
    return this.send({ type: MessageType.ConnectionAck });
  }

  private async subscribe({ id, payload }: SubscribeMessage): Promise<void> {
    if (this.caller === null) return this.close(CloseCode.Unauthorized, 'Unauthorized');
    if (this.active.has(id))
      return this.close(CloseCode.SubscriberAlreadyExists, 'Subscriber already exists');
    if (this.active.size >= MAX_SUBSCRIPTIONS)
      return this.close(4429, `At most ${MAX_SUBSCRIPTIONS} subscriptions on one socket`);
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
    const end = () =>
      void results.return?.().catch((error: unknown) => this.options.subscriptions.formatError(error));
    if (stopped.aborted) return end();
    stopped.addEventListener('abort', end);
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
    if (code === 'UNAUTHENTICATED') this.close(CloseCode.Unauthorized, 'Unauthorized');
    else if (code === 'FORBIDDEN') this.close(CloseCode.Forbidden, 'Forbidden');
    else if (code === 'BAD_USER_INPUT') this.close(CloseCode.BadRequest, closeReason(error));
    else this.close(4503, 'Unavailable');
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
    isForGraphql(request)
      ? request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket'
      : server.listenerCount('upgrade') > 1 && (before?.call(server, request) ?? true);
}

/** Node keeps its server option of this name (24.9) as a property, which its types do not have. */
type UpgradingServer = Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };

/** Browsers say which page opens the socket; programs say nothing. */
function isAllowedOrigin({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}
