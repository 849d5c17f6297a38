import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pino } from 'pino';
import { loggedRequest } from './http/logged-url.js';
import { careForSocket, refuseSocket } from './http/sockets.js';
import { readPaths } from './paths.js';
import { type RouterOptions, router } from './router.js';
import { openApp } from './server.js';

export interface HandlerOptions extends RouterOptions {
  /** Where it is mounted, such as /audit. */
  prefix: string;
}

/** Reel for a server that is not Fastify's. */
export interface ReelHandler {
  /**
   * A request handler of Node's: `app.use('/audit', handler.handle)` in Express, before what parses bodies. It answers
   * every request that it is given.
   */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Takes the websockets of a server that are for Reel, and leaves the others to those who listen for them. */
  attach(server: Server): void;
  close(): Promise<void>;
}

/** Reel within a host's own Express, or any other server of Node's. Errors: StartError, ConfigError. */
export async function createReelHandler({ prefix, ...options }: HandlerOptions): Promise<ReelHandler> {
  const { graphql } = readPaths(options.paths ?? {});
  const logger = pino({ level: options.config.logLevel, serializers: { req: loggedRequest } });
  const app = await openApp(logger);
  try {
    await app.register(router, { prefix, ...options });
    await app.ready();
  } catch (error) {
    await app.close();
    throw error;
  }
  const isForReel = ({ url = '' }: IncomingMessage) =>
    graphql !== false && url.split('?', 1)[0] === prefix + graphql;
  const attached = new Map<Server, (request: IncomingMessage, stream: Duplex, head: Buffer) => void>();
  return {
    handle: (request, response) => {
      // Express takes off what it was mounted at.
      const { originalUrl } = request as { originalUrl?: string };
      if (originalUrl !== undefined) request.url = originalUrl;
      if (request.readableEnded && !isBodiless(request)) {
        const detail = 'Expected Reel before what parses bodies, got a request whose body was read';
        logger.error(detail);
        // Whoever hangs up meanwhile needs no answer.
        response.on('error', () => {});
        response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' });
        response.end(JSON.stringify({ detail }));
      } else app.routing(request, response);
    },
    attach: (server) => {
      if (attached.has(server)) return;
      const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
        careForSocket(stream);
        if (isForReel(request)) app.server.emit('upgrade', request, stream, head);
        else if (server.listenerCount('upgrade') === 1) refuseSocket(stream, 404, 'Not Found');
      };
      attached.set(server, upgrade);
      server.on('upgrade', upgrade);
    },
    close: async () => {
      for (const [server, upgrade] of attached) server.off('upgrade', upgrade);
      await app.close();
    },
  };
}

const isBodiless = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
