import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { ReadDatabase } from '../../database/database.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { Criteria } from '../filter/criteria.js';
import type { LogReader } from './reader.js';

/** Entries read at once; a slow follower holds no more than this. */
const BATCH = 200;
/** How often a followed tenant's last place is asked for, for entries that another server sequenced. */
const POLL_MS = 500;
/** Followers are woken at most this often, so that many of them share few reads of a busy trail. */
const TURN_MS = 100;
/** On a quiet trail, how often it is asked whether a follower may still follow. */
const CHECK_MS = 5_000;
/** Reads under way at a time; connections are left for those who ask for a page. */
const READS = 4;
/** Entries kept for followers who want what another one has just been given. */
const KEPT_ENTRIES = 2_000;
const KEPT_MS = 2_000;

/** What followers of one tenant share: its last place, and being woken when that grows. */
interface Feed {
  /** As far as followers have been told. */
  last: number;
  sealed: number;
  turn: NodeJS.Timeout | null;
  followers: number;
  waiting: Set<() => void>;
  poll: NodeJS.Timeout;
}

/**
 * Follows tenants' trails in sealed order. What wakes a follower carries nothing: every entry is read from the database
 * by its place, so none is lost or comes twice however slow the follower or broken the connection. Followers with the same
 * criteria who stand at the same place are given the same entries by one read.
 */
export class Tail {
  private readonly feeds = new Map<string, Feed>();
  private readonly reading = new Map<string, Promise<LogEntry[]>>();
  private readonly kept = new LRUCache<string, LogEntry[]>({
    maxSize: KEPT_ENTRIES,
    sizeCalculation: (entries) => 1 + entries.length,
    ttl: KEPT_MS,
    ttlAutopurge: true,
  });
  private readonly queue: (() => void)[] = [];
  private reads = 0;

  constructor(
    private readonly database: ReadDatabase,
    private readonly reader: LogReader,
  ) {}

  /** Says that a tenant's entries up to a place have been sequenced. */
  advance(tenantId: string, last: number): void {
    const feed = this.feeds.get(tenantId);
    if (!feed || last <= feed.sealed) return;
    feed.sealed = last;
    if (feed.turn === null) tell(feed);
  }

  /**
   * Matching entries after a place, or from now on where it is null, without end: in order, each once, some at a time.
   * Entries are shared with other followers and must not be changed. Ends when the signal aborts. `check` is asked before
   * every batch, about which places were sealed before, and at least every 5 s; what it throws ends the tail.
   */
  async *follow(
    criteria: Criteria,
    after: number | null | undefined,
    signal: AbortSignal,
    check: () => Promise<void> = async () => {},
  ): AsyncGenerator<readonly LogEntry[]> {
    const { tenantId } = criteria.scope;
    const feed = await this.join(tenantId);
    const key = JSON.stringify(criteria);
    try {
      let last = after ?? (await this.lastPlace(tenantId));
      while (!signal.aborted) {
        // Before the check: what is sealed after somebody's grant was taken away is not theirs to see.
        const until = Math.min(last + BATCH, feed.last);
        await check();
        if (until <= last) {
          if (feed.last <= last) await this.nextPlace(feed, signal);
          continue;
        }
        const entries = await this.stretch(key, last, until, () => this.read(criteria, last, until));
        if (signal.aborted) return;
        if (entries.length > 0) yield entries;
        last = until;
      }
    } finally {
      this.leave(tenantId, feed);
    }
  }

  /** What one follower reads, the others with the same criteria are given. */
  private stretch(
    key: string,
    after: number,
    until: number,
    read: () => Promise<LogEntry[]>,
  ): LogEntry[] | Promise<LogEntry[]> {
    const name = `${after} ${until} ${key}`;
    const present = this.kept.get(name) ?? this.reading.get(name);
    if (present) return present;
    const reading = read()
      .then((entries) => {
        this.kept.set(name, entries);
        return entries;
      })
      .finally(() => this.reading.delete(name));
    this.reading.set(name, reading);
    return reading;
  }

  private async read(criteria: Criteria, after: number, until: number): Promise<LogEntry[]> {
    if (this.reads >= READS) await new Promise<void>((turn) => this.queue.push(turn));
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

  private async join(tenantId: string): Promise<Feed> {
    const last = await this.lastPlace(tenantId);
    let feed = this.feeds.get(tenantId);
    if (!feed) {
      const poll = setInterval(() => {
        void this.lastPlace(tenantId).then(
          (place) => this.advance(tenantId, place),
          () => {}, // The database is away: followers wait, and the next poll asks again.
        );
      }, POLL_MS);
      feed = { last, sealed: last, turn: null, followers: 0, waiting: new Set(), poll };
      this.feeds.set(tenantId, feed);
    }
    feed.followers += 1;
    this.advance(tenantId, last);
    return feed;
  }

  private leave(tenantId: string, feed: Feed): void {
    feed.followers -= 1;
    if (feed.followers > 0) return;
    clearInterval(feed.poll);
    clearTimeout(feed.turn ?? undefined);
    this.feeds.delete(tenantId);
  }

  /** Resolves when the feed grew, the signal aborted, or a while has passed, so that checks are made on a quiet trail too. */
  private nextPlace(feed: Feed, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        feed.waiting.delete(wake);
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, CHECK_MS);
      feed.waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  private async lastPlace(tenantId: string): Promise<number> {
    const [row] = await this.database.read(tenantId, (run) =>
      run<{ last: string | null }>(
        sql`select max(seq) as last from reel_log_sequence where tenant_id = ${tenantId}::uuid`,
      ),
    );
    return Number(row?.last ?? 0);
  }
}

/** Wakes the feed's followers, and again after a turn where it has grown meanwhile. */
function tell(feed: Feed): void {
  feed.last = feed.sealed;
  feed.turn = setTimeout(() => {
    feed.turn = null;
    if (feed.sealed > feed.last) tell(feed);
  }, TURN_MS);
  for (const wake of [...feed.waiting]) wake();
}
