import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery, type Transaction } from 'kysely';
import { cutError } from './answer-within.js';
import type { ReadDatabase, ReadOptions, WriteDatabase } from './database.js';
import {
  compile,
  type Execute,
  type Row,
  readSettingsSql,
  readTenantSql,
  type Statement,
  type TextRow,
  writeTenantsSql,
} from './execute.js';
import { translateFaults, withRetries } from './unavailable.js';

/**
 * Reel's tables through a host's EntityManager: within its current transaction, or, where there is none, in a new one on
 * the host's connections.
 */
export class HostDatabase implements ReadDatabase, WriteDatabase {
  constructor(private readonly em: EntityManager) {}

  read<T>(tenantId: string, work: (execute: Execute) => Promise<T>, options: ReadOptions = {}): Promise<T> {
    return this.translated('Reading', () =>
      this.transact(readTenantSql(tenantId), work, readSettingsSql(options)),
    );
  }

  query<R extends Row | TextRow>(
    tenantId: string,
    statement: Statement,
    options?: ReadOptions,
  ): Promise<R[]> {
    return this.read(tenantId, (execute) => execute<R>(statement), options);
  }

  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    const settings = readSettingsSql({ statementMs: STATEMENT_MS });
    return this.translated('Writing', () => this.transact(writeTenantsSql(tenantIds), work, settings));
  }

  /** In a transaction of the host's, which an error ends, a deadlock is the host's to see: it runs all of it again. */
  private translated<T>(doing: 'Reading' | 'Writing', work: () => Promise<T>): Promise<T> {
    if (!this.em.isInTransaction()) return translateFaults(doing, () => withRetries(work));
    return translateFaults(doing, work, ({ isRetried }, error) => {
      if (isRetried) throw error;
    });
  }

  /**
   * `settings` are left out in a transaction of the host's, whose own statements they would change. Each statement goes by itself,
   * as Citus needs it (opening.ts), which the host's connections may lead to.
   */
  private async transact<T>(
    opening: string,
    work: (execute: Execute) => Promise<T>,
    settings: readonly string[] = [],
  ): Promise<T> {
    const joined = this.em.getTransactionContext<Transaction<unknown>>();
    const inside = async (transaction: Transaction<unknown>) => {
      const execute: Execute = async <R extends Row | TextRow>(statement: Parameters<Execute>[0]) =>
        (await transaction.executeQuery(compile(statement))).rows as R[];
      await execute(CompiledQuery.raw(opening));
      if (!joined) for (const setting of settings) await execute(CompiledQuery.raw(setting));
      return work(execute);
    };
    if (joined) return inside(joined);
    // The connections are the host's to look after; the call at least has an answer.
    return inTime((begun) =>
      this.transactAlone(async (transaction) => {
        begun();
        return inside(transaction);
      }),
    );
  }

  /**
   * By kysely's own transaction(): the connection's transactional() never gives back a connection that breaks in it, so
   * that a restart of the database would empty the host's pool.
   */
  private async transactAlone<T>(inside: (transaction: Transaction<unknown>) => Promise<T>): Promise<T> {
    const connection = this.em.getConnection('write');
    await connection.ensureConnection();
    let cause: unknown;
    const client = connection.getClient<Record<string, never>>();
    try {
      return await client.transaction().execute(async (transaction) => {
        try {
          return await inside(transaction as unknown as Transaction<unknown>);
        } catch (error) {
          cause = error;
          throw error;
        }
      });
    } catch (error) {
      // Of a broken connection kysely has the error of the rollback, which says less.
      throw cause ?? error;
    }
  }
}

/** The default of REEL_STATEMENT_MS. */
const STATEMENT_MS = 15_000;
/** For the host's pool to hand out a connection and begin a transaction on it, and then for the transaction. */
const BEGIN_MS = 9_000;
const TRANSACTION_MS = 20_000;

/** Errors: ETIMEDOUT where the database does not answer. */
async function inTime<T>(work: (begun: () => void) => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const within = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(
      () => reject(cutError(`expected an answer of the database within ${ms} ms, got none`)),
      ms,
    );
  };
  within(BEGIN_MS);
  try {
    return await Promise.race([work(() => within(TRANSACTION_MS)), late]);
  } finally {
    clearTimeout(timer);
  }
}
