import { sql } from 'kysely';
import pg from 'pg';
import type { Config } from '../config/config.js';
import { type EmbeddedUrls, embeddedUrls, startEmbedded } from '../database/embedded/embedded.js';
import { lockDataDir } from '../database/embedded/lock.js';
import { compile, type Execute, type Row, type TextRow } from '../database/execute.js';
import { CITUS_SQL } from '../database/opening.js';
import { refuseOpenSchema } from '../database/roles.js';
import { StartError } from '../errors.js';
import type { OwnerDatabase } from '../log/retention/own-entries.js';

/**
 * Passes on the URLs that are configured or, in development where none is, those of the embedded PostgreSQL: the running
 * one, or one that is started here and stopped afterwards. Errors: StartError.
 */
export async function withBothRoles<T>(config: Config, work: (urls: EmbeddedUrls) => Promise<T>): Promise<T> {
  const { migrateUrl, databaseUrl } = config;
  if (migrateUrl === null && databaseUrl === null && config.env === 'development')
    return withEmbedded(config, work);
  if (migrateUrl === null) throw missingOwner();
  if (databaseUrl === null)
    throw new StartError("REEL_DATABASE_URL: expected the runtime role's connection, got nothing");
  return work({ ownerUrl: migrateUrl, runtimeUrl: databaseUrl });
}

/** Passes on the URL for the runtime role. */
export function withRuntimeRole<T>(config: Config, work: (runtimeUrl: string) => Promise<T>): Promise<T> {
  if (config.databaseUrl !== null) return work(config.databaseUrl);
  return withEmbedded(config, ({ runtimeUrl }) => work(runtimeUrl), migrateFirst);
}

/** Connects as the owner, who sees and may delete every tenant's rows. */
export function withOwner<T>(config: Config, work: (database: OwnerDatabase) => Promise<T>): Promise<T> {
  if (config.migrateUrl !== null) return connectOwner(config.migrateUrl, work);
  if (config.databaseUrl !== null || config.env === 'production') throw missingOwner();
  return withEmbedded(config, ({ ownerUrl }) => connectOwner(ownerUrl, work), migrateFirst);
}

const missingOwner = () => new StartError("REEL_MIGRATE_URL: expected the owner's connection, got nothing");

// Loaded on demand, since it loads the ORM.
const migrateFirst = async ({ ownerUrl, runtimeUrl }: EmbeddedUrls) =>
  (await import('../log/migrate.js')).migrate(ownerUrl, runtimeUrl);

/** `prepare` is for a database that is started here; a running one was prepared by its server. */
async function withEmbedded<T>(
  config: Config,
  work: (urls: EmbeddedUrls) => Promise<T>,
  prepare: (urls: EmbeddedUrls) => Promise<unknown> = async () => {},
): Promise<T> {
  const running = await embeddedUrls(config.dataDir);
  if (running) return work(running);
  const unlock = await lockDataDir(config.dataDir);
  try {
    const database = await startEmbedded(config.dataDir);
    let stopping: Promise<void> | null = null;
    const stop = () => (stopping ??= database.stop());
    const interrupt = () =>
      void stop()
        .then(unlock)
        .finally(() => process.exit(2));
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    try {
      await prepare(database);
      return await work(database);
    } finally {
      await stop();
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    }
  } finally {
    await unlock();
  }
}

async function connectOwner<T>(url: string, work: (database: OwnerDatabase) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'reel',
    connectionTimeoutMillis: 10_000,
    options: '-c timezone=UTC -c datestyle=ISO -c jit=off',
  });
  // If the connection breaks while idle, the next statement fails.
  client.on('error', () => {});
  const execute: Execute = async <R extends Row | TextRow>(statement: Parameters<Execute>[0]) => {
    const { sql: text, parameters } = compile(statement);
    return (await client.query(text, [...parameters])).rows as R[];
  };
  try {
    await client.connect();
  } catch (error) {
    const { host } = new URL(url);
    const why = (error as Error).message.split('\n')[0];
    throw new StartError(`REEL_MIGRATE_URL: expected a PostgreSQL server at ${host}: ${why}`, {
      cause: error,
    });
  }
  try {
    await client.query('begin');
    await refuseOpenSchema(async (text) => (await client.query(text)).rows);
    await client.query('commit');
    // Created by the newest migration that these commands need.
    const [row] = await execute<{ newest: string | null; role: string; is_owner: boolean | null }>(sql`
      select to_regclass('reel_log_entries_erased') as newest, current_user as role,
        (select pg_has_role(current_user, c.relowner, 'USAGE') from pg_class c where c.oid = to_regclass('reel_log_entries')) as is_owner`);
    if (row?.newest == null)
      throw new StartError(
        `REEL_MIGRATE_URL: expected a migrated database at ${new URL(url).host} (run: reel migrate)`,
      );
    // To any other role, row-level security would show no rows, as if there were none.
    if (!row.is_owner)
      throw new StartError(`REEL_MIGRATE_URL: expected the owner of the tables, got the role ${row.role}`);
    const { rows } = await client.query<{ citus: boolean }>(CITUS_SQL);
    return await work({
      isDistributed: rows[0]!.citus,
      transact: async (inside) => {
        await client.query('begin');
        try {
          const result = await inside(execute);
          await client.query('commit');
          return result;
        } catch (error) {
          await client.query('rollback').catch(() => {});
          throw error;
        }
      },
    });
  } finally {
    await client.end();
  }
}
