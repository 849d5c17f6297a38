import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { measureProcess } from './process-metrics.js';

/**
 * What Reel counts about itself, in a registry of its own. Labels are route patterns, methods, statuses, ids and kinds of
 * streams, and modules that registered actions only: no tenant, person or secret ever stands in one.
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
  /** Seconds that each batch took to be committed. */
  batchSeconds: Histogram;
  /** Batches that were sealed: each extends a tenant's log by a signed checkpoint. */
  checkpoints: Counter;
  /** Entries whose action or data (`what`) is not as their module registered it, stored or refused as REEL_ACTIONS says. */
  entriesNotAsRegistered: Counter<'module' | 'what'>;
  /** Calls, or parts of them, that were refused, by the code in lower case, or `http_` and the status where it has none. */
  refusals: Counter<'reason'>;
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
  /** Exports that are being downloaded. */
  downloads?: () => number;
  /** The database's connections that this server has, by pool. */
  pools?: () => readonly MeasuredPool[];
  /** Why no call should be sent here; null where there is no reason. */
  unready?: () => Promise<string | null>;
  /** Seconds that this machine's clock is ahead of the database's, or negative, past what is tolerated. */
  clockApartSeconds?: () => number;
  /** When this server signed its newest checkpoint, in seconds since 1970; null before the first. */
  lastCheckpointAt?: () => number | null;
  /** Null where there is no witness. */
  witness?: () => MeasuredWitness | null;
  /** How long the oldest committed entry has been waiting for its place; 0 where none waits. */
  sequencerLagSeconds?: () => number | Promise<number>;
  /** Sealed entries that are not in the search index yet. */
  searchBehind?: () => number;
  /** Nodes of a cluster that do not answer. */
  silentNodes?: () => number;
  /** Streams that are to deliver. */
  streams?: () => Promise<readonly MeasuredStream[]>;
}

/** A pool of connections; `waiting`: for one of them. */
export interface MeasuredPool {
  readonly pool: string;
  readonly busy: number;
  readonly idle: number;
  readonly waiting: number;
  readonly most: number;
}

/** Times are in seconds since 1970. */
export interface MeasuredWitness {
  /** Tenants whose newest checkpoint it has not accepted yet. */
  readonly waiting: number;
  /** How long the oldest of these waits. */
  readonly waitingSeconds: number;
  /** Null before the first. */
  readonly lastAcceptedAt: number | null;
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
const BATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];
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
  watchDatabase(registers, () => sources);
  watchSealing(registers, () => sources);
  new Gauge({
    name: 'reel_export_downloads',
    help: 'Exports that are being downloaded.',
    registers,
    collect() {
      this.set(sources.downloads?.() ?? 0);
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
  measureProcess(registry);
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
    batchSeconds: new Histogram({
      name: 'reel_write_batch_seconds',
      help: 'Seconds that it took to commit a batch.',
      buckets: BATCH_SECONDS,
      registers,
    }),
    checkpoints: new Counter({
      name: 'reel_checkpoints_total',
      help: 'Checkpoints that this server signed.',
      registers,
    }),
    refusals: new Counter({
      name: 'reel_refusals_total',
      help: 'Calls, or parts of them, that were refused, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    entriesNotAsRegistered: new Counter({
      name: 'reel_entries_not_as_registered_total',
      help: 'Entries whose action or data is not as their module registered it, by module and by what is not.',
      labelNames: ['module', 'what'],
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

function watchDatabase(registers: Registry[], sources: () => MetricSources): void {
  new Gauge({
    name: 'reel_database_connections',
    help: "This server's connections to the database, by pool and state.",
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const { pool, busy, idle } of sources().pools?.() ?? []) {
        this.set({ pool, state: 'busy' }, busy);
        this.set({ pool, state: 'idle' }, idle);
      }
    },
  });
  new Gauge({
    name: 'reel_database_connections_max',
    help: 'The most connections that a pool may have.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const { pool, most } of sources().pools?.() ?? []) this.set({ pool }, most);
    },
  });
  new Gauge({
    name: 'reel_database_connections_waiting',
    help: 'Statements that wait for a connection of a pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const { pool, waiting } of sources().pools?.() ?? []) this.set({ pool }, waiting);
    },
  });
  new Gauge({
    name: 'reel_ready',
    help: '1 where /health/ready would answer 200, else 0.',
    registers,
    async collect() {
      const reason = await sources()
        .unready?.()
        .catch(() => 'database');
      this.set(reason === null ? 1 : 0);
    },
  });
  new Gauge({
    name: 'reel_clock_offset_seconds',
    help: "How far this machine's clock is ahead of the database's, negative where it is behind; 0 within the tolerance of 5.",
    registers,
    collect() {
      this.set(sources().clockApartSeconds?.() ?? 0);
    },
  });
}

/** Of what was not seen yet no time is answered. */
function watchSealing(registers: Registry[], sources: () => MetricSources): void {
  new Gauge({
    name: 'reel_last_checkpoint_timestamp_seconds',
    help: 'When this server signed its newest checkpoint, in seconds since 1970.',
    registers,
    collect() {
      const at = sources().lastCheckpointAt?.() ?? null;
      this.reset();
      if (at === null) this.remove();
      else this.set(at);
    },
  });
  new Gauge({
    name: 'reel_witness_waiting_checkpoints',
    help: 'Tenants whose newest checkpoint of this server the witness has not accepted yet.',
    registers,
    collect() {
      this.set(sources().witness?.()?.waiting ?? 0);
    },
  });
  new Gauge({
    name: 'reel_witness_lag_seconds',
    help: 'How long the oldest checkpoint has been waiting that the witness has not accepted.',
    registers,
    collect() {
      this.set(sources().witness?.()?.waitingSeconds ?? 0);
    },
  });
  new Gauge({
    name: 'reel_witness_last_accepted_timestamp_seconds',
    help: 'When the witness accepted a checkpoint last, in seconds since 1970.',
    registers,
    collect() {
      const at = sources().witness?.()?.lastAcceptedAt ?? null;
      this.reset();
      if (at === null) this.remove();
      else this.set(at);
    },
  });
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
