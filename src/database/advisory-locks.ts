import { createHash } from 'node:crypto';
import pg from 'pg';
import { answerWithin, cut } from './answer-within.js';
import { sessionOptions } from './session.js';

const ANSWER_MS = 5_000;

/** A lock that this process holds. */
export interface HeldLock {
  /** Aborts when the connection is lost, and the lock with it. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * PostgreSQL's advisory locks of a session, all on one connection of its own: each is held by one process at a time, and set
 * free by the database when that process ends or is cut off.
 */
export class AdvisoryLocks {
  private session: Promise<Session> | null = null;
  private readonly held = new Set<string>();
  private isClosed = false;

  constructor(private readonly url: () => string) {}

  /** Null where somebody holds it. Errors: those of the database. */
  async take(name: string): Promise<HeldLock | null> {
    if (this.isClosed || this.held.has(name)) return null;
    this.held.add(name);
    try {
      const session = await this.open();
      const { rows } = await session.ask<{ taken: boolean }>(
        'select pg_try_advisory_lock($1::bigint) as taken',
        name,
      );
      if (!rows[0]?.taken) {
        this.held.delete(name);
        return null;
      }
      return {
        signal: session.lost.signal,
        release: async () => {
          this.held.delete(name);
          if (!session.lost.signal.aborted)
            await session.ask('select pg_advisory_unlock($1::bigint)', name).catch(() => session.end());
        },
      };
    } catch (error) {
      this.held.delete(name);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const session = await this.session?.catch(() => null);
    session?.end();
  }

  private async open(): Promise<Session> {
    const known = await this.session?.catch(() => null);
    if (known && !known.lost.signal.aborted) return known;
    this.session = Session.open(this.url());
    return this.session;
  }
}

class Session {
  readonly lost = new AbortController();
  /** The driver takes one statement at a time. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly client: pg.Client) {
    client.on('error', () => this.end());
    client.on('end', () => this.end());
  }

  static async open(url: string): Promise<Session> {
    const client = new pg.Client({ ...sessionOptions(url), keepAlive: true });
    const session = new Session(client);
    await client.connect();
    return session;
  }

  ask<R extends pg.QueryResultRow>(sql: string, name: string): Promise<pg.QueryResult<R>> {
    const answer = this.last.then(() => this.askNow<R>(sql, name));
    this.last = answer.catch(() => {});
    return answer;
  }

  private async askNow<R extends pg.QueryResultRow>(sql: string, name: string): Promise<pg.QueryResult<R>> {
    this.lost.signal.throwIfAborted();
    try {
      return await answerWithin(this.client, ANSWER_MS, this.client.query<R>(sql, [keyOf(name)]));
    } catch (error) {
      // Whether the lock is held is not known any more.
      this.end();
      throw error;
    }
  }

  end(): void {
    if (this.lost.signal.aborted) return;
    this.lost.abort(new Error('the connection that held the lock is lost'));
    cut(this.client, 'not needed any more');
  }
}

/** 64 bits of a name. */
const keyOf = (name: string): string =>
  createHash('sha256').update(name).digest().readBigInt64BE(0).toString();
