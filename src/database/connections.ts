import type { Pool, PoolClient } from 'pg';
import { answerWithin, cut, cutError } from './answer-within.js';
import { databaseFault } from './unavailable.js';

/** How long an established connection may take to begin a transaction, which waits for no lock, before it counts as dead. */
const BEGIN_MS = 4_000;
/** For so long after its last answer a connection counts as alive. */
const FRESH_MS = 250;
/** For all attempts to begin one. */
const ALL_MS = 9_000;

/** The connections of pools: hands out those that are alive, and ends them all at once where the database is gone. */
export class Connections {
  /** When each connection was made, in times of renew(). */
  private readonly madeIn = new Map<PoolClient, number>();
  /** When each was given back. */
  private readonly usedAt = new WeakMap<PoolClient, number>();
  private readonly waiting = new Set<(error: Error) => void>();
  private renewals = 0;

  constructor(pools: Iterable<Pool>) {
    for (const pool of new Set(pools)) {
      pool.on('acquire', (client) => {
        if (this.madeIn.has(client)) return;
        this.madeIn.set(client, this.renewals);
        // A connection that breaks says so to the statement under way, or to the next one.
        client.on('error', () => {});
      });
      pool.on('remove', (client) => this.madeIn.delete(client));
    }
  }

  /**
   * A connection of the pool on which `open` has begun a transaction; to be given back. One that turns out to be dead is
   * replaced, since nothing was done on it yet.
   */
  async begin(pool: Pool, open: (client: PoolClient) => Promise<void>): Promise<PoolClient> {
    const deadline = performance.now() + ALL_MS;
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.connect(pool);
      const left = deadline - performance.now();
      try {
        await answerWithin(client, Math.min(BEGIN_MS, Math.max(left, 1)), open(client));
        return client;
      } catch (error) {
        this.giveBack(client, error);
        if (attempt === 2 || left < BEGIN_MS || !databaseFault(error)?.isConnectionLost) throw error;
        this.renew();
      }
    }
  }

  /**
   * A connection of the pool without a transaction; to be given back. `begun` is to be called at its first answer: one that
   * was idle for a while and gives none counts as dead. Null for one that has just answered.
   */
  async take(pool: Pool): Promise<{ client: PoolClient; begun: (() => void) | null }> {
    const client = await this.connect(pool);
    if (performance.now() - (this.usedAt.get(client) ?? 0) < FRESH_MS) return { client, begun: null };
    const begun = Promise.withResolvers<void>();
    answerWithin(client, BEGIN_MS, begun.promise).catch(() => {});
    return { client, begun: begun.resolve };
  }

  /** A connection of the pool that has just answered; null where there is none. To be given back. */
  async takeFresh(pool: Pool): Promise<PoolClient | null> {
    // A new one would not have answered anything.
    if (pool.idleCount === 0 && pool.totalCount < pool.options.max) return null;
    const client = await this.connect(pool);
    if (performance.now() - (this.usedAt.get(client) ?? 0) < FRESH_MS) return client;
    client.release();
    return null;
  }

  /** `error`: the connection cannot be used again. */
  giveBack(client: PoolClient, error: unknown): void {
    if (error instanceof Error) cut(client, 'not usable any more');
    else this.usedAt.set(client, performance.now());
    client.release(error instanceof Error ? error : undefined);
  }

  /** Connections made before now are not handed out again. */
  renew(): void {
    this.renewals += 1;
  }

  /** What waits on a connection, or for one, is rejected. */
  cutAll(reason: string): void {
    this.renew();
    for (const client of [...this.madeIn.keys()]) cut(client, reason);
    for (const refuse of this.waiting) refuse(cutError(reason));
    this.waiting.clear();
  }

  private async connect(pool: Pool): Promise<PoolClient> {
    for (;;) {
      const client = await this.nextOf(pool);
      if (this.madeIn.get(client) === this.renewals) return client;
      this.giveBack(client, new Error('made before the last renewal'));
    }
  }

  private nextOf(pool: Pool): Promise<PoolClient> {
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      pool.connect().then(
        (client) => {
          if (this.waiting.delete(reject)) resolve(client);
          else this.giveBack(client, null);
        },
        (error: Error) => {
          this.waiting.delete(reject);
          reject(error);
        },
      );
    });
  }
}
