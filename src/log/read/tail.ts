import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import { type Call, during } from '../../database/call.js';
import type { ReadDatabase } from '../../database/database.js';
import { Turns } from '../../database/turns.js';
import { overloaded, unavailable } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { Criteria } from '../filter/criteria.js';
import { SequencedReader, type Stretch } from './sequenced.js';

/** Entries per read, and bytes of theirs; a slow follower holds no more than this. */
const BATCH = 200;
const BATCH_BYTES = 1_048_576;
/** How often followed tenants' last sequences are read, for entries that another server sequenced. */
const POLL_MS = 500;
/** Minimum interval between wake-ups, so that many followers of a busy trail share few reads. */
const WAKE_INTERVAL_MS = 100;
/** On a quiet trail, how often to check whether a follower may still follow. */
const CHECK_MS = 5_000;
/** Concurrent reads, and those for one tenant; the other connections are left for requests. */
const [READS, READS_OF_A_TENANT] = [4, 2];
/** Bytes of entries cached for followers who need what another has just read. */
const CACHED_BYTES = 8 * 1_048_576;
/** What an entry takes besides its row. */
const ENTRY_BYTES = 1_024;
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

/** A read for all followers that wait for it. */
interface SharedRead {
  readonly stretch: Promise<Stretch>;
  readonly stop: AbortController;
  followers: number;
}

const sizes = new WeakMap<object, number>();

/** Approximate bytes in memory of a batch that a tail has yielded. */
export const sizeOf = (entries: object): number => sizes.get(entries) ?? 0;

/**
 * Follows tenants' trails in sealed order. A wake-up carries no entries: followers read them from the database by sequence,
 * so none is lost or repeated, however slow the follower or unreliable the connection. Followers with the same criteria at
 * the same sequence share one read.
 */
export class Tail {
  private readonly tenants = new Map<string, FollowedTenant>();
  private readonly reading = new Map<string, SharedRead>();
  private readonly cache = new LRUCache<string, Stretch>({
    maxSize: CACHED_BYTES,
    sizeCalculation: ({ entries, bytes }) => ENTRY_BYTES * (1 + entries.length) + bytes,
    ttl: CACHE_MS,
    ttlAutopurge: true,
  });
  /** As many as there are followers may wait, who are counted where they subscribe. */
  private readonly turns = new Turns(
    { atOnce: READS, atOncePerKey: READS_OF_A_TENANT, waitingPerKey: Number.POSITIVE_INFINITY },
    overloaded,
  );
  private isPolling = false;

  constructor(private readonly database: ReadDatabase) {}

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
    const tenant = await this.join(tenantId, signal);
    const key = JSON.stringify(criteria);
    try {
      let last = after ?? (await this.lastSequence(tenantId, signal));
      while (!signal.aborted) {
        // Before the check: a follower must not see what is sealed after a grant was revoked.
        const until = Math.min(last + BATCH, tenant.last);
        await check();
        if (until <= last) {
          if (tenant.last <= last) await this.waitForMore(tenant, signal);
          continue;
        }
        const stretch = await this.readShared(key, criteria, last, until, signal);
        if (signal.aborted) return;
        if (stretch.entries.length > 0) yield stretch.entries;
        last = stretch.until;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.leave(tenantId, tenant);
    }
  }

  /** Reads a batch once for all followers with the same criteria; no longer than one of them waits for it. */
  private async readShared(
    key: string,
    criteria: Criteria,
    after: number,
    until: number,
    signal: AbortSignal,
  ): Promise<Stretch> {
    const name = `${after} ${until} ${key}`;
    const cached = this.cache.get(name);
    if (cached) return cached;
    const shared = this.reading.get(name) ?? this.startReading(name, criteria, after, until);
    shared.followers += 1;
    const leave = () => {
      shared.followers -= 1;
      if (shared.followers > 0) return;
      if (this.reading.get(name) === shared) this.reading.delete(name);
      shared.stop.abort(unavailable('Nobody follows any more'));
    };
    signal.addEventListener('abort', leave);
    try {
      return await shared.stretch;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private startReading(name: string, criteria: Criteria, after: number, until: number): SharedRead {
    const stop = new AbortController();
    const stretch = this.read(criteria, after, until, stop.signal)
      .then((read) => {
        this.cache.set(name, read);
        return read;
      })
      .finally(() => {
        if (this.reading.get(name) === shared) this.reading.delete(name);
      });
    const shared: SharedRead = { stretch, stop, followers: 0 };
    this.reading.set(name, shared);
    return shared;
  }

  private read(criteria: Criteria, after: number, until: number, signal: AbortSignal): Promise<Stretch> {
    return this.turns.run(
      criteria.scope.tenantId,
      async () => {
        const database = during(this.database, callOf(signal));
        const reader = new SequencedReader(database, criteria, BATCH, { bytes: BATCH_BYTES });
        const stretch = await reader.next(after, until);
        sizes.set(stretch.entries, 3 * stretch.bytes + ENTRY_BYTES * stretch.entries.length);
        return stretch;
      },
      { signal },
    );
  }

  private async join(tenantId: string, signal: AbortSignal): Promise<FollowedTenant> {
    const last = await this.lastSequence(tenantId, signal);
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

  private async lastSequence(tenantId: string, signal?: AbortSignal): Promise<number> {
    const database = signal ? during(this.database, callOf(signal)) : this.database;
    const [row] = await database.read(
      tenantId,
      (execute) =>
        execute<{ last: string }>(sql`
          select seq as last from reel_log_sequence where tenant_id = ${tenantId}::uuid order by seq desc limit 1`),
      { inIndexOrder: true, isBounded: true },
    );
    return Number(row?.last ?? 0);
  }
}

/** Reads for those whose signal this is; what they hold is bounded by the batch. */
const callOf = (signal: AbortSignal): Call => ({ signal, took: () => {} });

/** Wakes the tenant's followers, and again after the interval if more was sealed meanwhile. */
function wakeFollowers(tenant: FollowedTenant): void {
  tenant.last = tenant.sealed;
  tenant.cooldown = setTimeout(() => {
    tenant.cooldown = null;
    if (tenant.sealed > tenant.last) wakeFollowers(tenant);
  }, WAKE_INTERVAL_MS);
  for (const wake of [...tenant.waiting]) wake();
}
