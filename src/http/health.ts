import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * What Reel counts about itself, in a registry of its own. Labels are route patterns, methods, statuses, and ids and kinds of
 * streams only: no tenant, person or secret ever stands in one.
 */
export interface Metrics {
  registry: Registry;
  /** Seconds from the arrival of a request to the end of its response. */
  requestSeconds: Histogram<'method' | 'route' | 'status'>;
  /** Entries stored. */
  entriesWritten: Counter;
  /** Entries of each batch that was committed; its count is the number of batches. */
  batchEntries: Histogram;
  /** Entries given their place in a tenant's order. */
  entriesSequenced: Counter;
  /** Entries that receivers of streams took, by kind. */
  entriesDelivered: Counter<'kind'>;
  /** Names where to read what is looked up at each scrape, beside what was named before; what is not named shows 0. */
  watch(sources: MetricSources): void;
}

export interface MetricSources {
  /** Entries waiting to be written, or being written. */
  writeQueueLength?: () => number;
  /** What waits for its turn on this server, by kind. */
  waiting?: () => Record<WaitingKind, number>;
  /** Open subscriptions. */
  subscriptions?: () => number;
  /** How long the oldest committed entry has been waiting for its place; 0 where none waits. */
  sequencerLagSeconds?: () => number | Promise<number>;
  /** Sealed entries that are not in the search index yet. */
  searchBehind?: () => number;
  /** Nodes of a cluster that do not answer. */
  silentNodes?: () => number;
  /** Streams that are to deliver. */
  streams?: () => Promise<readonly MeasuredStream[]>;
}

/** How far a stream is behind; `error`: a status or a word of few. */
export interface MeasuredStream {
  readonly stream: string;
  readonly kind: string;
  readonly entries: number;
  readonly seconds: number;
  readonly isFailing: boolean;
  readonly error: string | null;
}

/** Reads that wait for a connection, reads for followers, downloads of exports, exports being prepared that wait for sealing, and tenants with entries to seal. */
export const WAITING_KINDS = ['reads', 'tails', 'exports', 'catch_ups', 'tenants_to_seal'] as const;
export type WaitingKind = (typeof WAITING_KINDS)[number];

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_ENTRIES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  let sources: MetricSources = {};
  new Gauge({
    name: 'reel_write_queue_entries',
    help: 'Entries waiting to be written, or being written.',
    registers,
    collect() {
      this.set(sources.writeQueueLength?.() ?? 0);
    },
  });
  new Gauge({
    name: 'reel_waiting',
    help: 'What waits for its turn on this server, by kind.',
    labelNames: ['kind'],
    registers,
    collect() {
      const waiting = sources.waiting?.();
      for (const kind of WAITING_KINDS) this.set({ kind }, waiting?.[kind] ?? 0);
    },
  });
  new Gauge({
    name: 'reel_subscriptions',
    help: 'Open subscriptions, over websockets and as event streams.',
    registers,
    collect() {
      this.set(sources.subscriptions?.() ?? 0);
    },
  });
  new Gauge({
    name: 'reel_sequencer_lag_seconds',
    help: 'How long the oldest committed entry has been waiting to be sealed.',
    registers,
    async collect() {
      this.set((await sources.sequencerLagSeconds?.()) ?? 0);
    },
  });
  new Gauge({
    name: 'reel_search_index_behind_entries',
    help: 'Sealed entries that this server knows not to be in the search index yet; searches look at them one by one.',
    registers,
    collect() {
      this.set(sources.searchBehind?.() ?? 0);
    },
  });
  watchStreams(registers, async () => (await sources.streams?.().catch(() => [])) ?? []);
  new Gauge({
    name: 'reel_silent_nodes',
    help: 'Nodes of a Citus cluster that did not answer when they were asked last; entries of their tenants are not sealed.',
    registers,
    collect() {
      this.set(sources.silentNodes?.() ?? 0);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since 1970.',
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time used by the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  return {
    registry,
    requestSeconds: new Histogram({
      name: 'reel_http_request_seconds',
      help: 'Seconds from the arrival of a request to the end of its response.',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    entriesWritten: new Counter({ name: 'reel_entries_written_total', help: 'Entries stored.', registers }),
    batchEntries: new Histogram({
      name: 'reel_write_batch_entries',
      help: 'Entries per committed batch.',
      buckets: BATCH_ENTRIES,
      registers,
    }),
    entriesSequenced: new Counter({
      name: 'reel_entries_sequenced_total',
      help: 'Entries sealed.',
      registers,
    }),
    entriesDelivered: new Counter({
      name: 'reel_stream_entries_total',
      help: 'Entries that receivers of streams took.',
      labelNames: ['kind'],
      registers,
    }),
    watch: (given) => {
      sources = { ...sources, ...given };
    },
  };
}

/** Three gauges of what is looked up once for each scrape. */
function watchStreams(registers: Registry[], look: () => Promise<readonly MeasuredStream[]>): void {
  let looking: Promise<readonly MeasuredStream[]> | null = null;
  const streams = () => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };
  new Gauge({
    name: 'reel_stream_lag_entries',
    help: 'Sealed entries that a stream has not delivered.',
    labelNames: ['stream', 'kind'],
    registers,
    async collect() {
      const found = await streams();
      this.reset();
      for (const { stream, kind, entries } of found) this.set({ stream, kind }, entries);
    },
  });
  new Gauge({
    name: 'reel_stream_lag_seconds',
    help: 'How long ago the first sealed entry was stored that a stream has not delivered.',
    labelNames: ['stream', 'kind'],
    registers,
    async collect() {
      const found = await streams();
      this.reset();
      for (const { stream, kind, seconds } of found) this.set({ stream, kind }, seconds);
    },
  });
  new Gauge({
    name: 'reel_stream_error',
    help: '1 where the last batch of a stream was not taken, with what came back; 2 where the stream is failing.',
    labelNames: ['stream', 'kind', 'error'],
    registers,
    async collect() {
      const found = await streams();
      this.reset();
      for (const { stream, kind, error, isFailing } of found)
        if (error !== null) this.set({ stream, kind, error }, isFailing ? 2 : 1);
    },
  });
}

export interface HealthOptions {
  /** Why no call should be sent here, in a word; null where there is no reason. A rejection is a reason too. */
  unready: () => Promise<string | null>;
  /** Nodes of a cluster that do not answer: calls for other tenants are answered all the same. */
  silentNodes?: () => number;
  /** Null: /metrics does not answer, and requests are not timed. */
  metrics: Metrics | null;
  /** Whether they are served here. */
  hasRoute?: boolean;
}

/**
 * /health/live, /health/ready (503 until ready) and, with metrics, /metrics. Times the requests of the routes that are
 * registered after it in the same context or within.
 */
export const health = fp(
  async (app: FastifyInstance, options: HealthOptions) => {
    const { unready, metrics, hasRoute = true, silentNodes = () => 0 } = options;
    if (metrics) timeRequests(app, metrics);
    app.get('/health/live', async (_request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return { status: 'ok' };
    });
    app.get('/health/ready', async (_request, reply) => {
      const reason = await unready().catch(() => 'database');
      reply.code(reason === null ? 200 : 503).header('Cache-Control', 'no-store');
      if (reason !== null) return { status: 'unavailable', reason };
      return silentNodes() > 0 ? { status: 'ok', silent_nodes: silentNodes() } : { status: 'ok' };
    });
    if (metrics && hasRoute) serveMetrics(app, metrics);
  },
  { name: 'reel-health' },
);

export function serveMetrics(app: FastifyInstance, { registry }: Metrics): void {
  app.get('/metrics', async (_request, reply) => {
    reply.header('Cache-Control', 'no-store').type(registry.contentType);
    return registry.metrics();
  });
}

function timeRequests(app: FastifyInstance, { requestSeconds }: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    requestSeconds.observe(
      { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode },
      reply.elapsedTime / 1000,
    );
  });
}
