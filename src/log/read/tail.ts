import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { ReadDatabase } from '../../database/database.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { Criteria } from '../filter/criteria.js';
import type { LogReader } from './reader.js';

/** Entries per read; a slow follower holds no more than this. */
const BATCH = 200;
/** How often a followed tenant's last sequence is read, for entries that another server sequenced. */
const POLL_MS = 500;
/** Minimum interval between wake-ups, so that many followers of a busy trail share few reads. */
const WAKE_INTERVAL_MS = 100;
/** On a quiet trail, how often to check whether a follower may still follow. */
const CHECK_MS = 5_000;
/** Concurrent reads; the other connections are left for requests. */
const MAX_READS = 4;
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
  poll: NodeJS.Timeout;
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
  private readonly queue: (() => void)[] = [];
  private reads = 0;

  constructor(
    private readonly database: ReadDatabase,
    private readonly reader: LogReader,
  ) {}

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

  private async read(criteria: Criteria, after: number, until: number): Promise<LogEntry[]> {
    if (this.reads >= MAX_READS) await new Promise<void>((turn) => this.queue.push(turn));
    else this.reads += 1;
    try {
      const entries: LogEntry[] = [];
      for await (const batch of this.reader.streamSequenced(criteria, until, BATCH, after))
        entries.push(...batch);
      return entries;
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.reads -= 1;
    }
  }

  private async join(tenantId: string): Promise<FollowedTenant> {
    const last = await this.lastSequence(tenantId);
    let tenant = this.tenants.get(tenantId);
    if (!tenant) {
      let isAsking = false;
      const poll = setInterval(() => {
        // One that the database does not answer is not followed by more of them.
        if (isAsking) return;
        isAsking = true;
        void this.lastSequence(tenantId)
          .then(
            (sequence) => this.advance(tenantId, sequence),
            () => {}, // The database is unavailable: followers wait for a later poll.
          )
          .finally(() => {
            isAsking = false;
          });
      }, POLL_MS);
      tenant = { last, sealed: last, cooldown: null, followers: 0, waiting: new Set(), poll };
      this.tenants.set(tenantId, tenant);
    }
    tenant.followers += 1;
    this.advance(tenantId, last);
    return tenant;
  }

  private leave(tenantId: string, tenant: FollowedTenant): void {
    tenant.followers -= 1;
    if (tenant.followers > 0) return;
    clearInterval(tenant.poll);
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
      { inIndexOrder: true },
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
