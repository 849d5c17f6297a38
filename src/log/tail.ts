import { sql } from 'kysely';
import type { Scope } from '../auth/scope.js';
import type { ReadDatabase } from '../database/connect.js';
import { readFilter } from './filter.js';
import type { LogFilter } from './inputs.js';
import type { LogEntry } from './log-entry.entity.js';
import type { LogReader } from './reader.js';

/** Entries read at once for one follower; a slow one holds no more than this. */
const BATCH = 200;
/** How often a followed tenant's last place is asked for, for entries that another server sequenced. */
const POLL_MS = 500;

/** What followers of one tenant share: its last place, and being woken when that grows. */
interface Feed {
  last: number;
  followers: number;
  waiting: Set<() => void>;
  poll: NodeJS.Timeout;
}

/**
 * Follows tenants' trails in sealed order. What wakes a follower carries nothing: every entry is read from the database
 * by its place, so none is lost or comes twice however slow the follower or broken the connection.
 */
export class Tail {
  private readonly feeds = new Map<string, Feed>();

  constructor(
    private readonly database: ReadDatabase,
    private readonly reader: LogReader,
  ) {}

  /** Says that a tenant's entries up to a place have been sequenced. */
  advance(tenantId: string, last: number): void {
    const feed = this.feeds.get(tenantId);
    if (!feed || last <= feed.last) return;
    feed.last = last;
    for (const wake of feed.waiting) wake();
  }

  /**
   * Matching entries after a place, or from now on where it is null, without end: in order, each once. Ends when the
   * signal aborts. `check` is asked before every batch and at every poll; what it throws ends the tail. Errors, at once:
   * BAD_USER_INPUT for a faulty filter.
   */
  follow(
    scope: Scope,
    filter: LogFilter | null | undefined,
    after: number | null | undefined,
    signal: AbortSignal,
    check: () => Promise<void> = async () => {},
  ): AsyncGenerator<LogEntry> {
    readFilter(scope, filter, new Date());
    return this.entries(scope, filter, after, signal, check);
  }

  private async *entries(
    scope: Scope,
    filter: LogFilter | null | undefined,
    after: number | null | undefined,
    signal: AbortSignal,
    check: () => Promise<void>,
  ): AsyncGenerator<LogEntry> {
    const feed = await this.join(scope.tenantId);
    try {
      let last = after ?? (await this.lastPlace(scope.tenantId));
      while (!signal.aborted) {
        await check();
        const until = feed.last;
        if (until <= last) {
          await this.nextPlace(feed, signal);
          continue;
        }
        for await (const batch of this.reader.streamSequenced(scope, filter, until, BATCH, last)) {
          for (const entry of batch) {
            if (signal.aborted) return;
            yield entry;
          }
        }
        last = until;
      }
    } finally {
      this.leave(scope.tenantId, feed);
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
      feed = { last, followers: 0, waiting: new Set(), poll };
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
      const timer = setTimeout(wake, 10 * POLL_MS);
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
