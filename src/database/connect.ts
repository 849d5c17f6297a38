import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { ReelError, StartError, unavailable } from '../errors.js';
import { MIGRATION_NAMES } from './migrate.js';
import { databaseOptions } from './options.js';
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
 * Reel's own connections, taken from MikroORM's pools. Every transaction says first whose rows it is about, which is
 * what row-level security goes by; nothing is read or written outside of one.
 */
export class Database implements ReadDatabase, WriteDatabase {
  private constructor(
    readonly orm: MikroORM,
    private readonly reading: Pool,
    private readonly writing: Pool,
  ) {}

  /** Connects as the runtime role. Errors: StartError where there is no database, it is not migrated, or the role may do too much. */
  static async connect(url: string, connections = 10): Promise<Database> {
    let orm: MikroORM;
    try {
      orm = await MikroORM.init(databaseOptions(url, { max: connections }));
      await orm.em.getConnection('read').execute('select 1');
    } catch (error) {
      throw new StartError(
        `REEL_DATABASE_URL: expected a PostgreSQL that answers at ${placeOf(url)}: ${oneLine(error)}`,
        { cause: error },
      );
    }
    const [reading, writing] = [await poolOf(orm, 'read'), await poolOf(orm, 'write')];
    const database = new Database(orm, reading, writing);
    try {
      await database.checkRole(url);
      return database;
    } catch (error) {
      await orm.close(true);
      throw error;
    }
  }

  private async checkRole(url: string): Promise<void> {
    const execute = (sql: string) => this.orm.em.getConnection().execute<Row[]>(sql);
    const excess = await excessOfRole(execute);
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

  close(): Promise<void> {
    return this.orm.close(true);
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

async function poolOf(orm: MikroORM, type: 'read' | 'write'): Promise<Pool> {
  const connection = orm.em.getConnection(type) as unknown as { getNativeClient(): Promise<Pool> };
  return connection.getNativeClient();
}

/** SQLSTATE classes of a database that is away, starting, full or stopping: connection (08), resources (53), intervention (57). */
const AWAY = /^(08|53|57)/;
const AWAY_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);

/** SQLSTATEs of a database that is there but lets Reel in no more: authorization (28), its name (3D), closed to connections. */
const SHUT = /^(28|3D|55000$)/;

/** Says UNAVAILABLE for what another try may mend; the cause stays for Reel's own log. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isAway(error) || SHUT.test((error as { code?: string }).code ?? '')
      ? Object.assign(unavailable('The database does not answer; try again shortly'), { cause: error })
      : error;
  }
}

export function isAway(error: unknown): boolean {
  if (error instanceof ReelError) return false;
  const { code, message } = error as { code?: string; message?: string };
  if (code === '57014') return false; // query_canceled: a statement of our own that took too long
  return (
    AWAY.test(code ?? '') ||
    AWAY_SYSTEM.has(code ?? '') ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      message ?? '',
    )
  );
}

const placeOf = (url: string) => new URL(url).host;
const oneLine = (error: unknown) => (error as Error).message.split('\n')[0];
