import type { Pool } from 'pg';
import { StartError } from '../errors.js';
import type { Call } from './call.js';
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
  writeTenantsSql,
} from './execute.js';
import { MIGRATION_NAMES } from './migration-names.js';
import { excessPrivileges } from './roles.js';
import { translateTimeout, translateUnavailable } from './unavailable.js';

export interface ReadOptions {
  /** The longest that one statement may run; never longer than the connection's own bound. */
  statementMs?: number;
  /** Counts the rows; a host's EntityManager takes no notice of it. Errors: RowsTooLong past its bound. */
  meter?: RowMeter;
  /** Plans read rows in the order that an index has them, whatever the planner takes the tables to hold. */
  inIndexOrder?: boolean;
  /** For whom it reads; a host's EntityManager takes no notice of it. */
  call?: Call;
}

/** Runs transactions that read one tenant, over Reel's own connections or a host's EntityManager. */
export interface ReadDatabase {
  read<T>(tenantId: string, work: (execute: Execute) => Promise<T>, options?: ReadOptions): Promise<T>;
}

/** Runs transactions that write rows of the given tenants. */
export interface WriteDatabase {
  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T>;
}

/**
 * Reel's own connections. Every transaction first sets the tenants that row-level security lets it see or write; tenants'
 * rows are never read or written outside a transaction.
 */
export class Database implements ReadDatabase, WriteDatabase {
  private constructor(
    private readonly reading: Pool,
    private readonly writing: Pool,
    readonly close: () => Promise<void>,
    private readonly statementMs: number | null,
  ) {}

  /**
   * Takes pools that connect as the runtime role to `url`; `close` ends them, and is called on an error here too.
   * `statementMs`: the longest that a statement of a read may run; null: as long as it takes. Errors: StartError where the database cannot be reached or is not migrated, or the role has too many rights.
   */
  static async fromPools(
    pools: { reading: Pool; writing: Pool },
    url: string,
    close: () => Promise<void>,
    statementMs: number | null = null,
  ): Promise<Database> {
    const database = new Database(pools.reading, pools.writing, close, statementMs);
    try {
      await database.checkConnection(url);
      await database.checkRole(url);
      return database;
    } catch (error) {
      await close();
      throw error;
    }
  }

  private async checkConnection(url: string): Promise<void> {
    try {
      await this.reading.query('select 1');
    } catch (error) {
      throw unreachable(url, error);
    }
  }

  private async checkRole(url: string): Promise<void> {
    const client = await this.writing.connect();
    let excess: string | null;
    try {
      await client.query('begin');
      excess = await excessPrivileges(async (sql) => (await client.query(sql)).rows);
      await client.query('commit');
    } finally {
      client.release();
    }
    if (excess)
      throw new StartError(
        `REEL_DATABASE_URL: expected a role under row-level security that can only append, got ${excess}`,
      );
    if (!(await this.isMigrated()))
      throw new StartError(
        `REEL_DATABASE_URL: expected a migrated database at ${hostOf(url)} (run: reel migrate)`,
      );
  }

  /** Whether every migration of this release is applied, as far as the role may see. */
  async isMigrated(): Promise<boolean> {
    try {
      const { rows } = await this.writing.query<{ name: string }>('select name from reel_migrations');
      const applied = new Set(rows.map((row) => row.name));
      return MIGRATION_NAMES.every((name) => applied.has(name));
    } catch (error) {
      if (['42P01', '42501'].includes((error as { code?: string }).code ?? '')) return false;
      throw error;
    }
  }

  /**
   * A read-only transaction over one tenant's rows; all its statements see one snapshot. Errors: UNAVAILABLE, also where a
   * statement takes too long (isTimeout); the reason of the call's signal.
   */
  read<T>(tenantId: string, work: (execute: Snapshot) => Promise<T>, options: ReadOptions = {}): Promise<T> {
    const bounds = [options.statementMs, this.statementMs].filter((each) => each != null);
    const statementMs = bounds.length > 0 ? Math.min(...bounds) : null;
    const opening = [
      'begin isolation level repeatable read read only',
      readTenantSql(tenantId),
      ...readSettingsSql({ ...options, ...(statementMs === null ? {} : { statementMs }) }),
    ];
    return translateTimeout(() => this.transact(this.reading, opening.join('; '), work, options));
  }

  /** A transaction that writes rows of these tenants. */
  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.transact(this.writing, `begin; ${writeTenantsSql(tenantIds)}`, work);
  }

  /** A transaction that reads and writes one tenant, for the sequencer. */
  seal<T>(tenantId: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.transact(
      this.writing,
      `begin; ${readTenantSql(tenantId)}; ${writeTenantsSql([tenantId])}`,
      work,
    );
  }

  /** A statement that concerns no tenant: row-level security hides every tenant's rows from it. */
  async system<R extends Row = Row>(statement: Statement): Promise<R[]> {
    const { sql, parameters } = compile(statement);
    return (await translateUnavailable(() => this.writing.query(sql, [...parameters]))).rows as R[];
  }

  private transact<T>(
    pool: Pool,
    opening: string,
    work: (execute: Snapshot) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    const { call } = options;
    return translateUnavailable(async () => {
      call?.signal.throwIfAborted();
      const client = await pool.connect();
      let connectionError: Error | undefined;
      try {
        call?.signal.throwIfAborted();
        await client.query(opening);
        const { execute, end } = executorOn(client, options);
        const result = await work(execute).finally(end);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((rollbackError: Error) => {
          connectionError = rollbackError;
        });
        throw error;
      } finally {
        client.release(connectionError);
      }
    });
  }
}

/** The database at `url` cannot be reached. */
export const unreachable = (url: string, error: unknown) =>
  new StartError(`REEL_DATABASE_URL: expected a PostgreSQL reachable at ${hostOf(url)}: ${oneLine(error)}`, {
    cause: error,
  });

const hostOf = (url: string) => new URL(url).host;
const oneLine = (error: unknown) => (error as Error).message.split('\n')[0];
