import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import { fillGroups } from '../log/search/groups.js';
import { Poller } from './poller.js';

/** Delay after a wake-up, so that a transaction has several groups to add. */
const GATHER_MS = 200;
/** How often tenants are looked for that others sealed entries of, or stopped filling; also after an error. */
const POLL_MS = 30_000;
const MAX_TENANTS = 1_000;
/**
 * How long batches wait for the sequencer to be idle: sealing comes first, but searches need the index. Where it is never idle,
 * as with very many tenants that write, so long is spent on batches next.
 */
const MAX_PAUSE_MS = 1_000;
const PAUSE_MS = 20;

interface Progress {
  /** The last sequence, as far as known. */
  last: number;
  /** Everything up to here is in the index. */
  filled: number;
}

/**
 * Adds sealed entries to the search index, tenant by tenant in turns, after the sequencer and giving way to it. Any number
 * of servers may do so: one at a time writes a tenant's rows, and each goes on from where the rows end.
 */
export class SearchFiller {
  private readonly poller = new Poller(
    () => this.fill(),
    POLL_MS,
    (error) => this.onFault(error),
  );
  /** Tenants with entries to add. */
  private readonly pending = new Map<string, Progress>();
  private polledAt = Number.NEGATIVE_INFINITY;
  /** Until when no batch gives way. */
  private worksUntil = Number.NEGATIVE_INFINITY;
  private isStopped = false;

  constructor(
    private readonly database: Pick<Database, 'seal' | 'system'>,
    private readonly isSealing: () => boolean = () => false,
    private readonly onFault: (error: unknown) => void = () => {},
  ) {}

  start(): void {
    this.poller.runWithin(0);
  }

  /** To be called when entries were sealed, `first` to `last`. */
  wake({ tenantId, first, last }: { tenantId: string; first: number; last: number }): void {
    const { filled = first - 1 } = this.pending.get(tenantId) ?? {};
    // A new one, so that a batch under way notices.
    this.pending.set(tenantId, { last, filled });
    this.poller.runWithin(GATHER_MS);
  }

  /** Finishes the transaction under way and starts no more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.poller.stop();
  }

  /** Sealed entries that this process knows not to be in the index yet. */
  get behind(): number {
    let sum = 0;
    for (const { last, filled } of this.pending.values()) sum += Math.max(0, last - filled);
    return sum;
  }

  private async fill(): Promise<void> {
    await this.findTenants();
    while (this.pending.size > 0 && !this.isStopped)
      for (const tenantId of [...this.pending.keys()]) {
        await this.giveWay();
        if (this.isStopped) return;
        await this.fillBatch(tenantId);
      }
  }

  private async findTenants(): Promise<void> {
    if (performance.now() - this.polledAt < POLL_MS) return;
    this.polledAt = performance.now();
    const rows = await this.database.system<{ tenant_id: string; filled: string; last: string }>(
      sql`select tenant_id, filled, last from reel_search_backlog(${MAX_TENANTS})`,
    );
    for (const { tenant_id, filled, last } of rows)
      this.pending.set(tenant_id, { last: Number(last), filled: Number(filled) });
  }

  private async giveWay(): Promise<void> {
    if (performance.now() < this.worksUntil) return;
    for (let waited = 0; this.isSealing() && !this.isStopped; waited += PAUSE_MS) {
      if (waited >= MAX_PAUSE_MS) {
        this.worksUntil = performance.now() + MAX_PAUSE_MS;
        return;
      }
      await setTimeout(PAUSE_MS);
    }
  }

  private async fillBatch(tenantId: string): Promise<void> {
    const progress = this.pending.get(tenantId);
    const added = await this.database.seal(tenantId, (execute) => fillGroups(execute, tenantId));
    const present = this.pending.get(tenantId);
    if (added !== null && present) present.filled = added.until;
    // Somebody else adds them, or erases entries: looked at again when more were sealed, or at the next poll.
    const isDone = added === null || (!added.isMore && present === progress);
    if (isDone) this.pending.delete(tenantId);
  }
}
