import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { Authorizer } from './auth/authorize.js';
import { accountOf, type Caller } from './auth/caller.js';
import { mentorPort } from './auth/mentor.js';
import { tokenVerifier } from './auth/token.js';
import type { Config } from './config/config.js';
import { type Call, during } from './database/call.js';
import { DatabaseClock } from './database/clock.js';
import { connect } from './database/connect.js';
import { ENSURE_MONTHS_AHEAD } from './database/months.js';
import { FaultLog, ReelError, StartError } from './errors.js';
import { graphqlRoutes } from './graphql/routes.js';
import { Answers } from './http/answer.js';
import { Bodies } from './http/bodies.js';
import { edge } from './http/edge.js';
import { health } from './http/health.js';
import { parseJson } from './http/json.js';
import { createMetrics, type Metrics } from './http/metrics.js';
import { allowOrigins } from './http/origins.js';
import { reelKeys } from './http/public-keys.js';
import {
  type Authentication,
  type IncomingCall,
  readCaller,
  readConnection,
  trustedProxies,
} from './http/request.js';
import { type Mismatch, RegisteredRules } from './log/actions/entry-rules.js';
import { RegisteredActions } from './log/actions/registry.js';
import { watchMismatches } from './log/embed.js';
import { Identifier } from './log/entry/identifier.js';
import { ExportService } from './log/export/export.js';
import { PageSpans } from './log/read/page-spans.js';
import { LogReader } from './log/read/reader.js';
import { Tail } from './log/read/tail.js';
import { ReadAudit } from './log/read-audit.js';
import { ReelService } from './log/service.js';
import { StatsService } from './log/stats/stats.js';
import { ViewService } from './log/views/service.js';
import { WRITER_BOUNDS, Writer } from './log/write/writer.js';
import { PATHS, type Paths } from './paths.js';
import { restRoutes } from './rest/routes.js';
import { openSeal } from './seal/open-seal.js';
import { Poller } from './seal/poller.js';
import { exportProofs } from './seal/proof-bundle.js';
import { SearchFiller } from './seal/search-filler.js';
import { Sequencer, SilentNode } from './seal/sequencer.js';
import { StoredProver } from './seal/stored-prover.js';
import { openStreams } from './stream/open-streams.js';
import { chargeTo } from './time-slice.js';
import { traced } from './tracing.js';

/** How often partitions of coming months are looked for. */
const MONTHS_MS = 6 * 3_600_000;

export interface Reel {
  /** Null where they are off. */
  metrics: Metrics | null;
  /** A Fastify plug-in with GraphQL, REST, health, metrics and keys. */
  router: (app: FastifyInstance) => Promise<void>;
  service: ReelService;
  moveDatabase(url: string): void;
  /** Who makes a request, once its credential was read. */
  callerOf(request: object): Caller | undefined;
  close(): Promise<void>;
}

export interface Composition {
  clock?: DatabaseClock;
  /** Of the plug-in that the router will be registered in. */
  prefix?: string;
  paths?: Paths;
}

/** Everything but the HTTP server: connections, writer, sequencer, services, and the routes over them. */
export async function composeReel(
  config: Config,
  log: FastifyBaseLogger,
  { clock = new DatabaseClock(), prefix = '', paths = PATHS }: Composition = {},
): Promise<Reel> {
  const rest = paths.rest === false ? PATHS.rest : paths.rest;
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
  const isMeasured = config.metrics || config.metricsPort !== null;
  const bounds = { searchMs: config.searchMs, statementMs: config.statementMs };
  const spans = new PageSpans();
  const reader = new LogReader(database, config.defaultPageSize, bounds, spans);
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
  let lastCheckpointAt: number | null = null;
  const sequencer = new Sequencer(
    database,
    seal.sealer,
    (sealed) => {
      metrics.entriesSequenced.inc(sealed.last - sealed.first + 1);
      metrics.checkpoints.inc();
      lastCheckpointAt = Date.now() / 1_000;
      trail.advance(sealed.tenantId, sealed.last);
      seal.onSealed(sealed);
      filler.wake(sealed);
      streams.onSealed(sealed);
    },
    unlessUnavailable((error) => {
      if (error instanceof SilentNode) faults.report('a node of the cluster does not answer', error);
      else log.error({ err: error }, 'the sequencer failed; it will try again');
    }),
  );
  const filler = new SearchFiller(
    database,
    () => sequencer.isSealing,
    unlessUnavailable((error) =>
      log.error({ err: error }, 'the search index could not be filled; it will be tried again'),
    ),
  );
  const months = new Poller(
    async () => void (await database.system(sql.raw(ENSURE_MONTHS_AHEAD))),
    MONTHS_MS,
    unlessUnavailable((error) => faults.report('the partitions of coming months could not be made', error)),
  );
  // A batch has the entries of many calls, so its trace is its own.
  const timed = <T>(write: () => Promise<T>): Promise<T> =>
    traced('write batch', { isRoot: true }, async () => {
      const end = metrics.batchSeconds.startTimer();
      const written = await write();
      end();
      return written;
    });
  const writer = new Writer(
    {
      write: (tenantIds, work) => timed(() => database.write(tenantIds, work)),
      writeAtOnce: (tenantIds, statements) => timed(() => database.writeAtOnce(tenantIds, statements)),
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
    silentNodes: () => sequencer.silentNodes,
    pools: () => database.pools,
    unready: () => database.unready(),
    clockApartSeconds: () => clock.apartSeconds,
    lastCheckpointAt: () => lastCheckpointAt,
    witness: () => seal.witness(),
  });
  const actions = new RegisteredActions(database, config.redactionKeys[0] ?? null);
  const onMismatch = (module: string, what: Mismatch) => metrics.entriesNotAsRegistered.inc({ module, what });
  const rules = new RegisteredRules(actions, { modes: config.actionModes, onMismatch });
  const unwatch = watchMismatches(onMismatch);
  const service = new ReelService(writer, new Identifier(clock), rules);
  const streams = openStreams(config, {
    database,
    reel: service,
    prover: seal.prover,
    onRecorded: () => sequencer.wake(),
    onDelivered: (kind, entries) => metrics.entriesDelivered.inc({ kind }, entries),
    onFault: unlessUnavailable((error) => faults.report('a stream could not be served', error)),
  });
  metrics.watch({ streams: () => streams.lags() });
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
    path: `${prefix}${rest}/exports`,
  });
  metrics.watch({
    downloads: () => exports.downloads,
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
    const reader = new LogReader(own, config.defaultPageSize, bounds, spans);
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
  const callers = new WeakMap<object, Caller>();
  const callerOf = async (call: IncomingCall) => {
    const caller = await readCaller(call, authentication);
    callers.set(call, caller);
    chargeTo(accountOf(caller));
    return caller;
  };
  /** What GraphQL and REST have in common. */
  const shared = {
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
    onRefused: (reason: string) => metrics.refusals.inc({ reason }),
  };
  sequencer.start();
  filler.start();
  streams.start();
  months.runWithin(MONTHS_MS);

  return {
    service,
    metrics: isMeasured ? metrics : null,
    moveDatabase: (url) => database.moveTo(url),
    callerOf: (request) => callers.get(request),
    router: async (app) => {
      await app.register(edge);
      const own = [
        paths.graphql,
        paths.keys,
        `${rest}/*`,
        paths.health && `${paths.health}/*`,
        paths.metrics,
      ];
      await allowOrigins(
        app,
        config.allowedOrigins,
        own.filter((path) => path !== false),
      );
      await app.register(health, {
        metrics: isMeasured ? metrics : null,
        metricsPath: paths.metrics === false || config.metricsPort !== null ? null : paths.metrics,
        path: paths.health === false ? null : paths.health,
        unready: () => database.unready(),
        silentNodes: () => sequencer.silentNodes,
      });
      if (paths.keys !== false) await app.register(reelKeys, { keys: seal.keys, path: paths.keys });
      if (paths.graphql !== false)
        await app.register(graphqlRoutes, {
          path: paths.graphql,
          report: (error, requestId) => {
            const errorId = randomUUID();
            log.error({ err: error, errorId, requestId }, 'an entry could not be stored');
            return errorId;
          },
          ...shared,
          seal: seal.prover,
          actions,
          streams: streams.service,
          views: new ViewService(database, service, () => sequencer.wake()),
          parseJson,
          onSubscriptions: (subscriptions) => metrics.watch({ subscriptions: () => subscriptions.length }),
          tail: trail,
          readCaller: callerOf,
        });
      await app.register(restRoutes, {
        prefix: rest,
        isForDownloads: paths.rest === false,
        ...shared,
        readCaller: (request) => callerOf(request.raw),
        readConnection: (request) => readConnection(request.raw, authentication.trusts),
      });
    },
    close: async () => {
      unwatch();
      await streams.close();
      await writer.close();
      await sequencer.stop();
      await filler.stop();
      await months.stop();
      await seal.close();
      await database.close();
    },
  };
}
