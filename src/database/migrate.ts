import { MikroORM } from '@mikro-orm/postgresql';
import { StartError } from '../errors.js';
import { databaseOptions } from './options.js';
import { ensureRuntimeRole } from './roles.js';

/** Monthly partitions created ahead of the current one. */
const MONTHS_AHEAD = 12;
/** An arbitrary key: every process that migrates a database must use the same. */
const MIGRATION_LOCK = 7_237_533;

/**
 * Applies pending migrations as the owner, creates partitions for the months ahead, and grants the runtime role of
 * `runtimeUrl` what the server needs. Safe to run again and concurrently: an advisory lock makes one wait for the other.
 * Errors: StartError.
 */
export async function migrate(ownerUrl: string, runtimeUrl: string): Promise<{ applied: string[] }> {
  const orm = await MikroORM.init(databaseOptions(ownerUrl, { max: 2 }));
  try {
    return await orm.em.getConnection().transactional(async (trx) => {
      const execute = (sql: string) => orm.em.getConnection().execute(sql, [], 'all', trx);
      await execute(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      const applied = await orm.migrator.up({ transaction: trx });
      await execute(
        `select reel_ensure_month(now() + make_interval(months => ahead)) from generate_series(0, ${MONTHS_AHEAD}) ahead`,
      );
      await ensureRuntimeRole(execute, ownerUrl, runtimeUrl);
      return { applied: applied.map((migration) => migration.name) };
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
