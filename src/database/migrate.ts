import { MikroORM } from '@mikro-orm/postgresql';
import type { Transaction } from 'kysely';
import { StartError } from '../errors.js';
import { compile, type Execute, type Row, type TextRow } from './execute.js';
import { MIGRATION_LOCK } from './migrate-lock.js';
import type { MigrationDriver } from './migrations/migration.js';
import { ENSURE_MONTHS_AHEAD } from './months.js';
import { databaseOptions } from './options.js';
import { applyPending } from './pending.js';
import { ensureRuntimeRole, refuseOpenSchema } from './roles.js';

/** What was done. */
export interface Migrated {
  /** Names of the migrations that were applied now. */
  applied: string[];
}

/**
 * Applies pending migrations as the owner, calls `complete` for what takes more than SQL, creates partitions for the months
 * ahead, and grants the runtime role of `runtimeUrl` what the server needs, all in one transaction. Safe to run again and
 * concurrently: an advisory lock makes one wait for the other. Errors: StartError.
 */
export async function applyMigrations(
  ownerUrl: string,
  runtimeUrl: string,
  complete: (execute: Execute) => Promise<void>,
): Promise<Migrated> {
  const orm = await MikroORM.init(databaseOptions(ownerUrl, { max: 2 }));
  try {
    return await orm.em.getConnection().transactional(async (trx) => {
      const execute = (sql: string) => orm.em.getConnection().execute(sql, [], 'all', trx);
      await refuseOpenSchema(execute);
      await execute(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      const applied = await applyPending(orm.em.getDriver() as MigrationDriver, trx);
      const transaction = trx as unknown as Transaction<unknown>;
      await complete(
        async <R extends Row | TextRow>(statement: Parameters<Execute>[0]) =>
          (await transaction.executeQuery(compile(statement))).rows as R[],
      );
      await execute(ENSURE_MONTHS_AHEAD);
      await ensureRuntimeRole(execute, ownerUrl, runtimeUrl);
      return { applied };
    });
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `REEL_MIGRATE_URL: expected a PostgreSQL database that can be migrated: ${(error as Error).message.split('\n')[0]}`,
      { cause: error },
    );
  } finally {
    await orm.close(true);
  }
}
