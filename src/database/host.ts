import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery, type Transaction } from 'kysely';
import { type ReadDatabase, type WriteDatabase } from './database.js';
import { compile, type Row, type Run, readingAs, writingAs } from './run.js';

/**
 * Reel's tables through a host's EntityManager: within its current transaction, or, where there is none, in a new one on
 * the host's connections.
 */
export class HostDatabase implements ReadDatabase, WriteDatabase {
  constructor(private readonly em: EntityManager) {}

  read<T>(tenantId: string, work: (run: Run) => Promise<T>): Promise<T> {
    return this.transact(readingAs(tenantId), work);
  }

  write<T>(tenantIds: readonly string[], work: (run: Run) => Promise<T>): Promise<T> {
    return this.transact(writingAs(tenantIds), work);
  }

  private async transact<T>(opening: string, work: (run: Run) => Promise<T>): Promise<T> {
    const joined = this.em.getTransactionContext<Transaction<unknown>>();
    const inside = async (transaction: Transaction<unknown>) => {
      const run: Run = async <R extends Row>(statement: Parameters<Run>[0]) =>
        (await transaction.executeQuery(compile(statement))).rows as R[];
      await run(CompiledQuery.raw(opening));
      return work(run);
    };
    return joined
      ? inside(joined)
      : this.em
          .getConnection('write')
          .transactional((transaction) => inside(transaction as unknown as Transaction<unknown>));
  }
}
