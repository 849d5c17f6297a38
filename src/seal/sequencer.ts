import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import { ReelError } from '../errors.js';
import { Poller } from './poller.js';
import { BrokenLog, type SealedBatch, type Sealer } from './sealer.js';
import { BATCH_SIZE, readLogEnd, sequenceBatch } from './sequence-batch.js';
import { SharedRuns } from './shared-runs.js';

/** Delay after a wake-up, so that several commits share a transaction. */
const GATHER_MS = 50;
/** How often the inbox is polled for entries of other processes and of callers' own transactions. */
const POLL_MS = 300;
/** How often a broken log is tried again, and reported. */
const RETRY_BROKEN_MS = 60_000;

/** A batch of entries was sealed. */
export interface Sealed {
  tenantId: string;
  /** Sequences that were assigned, both inclusive. */
  first: number;
  last: number;
  /** The signed note of the log up to `last`. */
  note: string;
}

/**
 * Takes committed entries from the inbox, gives each tenant's the sequences 1, 2, 3… without gaps, and seals them. An entry
 * is in the inbox exactly from when it became visible, so no sequence is ever reserved for one that is still to come.
 */
export class Sequencer {
  private readonly poller = new Poller(
    () => this.sequenceInbox().finally(() => (this.isAtWork = false)),
    POLL_MS,
    (error) => this.onFault(error),
  );
  private readonly catchUps = new SharedRuns((tenantId) => this.sequenceTenant(tenantId));
  /** Tenants whose log is broken, and when each is tried again, in milliseconds of performance.now(). */
  private readonly retryBrokenAt = new Map<string, number>();
  private lag = 0;
  private isAtWork = false;
  private isStopped = false;

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly onSealed: (sealed: Sealed) => void = () => {},
    private readonly onFault: (error: unknown) => void = () => {},
  ) {}

  start(): void {
    this.poller.runWithin(0);
  }

  /** To be called after a commit: its entries are sequenced shortly after. */
  wake(): void {
    this.poller.runWithin(GATHER_MS);
  }

  /** Finishes the transaction under way and starts no more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.poller.stop();
  }

  /** Whether entries of the inbox are being sealed. */
  get isSealing(): boolean {
    return this.isAtWork;
  }

  /** How long the oldest entry of the last batch was in the inbox; 0 if the inbox is empty. */
  get lagSeconds(): number {
    return this.lag;
  }

  /**
   * Resolves when every entry of the tenant that was visible at the call is sequenced; to the last sequence. Concurrent
   * calls share a run: each run holds a connection while it waits for the tenant's lock.
   */
  catchUp(tenantId: string): Promise<number> {
    return this.catchUps.run(tenantId);
  }

  private async sequenceTenant(tenantId: string): Promise<number> {
    for (;;) {
      const entries = await this.sequence(tenantId, true);
      if (entries !== null && entries < BATCH_SIZE) break;
    }
    return (await this.database.read(tenantId, (execute) => readLogEnd(execute, tenantId))).size;
  }

  /** Every tenant with entries in the inbox, a batch each in turn, until none has a full batch left. */
  private async sequenceInbox(): Promise<void> {
    let tenants = await this.tenantsInInbox();
    if (tenants.length === 0) this.lag = 0;
    this.isAtWork = tenants.length > 0;
    while (tenants.length > 0 && !this.isStopped) {
      const unfinished: string[] = [];
      for (const tenantId of tenants) {
        if (this.isStopped) return;
        if ((this.retryBrokenAt.get(tenantId) ?? 0) > performance.now()) continue;
        if ((await this.sequenceOrReport(tenantId)) === BATCH_SIZE) unfinished.push(tenantId);
      }
      tenants = unfinished;
    }
  }

  private async tenantsInInbox(): Promise<string[]> {
    const rows = await this.database.system<{ tenant_id: string }>(
      sql`select tenant_id from reel_waiting_tenants(1000) tenant_id`,
    );
    return rows.map((row) => row.tenant_id);
  }

  /** Reports an error of one tenant's log, so that it does not hold up the others. */
  private async sequenceOrReport(tenantId: string): Promise<number | null> {
    try {
      return await this.sequence(tenantId, false);
    } catch (error) {
      if (error instanceof ReelError) throw error;
      if (error instanceof BrokenLog) this.retryBrokenAt.set(tenantId, performance.now() + RETRY_BROKEN_MS);
      this.onFault(error);
      return null;
    }
  }

  /** Returns how many entries were sequenced; null if another sequencer holds the tenant's lock. */
  private async sequence(tenantId: string, wait: boolean): Promise<number | null> {
    const onLag = (seconds: number) => {
      this.lag = seconds;
    };
    const batch = await this.database.seal(tenantId, (execute) =>
      sequenceBatch(execute, tenantId, this.sealer, { wait, onLag }),
    );
    if (batch?.sealed) this.committed(tenantId, batch.entries, batch.sealed);
    return batch?.entries ?? null;
  }

  private committed(tenantId: string, entries: number, { checkpoint, afterCommit }: SealedBatch): void {
    afterCommit();
    const last = checkpoint.treeSize;
    this.onSealed({ tenantId, first: last - entries + 1, last, note: checkpoint.note });
  }
}
