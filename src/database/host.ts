import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery, type Transaction } from 'kysely';
import { type ReadDatabase, type ReadOptions, type WriteDatabase } from './database.js';
import {
  compile,
  type Execute,
  type Row,
  readSettingsSql,
  readTenantSql,
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
      this.transact(readTenantSql(tenantId), work, readSettingsSql(options).join('; ')),
    );
  }

  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.translated('Writing', () => this.transact(writeTenantsSql(tenantIds), work));
  }

  /** In a transaction of the host's, which an error ends, a deadlock is the host's to see: it runs all of it again. */
  private translated<T>(doing: 'Reading' | 'Writing', work: () => Promise<T>): Promise<T> {
    if (!this.em.isInTransaction()) return translateFaults(doing, () => withRetries(work));
    return translateFaults(doing, work, ({ isRetried }, error) => {
      if (isRetried) throw error;
    });
  }

  /** `settings` are left out in a transaction of the host's, whose own statements they would change. */
  private async transact<T>(
    opening: string,
    work: (execute: Execute) => Promise<T>,
    settings = '',
  ): Promise<T> {
    const joined = this.em.getTransactionContext<Transaction<unknown>>();
    const inside = async (transaction: Transaction<unknown>) => {
      const execute: Execute = async <R extends Row>(statement: Parameters<Execute>[0]) =>
        (await transaction.executeQuery(compile(statement))).rows as R[];
      await execute(CompiledQuery.raw(opening));
      if (!joined && settings) await execute(CompiledQuery.raw(settings));
      return work(execute);
    };
    return joined ? inside(joined) : this.transactAlone(inside);
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
