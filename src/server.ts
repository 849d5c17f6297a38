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
import { accountOf } from './auth/caller.js';
import { mentorPort } from './auth/mentor.js';
import { withDevelopmentSecrets } from './auth/secrets.js';
import { tokenVerifier } from './auth/token.js';
import type { Config } from './config/config.js';
import { type Call, during } from './database/call.js';
import { DatabaseClock } from './database/clock.js';
import { connect } from './database/connect.js';
import { FaultLog, ReelError, StartError } from './errors.js';
import { graphqlRoutes } from './graphql/routes.js';
import { Answers } from './http/answer.js';
import { Bodies } from './http/bodies.js';
import { answerHeaders, edge } from './http/edge.js';
import { createMetrics, health } from './http/health.js';
import { parseJson } from './http/json.js';
import { listen } from './http/listen.js';
import { loggedRequest } from './http/logged-url.js';
import { pages } from './http/pages.js';
import { reelKeys } from './http/public-keys.js';
import {
  type Authentication,
  type IncomingCall,
  readCaller,
  readConnection,
  trustedProxies,
} from './http/request.js';
import { requestIdOf } from './http/request-id.js';
import { refuseSocket } from './http/sockets.js';
import { stopReading } from './http/unread-body.js';
import { Identifier } from './log/entry/identifier.js';
import { ExportService } from './log/export/export.js';
import { LogReader } from './log/read/reader.js';
import { Tail } from './log/read/tail.js';
import { ReadAudit } from './log/read-audit.js';
import { ReelService } from './log/service.js';
import { StatsService } from './log/stats/stats.js';
import { WRITER_BOUNDS, Writer } from './log/write/writer.js';
import { REST_PREFIX, restRoutes } from './rest/routes.js';
import { openSeal } from './seal/open-seal.js';
import { exportProofs } from './seal/proof-bundle.js';
import { SearchFiller } from './seal/search-filler.js';
import { Sequencer } from './seal/sequencer.js';
import { StoredProver } from './seal/stored-prover.js';
import { chargeTo } from './time-slice.js';

export interface ReelServer {
  /** Where it listens, for example http://127.0.0.1:4000. */
  url: string;
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
  const log = pino({
    level: config.env === 'production' ? 'info' : 'warn',
    serializers: { req: loggedRequest },
  });
  const reel = await composeReel(config, log);
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
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
  const close = async () => {
    closing = true;
    stopListening();
    const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
    await app.close().finally(() => clearTimeout(cut));
    await reel.close();
  };
  try {
    await app.register(reel.router);
    await app.register(pages, config);
    stopListening = await listen(app, config);
  } catch (error) {
    await close();
    throw startFault(error, config);
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const moveDatabase = (databaseUrl: string) => {
    log.warn('the embedded PostgreSQL had ended, and was started again');
    reel.moveDatabase(databaseUrl);
  };
  return { url: `http://${host}:${port}`, moveDatabase, close };
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

/**
 * Reel within a host's own Fastify: its paths, with everything behind them. Closed with the host. `config` as
 * readConfig makes it; only its database, secrets and rules matter, not where Reel itself would listen.
 */
export async function router(app: FastifyInstance, options: { config: Config }): Promise<void> {
  const reel = await composeReel(await withDevelopmentSecrets(options.config), app.log);
  app.addHook('onClose', () => reel.close());
  // The type of Fastify has serializers answer text alone; pino takes any value.
  const logging: object = { logSerializers: { req: loggedRequest } };
  await app.register(reel.router, logging);
}

export interface Reel {
  /** A Fastify plug-in with /graphql, the REST paths, health and metrics. */
  router: (app: FastifyInstance) => Promise<void>;
  service: ReelService;
  moveDatabase(url: string): void;
  close(): Promise<void>;
}

/** Everything but the HTTP server: connections, writer, sequencer, services, and the routes over them. */
export async function composeReel(
  config: Config,
  log: FastifyBaseLogger,
  clock = new DatabaseClock(),
): Promise<Reel> {
  if (config.databaseUrl === null)
    throw new StartError('REEL_DATABASE_URL: expected a postgres:// URL, got nothing');
  const database = await connect(config.databaseUrl, undefined, config.statementMs);
  await database.watch(log, clock);
  const faults = new FaultLog(log);
  // What was answered UNAVAILABLE stands in the log by its cause.
  const unlessUnavailable = (report: (error: unknown) => void) => (error: unknown) => {
    if (!(error instanceof ReelError && error.code === 'UNAVAILABLE')) report(error);
  };
  const metrics = createMetrics();
  const bounds = { searchMs: config.searchMs, statementMs: config.statementMs };
  const reader = new LogReader(database, config.defaultPageSize, bounds);
  const trail = new Tail(database);
  const seal = await openSeal(
    database,
    config,
    (error) =>
      faults.report('the witness did not accept a checkpoint; a newer one is sent in a minute', error),
    () => new Date(clock.now() / 1000),
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
    unlessUnavailable((error) => log.error({ err: error }, 'the sequencer failed; it will try again')),
  );
  const filler = new SearchFiller(
    database,
    () => sequencer.isSealing,
    unlessUnavailable((error) =>
      log.error({ err: error }, 'the search index could not be filled; it will be tried again'),
    ),
  );
  const writer = new Writer(
    {
      write: (tenantIds, work) => database.write(tenantIds, work),
      find: (tenantId, ids) => reader.byIds({ tenantId, clients: null }, ids, { isBounded: true }),
      ensureMonth: async (createdAt) =>
        void (await database.system(sql`select reel_ensure_month(${createdAt}::timestamptz)`)),
    },
    (_tenantIds, entries) => {
      metrics.entriesWritten.inc(entries);
      metrics.batchEntries.observe(entries);
      sequencer.wake();
    },
    { ...WRITER_BOUNDS, waitMs: config.statementMs },
  );
  metrics.watch({
    writeQueueLength: () => writer.length,
    sequencerLagSeconds: () => sequencer.lagSeconds,
    searchBehind: () => filler.behind,
  });
  const service = new ReelService(writer, new Identifier(clock));
  const stats = new StatsService(database, bounds);
  const audit = new ReadAudit(service, config.auditReads);
  const exports = new ExportService({
    reader,
    audit,
    catchUp: (tenantId) => sequencer.catchUp(tenantId),
    proofs: exportProofs(seal.prover),
    // Links are signed under a key derived from what all servers of an installation share.
    secrets: config.serviceSecrets,
    linkMinutes: config.exportLinkMinutes,
    maxRecords: config.maxExportRecords,
  });
  metrics.watch({
    waiting: () => ({
      reads: database.waitingReads,
      tails: trail.waiting,
      exports: exports.waiting,
      catch_ups: sequencer.waitingCatchUps,
      tenants_to_seal: sequencer.waitingTenants,
    }),
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
  const authorizer = new Authorizer(
    mentorPort(config, (error) => faults.report('Mentor does not say who may do what', error)),
    config,
  );
  const onKeySetFault = (error: unknown) => faults.report('REEL_JWKS_URL does not answer with keys', error);
  const authentication: Authentication = {
    verify: tokenVerifier(config, Date.now, onKeySetFault),
    trusts: trustedProxies(config.trustProxy),
    onRefused: (why, reqId) => log.warn({ reqId, why }, 'a credential was refused'),
  };
  const callerOf = async (call: IncomingCall) => {
    const caller = await readCaller(call, authentication);
    chargeTo(accountOf(caller));
    return caller;
  };
  sequencer.start();
  filler.start();

  return {
    service,
    moveDatabase: (url) => database.moveTo(url),
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
        unready: () => database.unready(),
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
        onSubscriptions: (subscriptions) => metrics.watch({ subscriptions: () => subscriptions.length }),
        tail: trail,
        readCaller: callerOf,
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
        readCaller: (request) => callerOf(request.raw),
        readConnection: (request) => readConnection(request.raw, authentication.trusts),
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
