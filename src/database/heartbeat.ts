import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { answerWithin, cut } from './answer-within.js';
import { DatabaseClock } from './clock.js';
import { MIGRATION_NAMES } from './migration-names.js';
import { sessionOptions } from './session.js';
import { databaseFault } from './unavailable.js';

/** How often the database is asked whether it answers, and what time it is: while it does, and while it does not. */
const BEAT_MS = 2_000;
const SILENT_BEAT_MS = 1_000;
/** For one attempt; a second one, on a new connection, follows before the database counts as silent. */
const ANSWER_MS = 2_000;
/** Of a check of readiness: to connect, and then to answer. */
const READY_MS = 2_000;
/** Of the statements of either, so that none is left behind where it waits for a lock. */
const STATEMENT_MS = 1_500;
/** How long an answer about readiness is good for, however many ask. */
const READY_FOR_MS = 1_000;

/** Why a server is not ready. */
export type Unready = 'database' | 'read-only' | 'storage' | 'migrations' | 'clock';

export interface HeartbeatLog {
  warn(details: object, message: string): void;
}

export interface HeartbeatOptions {
  /** Where the database is at present. */
  url: () => string;
  log: HeartbeatLog;
  clock?: DatabaseClock;
  /** The database does not answer at all: nothing that waits for it will be answered. */
  onSilent: () => void;
  /** Connections made before now may lead to a database that is gone or only read from. */
  onRenewed: () => void;
}

interface Beat {
  micros: string;
  read_only: boolean;
}

const BEAT_SQL = `
  select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint::text as micros,
    pg_catalog.current_setting('transaction_read_only')::boolean or pg_catalog.pg_is_in_recovery() as read_only`;

/** Of no tenant, so that it depends on no node of a cluster. */
const NO_ENTRY_SQL = `select from reel_log_entries where false`;

/** What a check of readiness asks. */
async function lookAround(client: pg.Client): Promise<{ names: Set<string>; now: Beat }> {
  const {
    rows: [now],
  } = await client.query<Beat>(BEAT_SQL);
  const applied = await client.query<{ name: string }>('select name from reel_migrations');
  // A lock that keeps readers waiting keeps this waiting.
  await client.query(NO_ENTRY_SQL);
  return { names: new Set(applied.rows.map(({ name }) => name)), now: now! };
}

/**
 * Asks the database every two seconds for its time, on a connection of its own, so that one that hangs is told from one that is
 * slow: where neither that connection nor a new one gets an answer, the database is silent, until it answers again.
 */
export class Heartbeat {
  readonly clock: DatabaseClock;
  private client: pg.Client | null = null;
  private silent = false;
  private readOnly = false;
  /** Of this machine's clock: 1 ahead, -1 behind, 0 near enough to the database's. */
  private apartSide = 0;
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();
  private wake: AbortController | null = null;
  private wokenAt = Number.NEGATIVE_INFINITY;
  private checking: Promise<Unready | null> | null = null;
  private checkedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: HeartbeatOptions) {
    this.clock = options.clock ?? new DatabaseClock();
  }

  /** Resolves after the first answer, or where there is none. */
  async start(): Promise<void> {
    await this.beat();
    this.loop = this.run();
  }

  /** Whether calls may be sent to the database. */
  get isAnswering(): boolean {
    return !this.silent;
  }

  /** To be called where a call failed as if the database were gone or read-only: it is asked at once. */
  suspect(): void {
    if (performance.now() - this.wokenAt < SILENT_BEAT_MS) return;
    this.wokenAt = performance.now();
    this.wake?.abort();
  }

  /**
   * Why no call should be sent here; null where there is no reason. Connects anew, since a server that gets no further
   * connections will fail as soon as it needs one.
   */
  unready(): Promise<Unready | null> {
    if (this.silent) return Promise.resolve('database');
    if (this.checking === null || performance.now() - this.checkedAt > READY_FOR_MS) {
      this.checkedAt = Number.POSITIVE_INFINITY;
      this.checking = this.check().finally(() => {
        this.checkedAt = performance.now();
      });
    }
    return this.checking;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake?.abort();
    this.drop();
    await this.loop;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.wake = new AbortController();
      const delay = this.silent || this.client === null ? SILENT_BEAT_MS : BEAT_MS;
      await pause(delay, undefined, { signal: this.wake.signal, ref: false }).catch(() => {});
      if (!this.stopping.signal.aborted) await this.beat();
    }
  }

  private async beat(): Promise<void> {
    const kept = this.client;
    if (kept !== null && (await this.ask(kept).catch(() => false))) return;
    this.drop();
    try {
      const client = await this.connect(ANSWER_MS);
      if (this.stopping.signal.aborted) return cut(client, 'stopped');
      this.client = client;
      await this.ask(client);
      // The connection that was kept hung or broke, and so may others that are as old.
      if (kept !== null) this.options.onRenewed();
    } catch (error) {
      this.drop();
      this.failed(error);
    }
  }

  /** Errors: those of the database. */
  private async ask(client: pg.Client): Promise<true> {
    const sentAt = this.clock.sendingAt();
    const { rows } = await answerWithin(client, ANSWER_MS, client.query<Beat>(BEAT_SQL));
    const [{ micros, read_only }] = rows as [Beat];
    this.clock.observe(Number(micros), sentAt);
    this.answered(read_only);
    return true;
  }

  private answered(readOnly: boolean): void {
    const { log, onRenewed } = this.options;
    const changed = this.silent || readOnly !== this.readOnly;
    if (this.silent) log.warn({}, 'the database answers again');
    if (readOnly && !this.readOnly)
      log.warn({}, 'the database is read-only: nothing can be written until it is not');
    if (!readOnly && this.readOnly) log.warn({}, 'the database takes writes again');
    this.silent = false;
    this.readOnly = readOnly;
    if (changed) onRenewed();
    // After a failover the address leads to another server.
    if (readOnly) this.drop();
    this.compareClocks();
  }

  private compareClocks(): void {
    const apart = this.clock.apartSeconds;
    const side = Math.sign(apart);
    if (side !== 0 && side !== this.apartSide)
      this.options.log.warn(
        { secondsAhead: apart },
        `this machine's clock is ${Math.abs(apart).toFixed(1)} s ${apart > 0 ? 'ahead of' : 'behind'} the database's, expected at most 5 s: the server is not ready, and entries get the database's time`,
      );
    if (side === 0 && this.apartSide !== 0)
      this.options.log.warn({}, "this machine's clock and the database's agree again");
    this.apartSide = side;
  }

  /** A server that refuses the connection does answer: calls may still have theirs, or are refused each by itself. */
  private failed(error: unknown): void {
    if (error instanceof pg.DatabaseError || this.silent || this.stopping.signal.aborted) return;
    this.silent = true;
    this.options.log.warn(
      { err: error },
      'the database does not answer; calls that need it are refused until it does',
    );
    this.options.onSilent();
  }

  private async check(): Promise<Unready | null> {
    let client: pg.Client | null = null;
    try {
      client = await this.connect(READY_MS);
      const sentAt = this.clock.sendingAt();
      const { names, now } = await answerWithin(client, READY_MS, lookAround(client));
      this.clock.observe(Number(now.micros), sentAt);
      this.compareClocks();
      void client.end().catch(() => {});
      if (now.read_only) return 'read-only';
      if (!MIGRATION_NAMES.every((name) => names.has(name))) return 'migrations';
      return this.clock.apartSeconds === 0 ? null : 'clock';
    } catch (error) {
      if (client) cut(client, 'not needed any more');
      // No such table, or no right to see it.
      if (databaseFault(error) === null) return 'migrations';
      this.suspect();
      return 'database';
    }
  }

  private async connect(ms: number): Promise<pg.Client> {
    const client = new pg.Client({
      ...sessionOptions(this.options.url(), STATEMENT_MS),
      connectionTimeoutMillis: ms,
    });
    // The statement under way says so.
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  private drop(): void {
    if (this.client) cut(this.client, 'not needed any more');
    this.client = null;
  }
}
