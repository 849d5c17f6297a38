import type { CompiledQuery } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { FaultLog, overloaded } from '../errors.js';
import { takeTurn } from '../time-slice.js';
import { SpanKind, traced } from '../tracing.js';
import { AdvisoryLocks } from './advisory-locks.js';
import { answerWithin, cutError } from './answer-within.js';
import type { Call } from './call.js';
import type { DatabaseClock } from './clock.js';
import { Connections } from './connections.js';
import type { RowMeter } from './counted-query.js';
import {
  compile,
  type Execute,
  executorOn,
  type Row,
  readSettingsSql,
  readTenantSql,
  type Snapshot,
  type Statement,
  sealTenantsSql,
  type TextRow,
  writeTenantsSql,
} from './execute.js';
import { Heartbeat, type HeartbeatLog, type Unready } from './heartbeat.js';
import { type Dialect, dialectOf, type Opening, open } from './opening.js';
import { asKept, forgetPrepared, isNotAsPrepared } from './prepared.js';
import type { ReadScope } from './scoped-query.js';
import { checkReachable, checkRole } from './start-check.js';
import { Turns } from './turns.js';
import { type DatabaseFault, databaseFault, translateFaults, withRetries } from './unavailable.js';
import { WriteQuery } from './write-query.js';

export interface ReadOptions {
  /** The longest that one statement may run; never longer than the connection's own bound. */
  statementMs?: number;
  /** Counts the rows; a host's EntityManager takes no notice of it. Errors: RowsTooLong past its bound. */
  meter?: RowMeter;
  /** Plans read rows in the order that an index has them, whatever the planner takes the tables to hold. */
  inIndexOrder?: boolean;
  /** Plans join rows that are read once each, and look none up by another's. */
  joinsOnce?: boolean;
  /**
   * The statements come again and again, in few texts: each is prepared once for a connection. Its plan must be good for any
   * parameters, so a limit stands in the text.
   */
  isKept?: boolean;
  /** Waits for a connection however many reads of the tenant do: for reads whose number is bounded elsewhere. */
  isBounded?: boolean;
  /** For whom it reads; a host's EntityManager takes no notice of it. */
  call?: Call;
}

/** Runs transactions that read one tenant, over Reel's own connections or a host's EntityManager. */
export interface ReadDatabase {
  read<T>(tenantId: string, work: (execute: Execute) => Promise<T>, options?: ReadOptions): Promise<T>;
  /** The same for a single statement, which takes one round trip. */
  query<R extends Row | TextRow = Row>(
    tenantId: string,
    statement: Statement,
    options?: ReadOptions,
  ): Promise<R[]>;
  /** As read, with rows as COPY has them. Not through a host's EntityManager. */
  copy?<T>(tenantId: string, work: (execute: Snapshot) => Promise<T>, options?: ReadOptions): Promise<T>;
  /** Whether tenants' rows are on the nodes of a Citus cluster, which takes plain statements alone; undefined where that is not known. */
  readonly isDistributed?: boolean | undefined;
}

/** Runs transactions that write rows of the given tenants. */
export interface WriteDatabase {
  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T>;
}

const POSTGRESQL = { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql' } };
const SEALING = { kind: SpanKind.INTERNAL, isRoot: true };

/** Beyond the time that a statement may run, for the database to say that it ran too long. */
const ANSWER_MARGIN_MS = 2_000;
const ROLLBACK_MS = 4_000;
/** In so long a lost connection is worth another try of what reads. */
const AGAIN_MS = 5_000;
/** Changes of tenants' settings at once, and those that may wait for one, in milliseconds at the longest. */
const CONFIGURING = { atOnce: 3, atOncePerKey: 1, waitingPerKey: 200, waitMs: 10_000 };
/** How long writes are sent plainly after such an error. */
const PLAIN_MS = 60_000;
/** How long a server is not ready after a write found the disk full or the like, unless another one is stored. */
const EXHAUSTED_FOR_MS = 8_000;

/**
 * Reel's own connections. Every transaction first sets the tenants that row-level security lets it see or write; tenants'
 * rows are never read or written outside a transaction. A fault of the database is UNAVAILABLE (unavailable.ts).
 */
export class Database implements ReadDatabase, WriteDatabase {
  private readonly connections: Connections;
  private heartbeat: Heartbeat | null = null;
  private faults: FaultLog | null = null;
  private exhaustedAt = Number.NEGATIVE_INFINITY;
  private plainUntil = Number.NEGATIVE_INFINITY;
  private readonly configuring = new Turns(CONFIGURING, () =>
    overloaded('Too many changes to the settings of this tenant are waiting'),
  );
  private dialect: Dialect = { isDistributed: false };

  private constructor(
    private readonly reading: Pool,
    private readonly writing: Pool,
    private url: string,
    private readonly end: () => Promise<void>,
    private readonly statementMs: number | null,
    private readonly turns: Turns | null,
  ) {
    this.connections = new Connections([reading, writing]);
  }

  /**
   * Takes pools that connect as the runtime role to `url`; `close` ends them, and is called on an error here too.
   * `statementMs`: the longest that a statement may run; null: as long as it takes. `turns`: by which tenants share the
   * reading connections; null: as they come. Errors: StartError where the database cannot be reached or is not migrated, or the role has too many rights.
   */
  static async fromPools(
    pools: { reading: Pool; writing: Pool },
    url: string,
    close: () => Promise<void>,
    statementMs: number | null = null,
    turns: Turns | null = null,
  ): Promise<Database> {
    const database = new Database(pools.reading, pools.writing, url, close, statementMs, turns);
    try {
      await checkReachable(pools.reading, url);
      database.dialect = await dialectOf(pools.writing);
      await checkRole(pools.writing, url);
      return database;
    } catch (error) {
      await close();
      throw error;
    }
  }

  /**
   * Watches from now on whether the database answers, as a server needs: while it does not, calls are refused at once, and
   * those that wait for it are refused when that is noticed. `clock` is kept by the database's time.
   */
  async watch(log: HeartbeatLog, clock: DatabaseClock): Promise<void> {
    this.faults = new FaultLog(log);
    this.heartbeat = new Heartbeat({
      url: () => this.url,
      log,
      clock,
      onSilent: () => this.connections.cutAll('the database does not answer'),
      onRenewed: () => this.connections.renew(),
    });
    await this.heartbeat.start();
  }

  /** Why no call should be sent here; null where there is no reason. For a database that is watched. */
  async unready(): Promise<Unready | null> {
    const reason = this.heartbeat ? await this.heartbeat.unready() : 'database';
    const isExhausted = performance.now() - this.exhaustedAt < EXHAUSTED_FOR_MS;
    return reason ?? (isExhausted ? 'storage' : null);
  }

  /** Its connections by pool; `waiting`: statements that wait for one. */
  get pools(): { pool: string; busy: number; idle: number; waiting: number; most: number }[] {
    const named =
      this.reading === this.writing
        ? { all: this.reading }
        : { reading: this.reading, writing: this.writing };
    return Object.entries(named).map(([pool, { totalCount, idleCount, waitingCount, options }]) => ({
      pool,
      busy: totalCount - idleCount,
      idle: idleCount,
      waiting: waitingCount,
      most: options.max,
    }));
  }

  /** From now on connections lead to `url`, which differs by host and port alone. */
  moveTo(url: string): void {
    const { hostname, port } = new URL(url);
    for (const pool of [this.reading, this.writing])
      Object.assign(pool.options, { host: hostname, port: Number(port || 5432) });
    this.url = url;
    this.connections.renew();
    this.heartbeat?.suspect();
  }

  /** On a connection of their own, that the caller closes. */
  locks(): AdvisoryLocks {
    return new AdvisoryLocks(() => this.url);
  }

  async close(): Promise<void> {
    await this.heartbeat?.stop();
    // Connections to a database that does not answer would never end by themselves.
    if (this.heartbeat?.isAnswering === false) this.connections.cutAll('closed');
    await this.end();
  }

  /**
   * A read-only transaction over one tenant's rows, in the tenant's turn; all its statements see one snapshot. `work` must not
   * start another, which might wait for this one's turn, and with isKept may be done twice. Errors: OVERLOADED where too many of the tenant's wait; UNAVAILABLE,
   * also where a statement takes too long (isTimeout); the reason of the call's signal.
   */
  async read<T>(
    tenantId: string,
    work: (execute: Snapshot) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    const statementMs = this.boundOf(options);
    const attempt = (isKept: boolean) => {
      const bounds = { ...options, isKept, ...(statementMs === null ? {} : { statementMs }) };
      const opening = [
        'begin isolation level repeatable read read only',
        readTenantSql(tenantId),
        ...readSettingsSql(bounds),
      ];
      return this.transact(this.reading, opening, work, statementMs, { ...options, isKept });
    };
    return this.inTurn(tenantId, options, () => asKept(!this.isDistributed && options.isKept, attempt));
  }

  copy<T>(tenantId: string, work: (execute: Snapshot) => Promise<T>, options: ReadOptions = {}): Promise<T> {
    return this.read(tenantId, work, options);
  }

  /** As read of one statement, without a transaction of several round trips. */
  async query<R extends Row | TextRow = Row>(
    tenantId: string,
    statement: Statement,
    options: ReadOptions = {},
  ): Promise<R[]> {
    if (this.isDistributed) return this.read(tenantId, (execute) => execute<R>(statement), options);
    const statementMs = this.boundOf(options);
    const scope = { tenantId, statementMs, inIndexOrder: options.inIndexOrder ?? false };
    const deadline = performance.now() + AGAIN_MS;
    const attempt = () =>
      asKept(options.isKept, (isKept) => this.queryOnce<R>(statement, scope, isKept, options));
    return this.inTurn(tenantId, options, async () => {
      try {
        return await attempt();
      } catch (error) {
        if (performance.now() > deadline || !databaseFault(error)?.isConnectionLost) throw error;
        // Nothing is lost where a connection turns out to be dead: it only reads.
        this.connections.renew();
        return attempt();
      }
    });
  }

  private async queryOnce<R extends Row | TextRow>(
    statement: Statement,
    scope: ReadScope,
    isKept: boolean,
    { call, meter }: ReadOptions,
  ): Promise<R[]> {
    call?.signal.throwIfAborted();
    if (this.heartbeat?.isAnswering === false) throw cutError('the database does not answer');
    const { client, begun } = await this.connections.take(this.reading);
    const { statementMs } = scope;
    const answerMs = statementMs === null ? null : statementMs + ANSWER_MARGIN_MS;
    let broken: unknown = null;
    try {
      call?.signal.throwIfAborted();
      const { execute, end } = executorOn(client, {
        call,
        meter,
        answerMs,
        scoped: { scope, isKept, onBegun: begun },
      });
      return await execute<R>(statement).finally(end);
    } catch (error) {
      if (databaseFault(error)?.isConnectionLost) broken = error;
      if (isNotAsPrepared(error)) forgetPrepared(client);
      throw error;
    } finally {
      begun?.();
      this.connections.giveBack(client, broken);
    }
  }

  private boundOf({ statementMs }: ReadOptions): number | null {
    const bounds = [statementMs, this.statementMs].filter((each) => each != null);
    return bounds.length > 0 ? Math.min(...bounds) : null;
  }

  private async inTurn<T>(tenantId: string, options: ReadOptions, read: () => Promise<T>): Promise<T> {
    const onFault = (fault: DatabaseFault, error: unknown) => {
      // A statement with a bound of its own may be meant to end by it.
      if (options.statementMs === undefined || fault.condition !== 'slow') this.onFault(fault, error);
    };
    const transaction = () =>
      translateFaults('Reading', () => traced('postgresql read', POSTGRESQL, read), onFault);
    const { call, isBounded } = options;
    const result = this.turns
      ? await this.turns.run(tenantId, transaction, { signal: call?.signal, isBounded })
      : await transaction();
    // What is made of the rows takes longer than reading them.
    await takeTurn(tenantId);
    return result;
  }

  /** Whether tenants' rows are on the nodes of a Citus cluster: what concerns several tenants is then done one by one. */
  get isDistributed(): boolean {
    return this.dialect.isDistributed;
  }

  /** Whether writes may use prepared statements over several tables, and several in one round trip. */
  private get prepares(): boolean {
    return !this.isDistributed && performance.now() > this.plainUntil;
  }

  /** Reads that wait for a connection. */
  get waitingReads(): number {
    return this.turns?.waiting ?? 0;
  }

  /** A transaction that writes rows of these tenants; run again where it is in another one's way. */
  async write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    const result = await traced('postgresql write', POSTGRESQL, () =>
      this.change(['begin', writeTenantsSql(tenantIds)], work),
    );
    this.exhaustedAt = Number.NEGATIVE_INFINITY;
    return result;
  }

  /**
   * Statements that write rows of these tenants and answer none, all or none of them, in one round trip; their texts must be few. False
   * where they must be written step by step, and nothing was: the database does not take them so, or no connection is known to be alive,
   * as one that turned out to be dead would leave open what became of them.
   */
  async writeAtOnce(tenantIds: readonly string[], statements: readonly CompiledQuery[]): Promise<boolean> {
    if (!this.prepares) return false;
    const once = async () => {
      const client = await this.connections.takeFresh(this.writing);
      if (client === null) return false;
      let broken: unknown = null;
      try {
        if (this.heartbeat?.isAnswering === false) throw cutError('the database does not answer');
        const answerMs = this.statementMs === null ? null : this.statementMs + ANSWER_MARGIN_MS;
        await answerWithin(client, answerMs, WriteQuery.write(client, tenantIds, statements));
        return true;
      } catch (error) {
        if (databaseFault(error)?.isConnectionLost) broken = error;
        if (!isNotAsPrepared(error)) throw error;
        forgetPrepared(client);
        return false;
      } finally {
        this.connections.giveBack(client, broken);
      }
    };
    const isDone = await translateFaults(
      'Writing',
      () => traced('postgresql write', POSTGRESQL, () => withRetries(once)),
      (fault, error) => this.onFault(fault, error),
    );
    if (isDone) this.exhaustedAt = Number.NEGATIVE_INFINITY;
    return isDone;
  }

  /** A transaction that reads and writes one tenant, for the sequencer; run again likewise. */
  seal<T>(tenantId: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    return traced('seal', SEALING, () =>
      this.change(['begin', readTenantSql(tenantId), writeTenantsSql([tenantId])], work),
    );
  }

  /**
   * As seal, for what people set of a tenant, which its lock lets one change at a time: in one turn of the tenant's, so that those which
   * wait hold no connection. Errors: OVERLOADED where too many wait.
   */
  configure<T>(tenantId: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.configuring.run(tenantId, () => this.seal(tenantId, work));
  }

  /** A transaction that reads and writes what sealing several tenants' logs takes; run again likewise. */
  sealTogether<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    return traced('seal', { ...SEALING, attributes: { 'reel.tenants': tenantIds.length } }, () =>
      this.change(['begin', ...sealTenantsSql(tenantIds), writeTenantsSql(tenantIds)], work),
    );
  }

  /** A statement that concerns no tenant: row-level security hides every tenant's rows from it. */
  system<R extends Row | TextRow = Row>(statement: Statement): Promise<R[]> {
    return this.change(['begin'], (execute) => execute<R>(statement));
  }

  /** As system, for what only reads and is asked again and again: one round trip. */
  async ask<R extends Row | TextRow = Row>(statement: Statement): Promise<R[]> {
    const { sql: text, parameters } = compile(statement);
    const once = async () => {
      if (this.heartbeat?.isAnswering === false) throw cutError('the database does not answer');
      const { client, begun } = await this.connections.take(this.writing);
      let broken: unknown = null;
      try {
        const answerMs = this.statementMs === null ? null : this.statementMs + ANSWER_MARGIN_MS;
        const asked = client.query<R>(text, [...parameters]);
        return (await answerWithin(client, answerMs, asked)).rows;
      } catch (error) {
        if (databaseFault(error)?.isConnectionLost) broken = error;
        throw error;
      } finally {
        begun?.();
        this.connections.giveBack(client, broken);
      }
    };
    return translateFaults('Reading', once, (fault, error) => this.onFault(fault, error));
  }

  private change<T>(opening: Opening, work: (execute: Snapshot) => Promise<T>): Promise<T> {
    return translateFaults(
      'Writing',
      () => withRetries(() => this.changeOnce(opening, work)),
      (fault, error) => this.onFault(fault, error),
    );
  }

  /** With statements kept prepared; where the database does not take them so, again without. */
  private async changeOnce<T>(opening: Opening, work: (execute: Snapshot) => Promise<T>): Promise<T> {
    const { prepares } = this;
    try {
      return await this.transact(this.writing, opening, work, this.statementMs, { prepares });
    } catch (error) {
      if (!prepares || !isNotAsPrepared(error)) throw error;
      this.plainUntil = performance.now() + PLAIN_MS;
      return this.transact(this.writing, opening, work, this.statementMs);
    }
  }

  private async transact<T>(
    pool: Pool,
    opening: Opening,
    work: (execute: Snapshot) => Promise<T>,
    statementMs: number | null,
    { call, meter, isKept = false, prepares = false }: ReadOptions & { prepares?: boolean } = {},
  ): Promise<T> {
    call?.signal.throwIfAborted();
    if (this.heartbeat?.isAnswering === false) throw cutError('the database does not answer');
    const client = await this.connections.begin(pool, (each) => open(each, opening, this.dialect));
    const answerMs = statementMs === null ? null : statementMs + ANSWER_MARGIN_MS;
    let broken: unknown = null;
    try {
      call?.signal.throwIfAborted();
      const { execute, end } = executorOn(client, { call, meter, answerMs, prepares, keeps: isKept });
      const result = await work(execute).finally(end);
      await answerWithin(client, answerMs, client.query('commit'));
      return result;
    } catch (error) {
      broken = databaseFault(error)?.isConnectionLost ? error : await rollback(client);
      if (isKept && isNotAsPrepared(error)) forgetPrepared(client);
      throw error;
    } finally {
      this.connections.giveBack(client, broken);
    }
  }

  private onFault(fault: DatabaseFault, error: unknown): void {
    if (fault.isConnectionLost) this.heartbeat?.suspect();
    if (fault.isExhausted) this.exhaustedAt = performance.now();
    this.faults?.report(`the database is not there for a call: ${fault.condition}`, error);
  }
}

/** Null, or the error of a connection that cannot be used again. */
const rollback = (client: PoolClient): Promise<unknown> =>
  answerWithin(client, ROLLBACK_MS, client.query('rollback')).then(
    () => null,
    (error: unknown) => error,
  );
