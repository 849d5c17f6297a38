import type { Pool } from 'pg';
import { StartError } from '../errors.js';
import { guard } from './away.js';
import { MIGRATION_NAMES } from './migration-names.js';
import { excessOfRole } from './roles.js';
import {
  compile,
  type Row,
  type Run,
  readingAs,
  runOn,
  type Snapshot,
  type Statement,
  writingAs,
} from './run.js';

/** Something whose transactions read one tenant: Reel's own connections, or a host's EntityManager. */
export interface ReadDatabase {
  read<T>(tenantId: string, work: (run: Run) => Promise<T>): Promise<T>;
}

/** Something whose transactions write rows of some tenants. */
export interface WriteDatabase {
  write<T>(tenantIds: readonly string[], work: (run: Run) => Promise<T>): Promise<T>;
}

/**
 * Reel's own connections. Every transaction says first whose rows it is about, which is what row-level security goes by;
 * nothing is read or written outside of one.
 */
export class Database implements ReadDatabase, WriteDatabase {
  private constructor(
    private readonly reading: Pool,
    private readonly writing: Pool,
    readonly close: () => Promise<void>,
  ) {}

  /**
   * Over pools that connect as the runtime role at `url`; `close` ends them, and is called where they are not taken.
   * Errors: StartError where there is no database, it is not migrated, or the role may do too much.
   */
  static async over(
    pools: { reading: Pool; writing: Pool },
    url: string,
    close: () => Promise<void>,
  ): Promise<Database> {
    const database = new Database(pools.reading, pools.writing, close);
    try {
      await database.checkAnswer(url);
      await database.checkRole(url);
      return database;
    } catch (error) {
      await close();
      throw error;
    }
  }

  private async checkAnswer(url: string): Promise<void> {
    try {
      await this.reading.query('select 1');
    } catch (error) {
      throw unanswered(url, error);
    }
  }

  private async checkRole(url: string): Promise<void> {
    const excess = await excessOfRole(async (sql) => (await this.writing.query(sql)).rows);
    if (excess)
      throw new StartError(
        `REEL_DATABASE_URL: expected a role under row-level security that can only add, got ${excess}`,
      );
    if (!(await this.isMigrated()))
      throw new StartError(
        `REEL_DATABASE_URL: expected a migrated database at ${placeOf(url)} (run: reel migrate)`,
      );
  }

  /** Whether every migration that this code knows has been applied and the role may see so. */
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

  /** A read-only transaction over one tenant's rows, in one snapshot. */
  read<T>(tenantId: string, work: (run: Snapshot) => Promise<T>): Promise<T> {
    return this.transact(
      this.reading,
      `begin isolation level repeatable read read only; ${readingAs(tenantId)}`,
      work,
    );
  }

  /** A transaction that writes rows of these tenants. */
  write<T>(tenantIds: readonly string[], work: (run: Run) => Promise<T>): Promise<T> {
    return this.transact(this.writing, `begin; ${writingAs(tenantIds)}`, work);
  }

  /** A transaction of the sequencer: reads and writes one tenant. */
  seal<T>(tenantId: string, work: (run: Run) => Promise<T>): Promise<T> {
    return this.transact(this.writing, `begin; ${readingAs(tenantId)}; ${writingAs([tenantId])}`, work);
  }

  /** One statement outside any tenant; row-level security shows it no tenant's rows. */
  async system<R extends Row = Row>(statement: Statement): Promise<R[]> {
    const { sql, parameters } = compile(statement);
    return (await guard(() => this.writing.query(sql, [...parameters]))).rows as R[];
  }

  private transact<T>(pool: Pool, opening: string, work: (run: Snapshot) => Promise<T>): Promise<T> {
    return guard(async () => {
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        await client.query(opening);
        const { run, end } = runOn(client);
        const result = await work(run).finally(end);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((fault: Error) => {
          broken = fault;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }
}

/** That there is no database. */
export const unanswered = (url: string, error: unknown) =>
  new StartError(
    `REEL_DATABASE_URL: expected a PostgreSQL that answers at ${placeOf(url)}: ${oneLine(error)}`,
    { cause: error },
  );

const placeOf = (url: string) => new URL(url).host;
const oneLine = (error: unknown) => (error as Error).message.split('\n')[0];
