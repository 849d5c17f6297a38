import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { ReadDatabase } from '../../database/database.js';
import { Turns } from '../../database/turns.js';
import { overloaded } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { Criteria } from '../filter/criteria.js';
import type { LogReader } from './reader.js';

/** Entries per read; a slow follower holds no more than this. */
const BATCH = 200;
/** How often followed tenants' last sequences are read, for entries that another server sequenced. */
const POLL_MS = 500;
/** Minimum interval between wake-ups, so that many followers of a busy trail share few reads. */
const WAKE_INTERVAL_MS = 100;
/** On a quiet trail, how often to check whether a follower may still follow. */
const CHECK_MS = 5_000;
/** Concurrent reads, and those for one tenant; the other connections are left for requests. */
const [READS, READS_OF_A_TENANT] = [4, 2];
/** Entries cached for followers who need what another has just read. */
const CACHED_ENTRIES = 2_000;
const CACHE_MS = 2_000;

/** What the followers of one tenant share. */
interface FollowedTenant {
  /** The last sequence that followers may read. */
  last: number;
  /** The last sequence known to be sealed; followers are woken for it once `cooldown` is over. */
  sealed: number;
  cooldown: NodeJS.Timeout | null;
  followers: number;
  /** Wake followers that wait for more. */
  waiting: Set<() => void>;
  /** Whether its last sequence is being read. */
  isPolled: boolean;
}

/**
 * Follows tenants' trails in sealed order. A wake-up carries no entries: followers read them from the database by sequence,
 * so none is lost or repeated, however slow the follower or unreliable the connection. Followers with the same criteria at
 * the same sequence share one read.
 */
export class Tail {
  private readonly tenants = new Map<string, FollowedTenant>();
  private readonly reading = new Map<string, Promise<LogEntry[]>>();
  private readonly cache = new LRUCache<string, LogEntry[]>({
    maxSize: CACHED_ENTRIES,
    sizeCalculation: (entries) => 1 + entries.length,
    ttl: CACHE_MS,
    ttlAutopurge: true,
  });
  /** As many as there are followers may wait, who are counted where they subscribe. */
  private readonly turns = new Turns(
    { atOnce: READS, atOncePerKey: READS_OF_A_TENANT, waitingPerKey: Number.POSITIVE_INFINITY },
    overloaded,
  );
  private isPolling = false;

  constructor(
    private readonly database: ReadDatabase,
    private readonly reader: LogReader,
  ) {}

  /** Reads for followers that wait for their turn. */
  get waiting(): number {
    return this.turns.waiting;
  }

  /** To be called when a tenant's entries up to a sequence are sealed. */
  advance(tenantId: string, last: number): void {
    const tenant = this.tenants.get(tenantId);
    if (!tenant || last <= tenant.sealed) return;
    tenant.sealed = last;
    if (tenant.cooldown === null) wakeFollowers(tenant);
  }

  /**
   * Yields batches of matching entries after a sequence, or from now on if it is null, without end: in order, each once.
   * Entries are shared with other followers and must not be changed. Ends when the signal aborts. `check` is called before
   * every batch, after the batch's end was chosen, and at least every 5 s; an error of it ends the tail.
   */
  async *follow(
    criteria: Criteria,
    after: number | null | undefined,
    signal: AbortSignal,
    check: () => Promise<void> = async () => {},
  ): AsyncGenerator<readonly LogEntry[]> {
    const { tenantId } = criteria.scope;
    const tenant = await this.join(tenantId);
    const key = JSON.stringify(criteria);
    try {
      let last = after ?? (await this.lastSequence(tenantId));
      while (!signal.aborted) {
        // Before the check: a follower must not see what is sealed after a grant was revoked.
        const until = Math.min(last + BATCH, tenant.last);
        await check();
        if (until <= last) {
          if (tenant.last <= last) await this.waitForMore(tenant, signal);
          continue;
        }
        const entries = await this.readShared(key, last, until, () => this.read(criteria, last, until));
        if (signal.aborted) return;
        if (entries.length > 0) yield entries;
        last = until;
      }
    } finally {
      this.leave(tenantId, tenant);
    }
  }

  /** Reads a batch once for all followers with the same criteria. */
  private readShared(
    key: string,
    after: number,
    until: number,
    read: () => Promise<LogEntry[]>,
  ): LogEntry[] | Promise<LogEntry[]> {
    const name = `${after} ${until} ${key}`;
    const present = this.cache.get(name) ?? this.reading.get(name);
    if (present) return present;
    const reading = read()
      .then((entries) => {
        this.cache.set(name, entries);
        return entries;
      })
      .finally(() => this.reading.delete(name));
    this.reading.set(name, reading);
    return reading;
  }

  private read(criteria: Criteria, after: number, until: number): Promise<LogEntry[]> {
    return this.turns.run(criteria.scope.tenantId, async () => {
      const entries: LogEntry[] = [];
      for await (const batch of this.reader.streamSequenced(criteria, until, BATCH, after))
        entries.push(...batch);
      return entries;
    });
  }

  private async join(tenantId: string): Promise<FollowedTenant> {
    const last = await this.lastSequence(tenantId);
    let tenant = this.tenants.get(tenantId);
    if (!tenant) {
      const none = { cooldown: null, followers: 0, waiting: new Set<() => void>(), isPolled: false };
      tenant = { last, sealed: last, ...none };
      this.tenants.set(tenantId, tenant);
    }
    tenant.followers += 1;
    this.advance(tenantId, last);
    void this.poll();
    return tenant;
  }

  /**
   * Looks at one followed tenant after another while there is any, so that however many there are take few connections;
   * one whose reads wait for their turn holds up the others for as long as a poll.
   */
  private async poll(): Promise<void> {
    if (this.isPolling) return;
    this.isPolling = true;
    while (this.tenants.size > 0) {
      await delay(POLL_MS, undefined, { ref: false });
      for (const [tenantId, tenant] of [...this.tenants])
        if (!tenant.isPolled && this.tenants.get(tenantId) === tenant)
          await Promise.race([this.pollTenant(tenantId, tenant), delay(POLL_MS, undefined, { ref: false })]);
    }
    this.isPolling = false;
  }

  private async pollTenant(tenantId: string, tenant: FollowedTenant): Promise<void> {
    tenant.isPolled = true;
    try {
      this.advance(tenantId, await this.lastSequence(tenantId));
    } catch {
      // The database is unavailable: followers wait for a later poll.
    } finally {
      tenant.isPolled = false;
    }
  }

  private leave(tenantId: string, tenant: FollowedTenant): void {
    tenant.followers -= 1;
    if (tenant.followers > 0) return;
    clearTimeout(tenant.cooldown ?? undefined);
    this.tenants.delete(tenantId);
  }

  /** Resolves when there may be more to read, the signal aborts, or CHECK_MS have passed. */
  private waitForMore(tenant: FollowedTenant, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        tenant.waiting.delete(wake);
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, CHECK_MS);
      tenant.waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  private async lastSequence(tenantId: string): Promise<number> {
    const [row] = await this.database.read(
      tenantId,
      (execute) =>
        execute<{ last: string }>(sql`
          select seq as last from reel_log_sequence where tenant_id = ${tenantId}::uuid order by seq desc limit 1`),
      { inIndexOrder: true, isBounded: true },
    );
    return Number(row?.last ?? 0);
  }
}

/** Wakes the tenant's followers, and again after the interval if more was sealed meanwhile. */
function wakeFollowers(tenant: FollowedTenant): void {
  tenant.last = tenant.sealed;
  tenant.cooldown = setTimeout(() => {
    tenant.cooldown = null;
    if (tenant.sealed > tenant.last) wakeFollowers(tenant);
  }, WAKE_INTERVAL_MS);
  for (const wake of [...tenant.waiting]) wake();
}
