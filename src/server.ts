import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import cors from '@fastify/cors';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
} from 'fastify';
import { sql } from 'kysely';
import { pino } from 'pino';
import { Authorizer } from './auth/authorize.js';
import { mentorPort } from './auth/mentor.js';
import { withDevelopmentSecrets } from './auth/secrets.js';
import { tokenVerifier } from './auth/token.js';
import type { Config } from './config/config.js';
import { type Call, during } from './database/call.js';
import { connect } from './database/connect.js';
import { StartError } from './errors.js';
import { graphqlRoutes } from './graphql/routes.js';
import { Answers } from './http/answer.js';
import { Bodies } from './http/bodies.js';
import { answerHeaders, edge } from './http/edge.js';
import { createMetrics, health } from './http/health.js';
import { parseJson } from './http/json.js';
import { loggedUrl } from './http/logged-url.js';
import { pages } from './http/pages.js';
import { reelKeys } from './http/public-keys.js';
import { readCaller, readConnection, trustedProxies } from './http/request.js';
import { requestIdOf } from './http/request-id.js';
import { refuseSocket } from './http/sockets.js';
import { stopReading } from './http/unread-body.js';
import { ExportService } from './log/export/export.js';
import { LogReader } from './log/read/reader.js';
import { Tail } from './log/read/tail.js';
import { ReadAudit } from './log/read-audit.js';
import { ReelService } from './log/service.js';
import { StatsService } from './log/stats/stats.js';
import { Writer } from './log/write/writer.js';
import { REST_PREFIX, restRoutes } from './rest/routes.js';
import { openSeal } from './seal/open-seal.js';
import { exportProofs } from './seal/proof-bundle.js';
import { SearchFiller } from './seal/search-filler.js';
import { Sequencer } from './seal/sequencer.js';
import { StoredProver } from './seal/stored-prover.js';

export interface ReelServer {
  /** Where it listens, for example http://127.0.0.1:4000. */
  url: string;
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
export async function createReelServer(config: Config): Promise<ReelServer> {
  const log = pino({
    level: config.env === 'production' ? 'info' : 'warn',
    serializers: {
      req: (request: { method: string; url: string; id: string }) => ({
        id: request.id,
        method: request.method,
        url: loggedUrl(request.url),
      }),
    },
  });
  const reel = await composeReel(config, log);
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    genReqId: requestIdOf,
    keepAliveTimeout: QUIET_MS,
    requestTimeout: QUIET_MS,
    connectionTimeout: QUIET_MS,
    http: { connectionsCheckingInterval: 5_000, headersTimeout: QUIET_MS, maxHeaderSize: MAX_HEADER_BYTES },
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
    response.writeHead(417, { ...answerHeaders(requestIdOf(request)), connection: 'close' }).end();
  });
  // Nor is the body of a request read that no route is for.
  app.removeAllContentTypeParsers();
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
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
  const close = async () => {
    closing = true;
    const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
    await app.close().finally(() => clearTimeout(cut));
    await reel.close();
  };
  try {
    await app.register(reel.router);
    await app.register(pages, config);
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await close();
    throw startFault(error, config);
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return { url: `http://${host}:${port}`, close };
}

/** Answers what is no HTTP, is too large to read, or comes too slowly. */
const refuseUnreadable: NonNullable<FastifyServerOptions['clientErrorHandler']> = (error, socket) => {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNRESET') socket.destroy();
  else if (code === 'ERR_HTTP_REQUEST_TIMEOUT') refuseSocket(socket, 408, 'Expected the request within 30 s');
  else if (code === 'HPE_HEADER_OVERFLOW')
    refuseSocket(socket, 431, `Expected headers of at most ${MAX_HEADER_BYTES} bytes`);
  else refuseSocket(socket, 400, 'Expected well-formed HTTP');
};

/**
 * Reel within a host's own Fastify: its paths, with everything behind them. Closed with the host. `config` as
 * readConfig makes it; only its database, secrets and rules matter, not where Reel itself would listen.
 */
export async function router(app: FastifyInstance, options: { config: Config }): Promise<void> {
  const reel = await composeReel(await withDevelopmentSecrets(options.config), app.log);
  app.addHook('onClose', () => reel.close());
  await app.register(reel.router);
}

export interface Reel {
  /** A Fastify plug-in with /graphql, the REST paths, health and metrics. */
  router: (app: FastifyInstance) => Promise<void>;
  service: ReelService;
  close(): Promise<void>;
}

/** Everything but the HTTP server: connections, writer, sequencer, services, and the routes over them. */
export async function composeReel(config: Config, log: FastifyBaseLogger): Promise<Reel> {
  if (config.databaseUrl === null)
    throw new StartError('REEL_DATABASE_URL: expected a postgres:// URL, got nothing');
  const database = await connect(config.databaseUrl, undefined, config.statementMs);
  const metrics = createMetrics();
  const bounds = { searchMs: config.searchMs, statementMs: config.statementMs };
  const reader = new LogReader(database, config.defaultPageSize, bounds);
  const trail = new Tail(database);
  const seal = await openSeal(database, config, (error) =>
    log.warn({ err: error }, 'the witness did not accept a checkpoint; a newer one is sent in a minute'),
  ).catch(async (error) => {
    await database.close();
    throw error;
  });
  const sequencer = new Sequencer(
    database,
    seal.sealer,
    (sealed) => {
      metrics.entriesSequenced.inc(sealed.last - sealed.first + 1);
      trail.advance(sealed.tenantId, sealed.last);
      seal.onSealed(sealed);
      filler.wake(sealed);
    },
    (error) => log.error({ err: error }, 'the sequencer failed; it will try again'),
  );
  const filler = new SearchFiller(
    database,
    () => sequencer.isSealing,
    (error) => log.error({ err: error }, 'the search index could not be filled; it will be tried again'),
  );
  const writer = new Writer(
    {
      write: (tenantIds, work) => database.write(tenantIds, work),
      find: (tenantId, ids) => reader.byIds({ tenantId, clients: null }, ids),
      ensureMonth: async (createdAt) =>
        void (await database.system(sql`select reel_ensure_month(${createdAt}::timestamptz)`)),
    },
    (_tenantIds, entries) => {
      metrics.entriesWritten.inc(entries);
      metrics.batchEntries.observe(entries);
      sequencer.wake();
    },
  );
  metrics.watch({
    writeQueueLength: () => writer.length,
    sequencerLagSeconds: () => sequencer.lagSeconds,
    searchBehind: () => filler.behind,
  });
  const service = new ReelService(writer);
  const stats = new StatsService(database, bounds);
  const audit = new ReadAudit(service, config.auditReads);
  const exports = new ExportService({
    reader,
    audit,
    catchUp: (tenantId) => sequencer.catchUp(tenantId),
    proofs: exportProofs(seal.prover),
    // Links are signed under a key derived from what all servers of an installation share.
    secret: config.serviceSecret ?? config.jwtSecret ?? '',
    linkMinutes: config.exportLinkMinutes,
    maxRecords: config.maxExportRecords,
  });
  const [answers, bodies] = [new Answers(), new Bodies()];
  const readersFor = (call: Call) => {
    const own = during(database, call);
    const prover = new StoredProver(own);
    const reader = new LogReader(own, config.defaultPageSize, bounds);
    return {
      reader,
      stats: new StatsService(own, bounds),
      seal: prover,
      exports: exports.from({ reader, proofs: exportProofs(prover) }),
    };
  };
  const authorizer = new Authorizer(mentorPort(config), config);
  const door = { verify: tokenVerifier(config), trusts: trustedProxies(config.trustProxy) };
  sequencer.start();
  filler.start();

  return {
    service,
    router: async (app) => {
      await app.register(edge);
      if (config.allowedOrigins.length > 0)
        await app.register(cors, {
          origin: [...config.allowedOrigins],
          methods: ['GET', 'POST'],
          exposedHeaders: [
            'Retry-After',
            'Content-Disposition',
            'Location',
            'Idempotent-Replayed',
            'X-Request-Id',
            'RateLimit',
            'RateLimit-Policy',
          ],
        });
      await app.register(health, {
        metrics: config.metrics ? metrics : null,
        ready: () => database.isMigrated(),
      });
      await app.register(reelKeys, { keys: seal.keys });
      await app.register(graphqlRoutes, {
        report: (error, requestId) => {
          const errorId = randomUUID();
          log.error({ err: error, errorId, requestId }, 'an entry could not be stored');
          return errorId;
        },
        during: readersFor,
        answers,
        bodies,
        seal: seal.prover,
        reel: service,
        reader,
        stats,
        exports,
        audit,
        authorizer,
        config,
        log,
        parseJson,
        tail: trail,
        readCaller: (call) => readCaller(call, door),
      });
      await app.register(restRoutes, {
        prefix: REST_PREFIX,
        during: readersFor,
        answers,
        bodies,
        reel: service,
        reader,
        stats,
        exports,
        audit,
        authorizer,
        config,
        log,
        readCaller: (request) => readCaller(request.raw, door),
        readConnection: (request) => readConnection(request.raw, door.trusts),
      });
    },
    close: async () => {
      await writer.close();
      await sequencer.stop();
      await filler.stop();
      await seal.close();
      await database.close();
    },
  };
}

function startFault(error: unknown, config: Config): unknown {
  const { code } = error as { code?: string };
  const place = `${config.host}:${config.port}`;
  if (code === 'EADDRINUSE')
    return new StartError(`REEL_PORT: expected a free port, got ${config.port}, which is in use`);
  if (code === 'EACCES')
    return new StartError(`REEL_PORT: expected a port that this user may listen on, got ${place}`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new StartError(`REEL_HOST: expected an address of this machine, got ${config.host}`);
  return error;
}
