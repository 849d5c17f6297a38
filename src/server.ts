import 'reflect-metadata';
import type { ServerResponse } from 'node:http';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { type Logger, pino } from 'pino';
import { composeReel } from './compose.js';
import type { Config } from './config/config.js';
import { StartError } from './errors.js';
import { answerHeaders, edge } from './http/edge.js';
import { serveMetrics } from './http/health.js';
import { type ListenOptions, listen } from './http/listen.js';
import { loggedRequest, loggedUrl } from './http/logged-url.js';
import type { Metrics } from './http/metrics.js';
import { pages } from './http/pages.js';
import { type Caller, callerName } from './http/request.js';
import { requestIdOf } from './http/request-id.js';
import { refuseSocket } from './http/sockets.js';
import { stopReading } from './http/unread-body.js';

export interface ReelServer {
  /** Where it listens, for example http://127.0.0.1:4000. */
  url: string;
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>;
  /** The database was started again at this URL, which differs from the settings' by host and port alone. */
  moveDatabase(url: string): void;
  /** Finishes what is being written and answered, takes no more, and lets go of everything. */
  close(): Promise<void>;
}

/** Silence for this long, or a request that takes longer to arrive, ends a connection. */
const QUIET_MS = 30_000;
/** What is still being answered this long after the end was asked for, such as a long export, is cut off. */
const GRACE_MS = 10_000;
/** An export link carries its whole request. */
const MAX_HEADER_BYTES = 128 * 1024;

/** Builds a whole server and starts it. Errors: StartError or ConfigError of one line. */
export async function createReelServer(
  config: Config,
  { quietMs = QUIET_MS }: { quietMs?: number } = {},
): Promise<ReelServer> {
  const logger = pino({ level: config.logLevel, serializers: { req: loggedRequest } });
  const log: FastifyBaseLogger = logger;
  const reel = await composeReel(config, log);
  const app = await openApp(logger, quietMs);
  logRequests(app, logger, (request) => reel.callerOf(request.raw));
  let closing = false;
  app.addHook('onRequest', async (_request, reply) => {
    if (!closing) return undefined;
    return reply.code(503).header('retry-after', '1').send({ detail: 'The server is shutting down' });
  });
  // So that no connection waits for another request than the one under way.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
  let stopListening = () => {};
  let measures: FastifyInstance | null = null;
  const close = async () => {
    closing = true;
    stopListening();
    const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
    await app.close().finally(() => clearTimeout(cut));
    await measures?.close();
    await reel.close();
  };
  try {
    await app.register(reel.router);
    await app.register(pages, config);
    stopListening = await listen(app, config).catch((error: unknown) => {
      throw startFault(error, 'REEL_PORT', config);
    });
    if (reel.metrics && config.metricsPort !== null)
      measures = await openMeasures(reel.metrics, logger, { ...config, port: config.metricsPort }, quietMs);
  } catch (error) {
    await close();
    throw error;
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const moveDatabase = (databaseUrl: string) => {
    log.warn('the embedded PostgreSQL had ended, and was started again');
    reel.moveDatabase(databaseUrl);
  };
  return { url: `http://${host}:${port}`, log, moveDatabase, close };
}

/** Fastify's own two lines for each request are of level info. */
const withoutRequests = (log: Logger): FastifyBaseLogger =>
  log.child({}, { level: log.isLevelEnabled('info') ? 'warn' : log.level });

/** An app without routes, which answers whatever comes. */
export async function openApp(log: Logger, quietMs = QUIET_MS): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: withoutRequests(log),
    genReqId: requestIdOf,
    keepAliveTimeout: quietMs,
    requestTimeout: quietMs,
    connectionTimeout: quietMs,
    http: {
      connectionsCheckingInterval: quietMs / 6,
      headersTimeout: quietMs,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    routerOptions: { maxParamLength: 1_000 },
    forceCloseConnections: 'idle',
    // Fastify's own 503 would have no headers of ours.
    return503OnClosing: false,
    // An address that cannot even be read is answered before any route, and without repeating it.
    frameworkErrors: (_error, { raw }, reply: FastifyReply) => {
      stopReading(raw);
      void reply
        .code(400)
        .headers({ ...answerHeaders(requestIdOf(raw)), connection: 'close' })
        .send({ detail: 'Expected a well-formed URL' });
    },
    clientErrorHandler: refuseUnreadable,
  });
  await app.register(edge);
  app.server.on('checkExpectation', (request, response: ServerResponse) => {
    stopReading(request);
    response.on('error', () => {});
    response.writeHead(417, { ...answerHeaders(requestIdOf(request)), connection: 'close' });
    response.end();
  });
  // Nor is the body of a request read that no route is for.
  app.removeAllContentTypeParsers();
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
  return app;
}

/** Paths that are asked for all the time. */
const WATCHED = /^\/(?:health\/|metrics$)/;

/** One line for each request: who called, from where, and what came of it. */
function logRequests(
  app: FastifyInstance,
  log: Logger,
  callerOf: (request: FastifyRequest) => Caller | undefined,
): void {
  app.addHook('onResponse', (request, reply, done) => {
    const level = WATCHED.test(request.routeOptions.url ?? '') ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return done();
    const caller = callerOf(request);
    const details = {
      requestId: requestIdOf(request.raw),
      method: request.method,
      url: loggedUrl(request.url),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      remoteAddress: caller?.ip ?? request.socket.remoteAddress ?? null,
      caller: caller ? callerName(caller) : null,
      tenantId: caller?.tenantId ?? null,
    };
    log[level](details, 'request');
    done();
  });
}

/** Answers what is no HTTP, is too large to read, or comes too slowly. */
const refuseUnreadable: NonNullable<FastifyServerOptions['clientErrorHandler']> = (error, socket) => {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNRESET') socket.destroy();
  else if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuseSocket(socket, 408, 'Expected the whole request sooner');
  else if (code === 'HPE_HEADER_OVERFLOW')
    refuseSocket(socket, 431, `Expected headers of at most ${MAX_HEADER_BYTES} bytes`);
  else refuseSocket(socket, 400, 'Expected well-formed HTTP');
};

/** /metrics alone, on a port of its own. */
async function openMeasures(
  metrics: Metrics,
  log: Logger,
  at: ListenOptions,
  quietMs: number,
): Promise<FastifyInstance> {
  const app = await openApp(log, quietMs);
  serveMetrics(app, metrics);
  try {
    await app.listen({ host: at.host, port: at.port });
    return app;
  } catch (error) {
    await app.close();
    throw startFault(error, 'REEL_METRICS_PORT', at);
  }
}

function startFault(error: unknown, variable: string, { host, port }: ListenOptions): unknown {
  const { code } = error as { code?: string };
  if (code === 'EADDRINUSE')
    return new StartError(`${variable}: expected a free port, got ${port}, which is in use`);
  if (code === 'EACCES')
    return new StartError(`${variable}: expected a port that this user may listen on, got ${host}:${port}`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new StartError(`REEL_HOST: expected an address of this machine, got ${host}`);
  return error;
}
