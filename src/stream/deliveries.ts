import { sql } from 'kysely';
import type { AdvisoryLocks } from '../database/advisory-locks.js';
import { type ErrorCode, ReelError } from '../errors.js';
import { Poller } from '../seal/poller.js';
import { onAccount } from '../time-slice.js';
import type { Delivery } from './delivery.js';
import { isDelivering, isWaiting, readStream } from './due.js';
import { Lanes } from './lanes.js';
import { readStreams, type StreamDatabase } from './store.js';

/** The database is not there, or an entry was erased or removed between its reading and its proof. */
const READ_AGAIN: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'CONFLICT']);

/** How often streams are looked for that have something to deliver: of other servers' entries, or whose time has come. */
const POLL_MS = 1_000;
/** Streams that are begun at one look. */
const MOST_DUE = 1_000;
/** Batches in memory: one of each stream that is served, and the next one while it is sent. */
const LANES = { atOnce: 16, atOncePerTenant: 4, slowAtOnce: 8, slowAtOncePerTenant: 3 };
/** After an error of the database. */
const AGAIN_MS = 1_000;

export interface DeliveriesOptions {
  readonly database: StreamDatabase;
  readonly locks: Pick<AdvisoryLocks, 'take' | 'close'>;
  readonly delivery: Delivery;
  readonly onFault: (error: unknown) => void;
}

interface Due {
  [column: string]: unknown;
  tenant_id: string;
  id: string;
}

/** A stream that is served, or waits for its turn. */
interface Served {
  /** Whether there is more since it began. */
  again: boolean;
}

/**
 * Serves the streams of all tenants, each by one of all servers at a time, which holds its lock for a turn. Nothing is kept of
 * a stream between its turns, so that any server goes on where another one ended.
 */
export class Deliveries {
  private readonly poller = new Poller(
    () => this.look(),
    POLL_MS,
    (error) => this.options.onFault(error),
  );
  private readonly lanes = new Lanes(LANES);
  private readonly served = new Map<string, Served>();
  private readonly running = new Set<Promise<void>>();
  /** Tenants that had streams when they were looked at last. */
  private readonly tenants = new Set<string>();
  private readonly stopping = new AbortController();

  constructor(private readonly options: DeliveriesOptions) {}

  start(): void {
    this.poller.runWithin(0);
  }

  /** To be called when a tenant's entries were sealed, or its streams changed. */
  wake(tenantId: string, isChanged = false): void {
    if (isChanged) this.tenants.add(tenantId);
    if (!this.tenants.has(tenantId) || this.stopping.signal.aborted) return;
    this.follow(this.wakeTenant(tenantId));
  }

  /** Breaks off what is being sent: it is sent again, the same, by whoever goes on. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the server stops'));
    await this.poller.stop();
    await Promise.all(this.running);
    await this.options.locks.close();
  }

  /** Streams that are served, or wait for their turn. */
  get length(): number {
    return this.served.size;
  }

  private async look(): Promise<void> {
    const due = await this.options.database.system<Due>(
      sql`select tenant_id, id from reel_due_streams(${MOST_DUE})`,
    );
    for (const { tenant_id, id } of due) {
      this.tenants.add(tenant_id);
      this.serve(tenant_id, id);
    }
  }

  private async wakeTenant(tenantId: string): Promise<void> {
    const streams = await this.options.database.read(tenantId, (execute) => readStreams(execute, tenantId), {
      isBounded: true,
    });
    if (streams.length === 0) this.tenants.delete(tenantId);
    for (const stream of streams)
      if (isDelivering(stream) || isWaiting(stream)) this.serve(tenantId, stream.id);
  }

  private serve(tenantId: string, streamId: string): void {
    const known = this.served.get(streamId);
    if (known) {
      known.again = true;
      return;
    }
    if (this.stopping.signal.aborted) return;
    const served: Served = { again: false };
    this.served.set(streamId, served);
    this.follow(this.serveUntilDone(tenantId, streamId, served).finally(() => this.served.delete(streamId)));
  }

  private async serveUntilDone(tenantId: string, streamId: string, served: Served): Promise<void> {
    do {
      served.again = false;
      const hasMore = await this.lanes.run(
        tenantId,
        streamId,
        (signal) => onAccount({ key: tenantId }, () => this.serveOnce(tenantId, streamId, signal)),
        this.stopping.signal,
      );
      // A turn of one that waits to be tried again would look as if its receiver answered.
      const isDue = hasMore || (served.again && (await this.isDue(tenantId, streamId, served)));
      served.again ||= isDue;
    } while (served.again && !this.stopping.signal.aborted);
  }

  /** Forgets what it was told so far, which it sees itself. */
  private async isDue(tenantId: string, streamId: string, served: Served): Promise<boolean> {
    served.again = false;
    const stream = await readStream(this.options.database, { tenantId, id: streamId });
    return stream !== null && (isDelivering(stream) || isWaiting(stream));
  }

  private async serveOnce(tenantId: string, streamId: string, ending: AbortSignal): Promise<boolean> {
    if (ending.aborted) return false;
    const lock = await this.options.locks.take(`reel stream ${streamId}`);
    if (!lock) return false;
    try {
      const signal = AbortSignal.any([lock.signal, ending]);
      return await this.options.delivery.deliver(tenantId, streamId, signal);
    } finally {
      await lock.release();
    }
  }

  /** An error of one stream is nobody else's: it is tried again at the next look. */
  private follow(work: Promise<void>): void {
    const followed = work
      .catch((error: unknown) => {
        if (this.stopping.signal.aborted) return;
        if (!(error instanceof ReelError && READ_AGAIN.has(error.code))) this.options.onFault(error);
        this.poller.runWithin(AGAIN_MS);
      })
      .finally(() => this.running.delete(followed));
    this.running.add(followed);
  }
}
