import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import type { Row } from '../database/execute.js';
import { Turns } from '../database/turns.js';
import { isNodeLost } from '../database/unavailable.js';
import { overloaded, ReelError } from '../errors.js';
import { onAccount } from '../time-slice.js';
import { Poller } from './poller.js';
import { BrokenLog, type SealedBatch, type Sealer } from './sealer.js';
import { FAR, sealingOrder, type Take, type WaitingLog } from './sealing-order.js';
import { BATCH_SIZE, millisecondsOf, readLogEnd, sequenceBatch } from './sequence-batch.js';
import { sequenceGroup } from './sequence-group.js';
import { SharedRuns } from './shared-runs.js';

/** Delay after a wake-up, so that several commits share a transaction. */
const GATHER_MS = 50;
/** How often the inbox is polled for entries of other processes and of callers' own transactions. */
const POLL_MS = 300;
/** In a round that takes longer, tenants that came meanwhile get their place in it. */
const REORDER_MS = 500;
/** Transactions at once: nobody with few entries waits for the end of a long one. */
const TURNS_AT_ONCE = 2;
const WOKEN = Symbol('woken');
/** Tenants that are looked at in a round. */
const MOST_TENANTS = 100_000;
/** Transactions that callers wait for at once, such as exports; the other connections are left for writing. */
const CATCH_UPS = 2;
/** How often a broken log is tried again, and reported. */
const RETRY_BROKEN_MS = 60_000;

interface WaitingRow extends Row {
  tenant_id: string;
  oldest: string;
  entries: number;
  silent_node: null;
}

interface SilentNodeRow extends Row {
  /** Which, and why. */
  silent_node: string;
}

/** A node of a cluster does not answer. */
export class SilentNode extends Error {
  override readonly name = 'SilentNode';

  constructor(node: string) {
    super(`expected every node of the cluster to answer, got nothing from ${node}; its tenants wait`);
  }
}

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
 * Tenants take turns, in the order of sealing-order.ts.
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
  /** When each tenant that still waits had its last turn, in milliseconds since the epoch. */
  private servedAt = new Map<string, number>();
  private readonly catching = new Turns(
    { atOnce: CATCH_UPS, atOncePerKey: 1, waitingPerKey: Number.POSITIVE_INFINITY },
    overloaded,
  );
  private waitingLogs: readonly WaitingLog[] = [];
  private silent: readonly string[] = [];
  /** Whether entries came since the inbox was looked at last. */
  private isWoken = false;
  private onWake = () => {};
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
    this.isWoken = true;
    this.onWake();
  }

  /** Resolves shortly after a wake-up since the inbox was looked at last. */
  private async nextWake(): Promise<typeof WOKEN> {
    if (!this.isWoken)
      await new Promise<void>((resolve) => {
        this.onWake = resolve;
      });
    await setTimeout(GATHER_MS);
    return WOKEN;
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

  /** How long the oldest entry of the inbox had been there when it was looked at last; 0 if it was empty. */
  get lagSeconds(): number {
    const oldest = this.waitingLogs.reduce((least, { oldestAt }) => Math.min(least, oldestAt), Date.now());
    return Math.max(0, Date.now() - oldest) / 1000;
  }

  /** Nodes of a cluster that did not answer when the inbox was looked at last: their tenants wait. */
  get silentNodes(): number {
    return this.silent.length;
  }

  /** Tenants that had entries in the inbox when it was looked at last. */
  get waitingTenants(): number {
    return this.waitingLogs.length;
  }

  /** Batches that callers of catchUp wait for. */
  get waitingCatchUps(): number {
    return this.catching.waiting;
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
      const entries = await this.catching.run(tenantId, () =>
        this.sequence({ tenantId, most: BATCH_SIZE }, true),
      );
      if (entries !== null && entries < BATCH_SIZE) break;
    }
    const end = await this.database.read(tenantId, (execute) => readLogEnd(execute, tenantId), {
      isBounded: true,
    });
    return end.size;
  }

  /** Turns in the order of those who wait, until none leaves anything. Errors: that of the first turn that fails, once all have ended. */
  private async sequenceInbox(): Promise<void> {
    const turns = new Set<Promise<void>>();
    const served = new Set<string>();
    const failures: unknown[] = [];
    let isMore = true;
    const start = (takes: readonly Take[]) => {
      const tenants = takes.map(({ tenantId }) => tenantId);
      for (const each of tenants) served.add(each);
      const turn = onAccount({ key: 'sealing' }, () => this.turn(takes))
        .then((hasMore) => {
          isMore ||= hasMore;
        })
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          turns.delete(turn);
          const now = Date.now();
          for (const each of tenants) {
            served.delete(each);
            this.servedAt.set(each, now);
          }
        });
      turns.add(turn);
    };
    const goesOn = () => !this.isStopped && failures.length === 0;
    while (isMore && goesOn()) {
      isMore = false;
      const reorderAt = performance.now() + REORDER_MS;
      this.isWoken = false;
      this.waitingLogs = await this.lookAtInbox();
      this.isAtWork = this.waitingLogs.length > 0;
      const waiting = this.waitingLogs.filter(({ tenantId }) => !served.has(tenantId));
      for (const takes of sealingOrder(waiting, this.servedAt)) {
        isMore ||= performance.now() > reorderAt;
        if (isMore || !goesOn()) break;
        start(takes);
        if (turns.size === TURNS_AT_ONCE) await Promise.race(turns);
      }
      while (turns.size > 0 && !isMore) isMore = (await Promise.race([...turns, this.nextWake()])) === WOKEN;
    }
    await Promise.all(turns);
    if (failures.length > 0) throw failures[0];
  }

  /** Returns whether a tenant of the turn has more for certain. */
  private async turn(takes: readonly Take[]): Promise<boolean> {
    if (takes.length > 1 && !this.database.isDistributed)
      try {
        return await this.sequenceTogether(takes);
      } catch (error) {
        if (error instanceof ReelError) throw error;
      }
    let isMore = false;
    for (const take of takes) if ((await this.sequenceOrReport(take)) === take.most) isMore = true;
    return isMore;
  }

  private async sequenceTogether(takes: readonly Take[]): Promise<boolean> {
    const { logs, broken } = await this.database.sealTogether(
      takes.map(({ tenantId }) => tenantId),
      (execute) => sequenceGroup(execute, takes, this.sealer),
    );
    for (const { take, entries, sealed } of logs) this.committed(take.tenantId, entries, sealed);
    for (const { tenantId, error } of broken) this.onBroken(tenantId, error);
    return logs.some(({ take, entries }) => entries === take.most);
  }

  private async lookAtInbox(): Promise<WaitingLog[]> {
    const rows = await this.database.ask<WaitingRow | SilentNodeRow>(
      sql`select tenant_id, oldest, entries, silent_node from reel_waiting_logs(${MOST_TENANTS}, ${FAR})`,
    );
    this.silent = rows.flatMap(({ silent_node }) => silent_node ?? []);
    for (const node of this.silent) this.onFault(new SilentNode(node));
    const waiting = rows
      .filter((row) => row.silent_node === null)
      .filter(({ tenant_id }) => (this.retryBrokenAt.get(tenant_id) ?? 0) <= performance.now())
      .map(({ tenant_id, oldest, entries }) => ({
        tenantId: tenant_id,
        oldestAt: millisecondsOf(oldest),
        entries,
      }));
    // Of those that have nothing left, what comes next came after their turn.
    const before = this.servedAt;
    this.servedAt = new Map(
      waiting.flatMap(({ tenantId }) => {
        const at = before.get(tenantId);
        return at === undefined ? [] : [[tenantId, at] as const];
      }),
    );
    return waiting;
  }

  /** Reports an error of one tenant's log, so that it does not hold up the others. */
  private async sequenceOrReport(take: Take): Promise<number | null> {
    try {
      return await this.sequence(take, false);
    } catch (error) {
      // Other tenants' rows are on other nodes; the next look at the inbox tells of it.
      if (isNodeLost(error)) return null;
      if (error instanceof ReelError) throw error;
      this.onBroken(take.tenantId, error);
      return null;
    }
  }

  private onBroken(tenantId: string, error: unknown): void {
    if (error instanceof BrokenLog) this.retryBrokenAt.set(tenantId, performance.now() + RETRY_BROKEN_MS);
    this.onFault(error);
  }

  /** Returns how many entries were sequenced; null if another sequencer holds the tenant's lock. */
  private async sequence({ tenantId, most }: Take, wait: boolean): Promise<number | null> {
    const batch = await this.database.seal(tenantId, (execute) =>
      sequenceBatch(execute, tenantId, this.sealer, { most, wait }),
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
