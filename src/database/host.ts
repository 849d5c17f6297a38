import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery, type Transaction } from 'kysely';
import { type ReadDatabase, type WriteDatabase } from './database.js';
import { compile, type Execute, type Row, readTenantSql, writeTenantsSql } from './execute.js';

/**
 * Reel's tables through a host's EntityManager: within its current transaction, or, where there is none, in a new one on
 * the host's connections.
 */
export class HostDatabase implements ReadDatabase, WriteDatabase {
  constructor(private readonly em: EntityManager) {}

  read<T>(tenantId: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.transact(readTenantSql(tenantId), work);
  }

  write<T>(tenantIds: readonly string[], work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.transact(writeTenantsSql(tenantIds), work);
  }

  private async transact<T>(opening: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    const joined = this.em.getTransactionContext<Transaction<unknown>>();
    const inside = async (transaction: Transaction<unknown>) => {
      const execute: Execute = async <R extends Row>(statement: Parameters<Execute>[0]) =>
        (await transaction.executeQuery(compile(statement))).rows as R[];
      await execute(CompiledQuery.raw(opening));
      return work(execute);
    };
    return joined
      ? inside(joined)
      : this.em
          .getConnection('write')
          .transactional((transaction) => inside(transaction as unknown as Transaction<unknown>));
  }
}
