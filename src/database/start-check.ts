import type { Pool } from 'pg';
import { StartError } from '../errors.js';
import { MIGRATION_NAMES } from './migration-names.js';
import { excessPrivileges } from './roles.js';

/** Errors: StartError where no connection to `url` can be made. */
export async function checkReachable(pool: Pool, url: string): Promise<void> {
  try {
    await pool.query('select 1');
  } catch (error) {
    throw unreachable(url, error);
  }
}

/** Errors: StartError where the role has too many rights, or the database is not migrated. */
export async function checkRole(pool: Pool, url: string): Promise<void> {
  const client = await pool.connect();
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
  const missing = await missingMigrations(pool);
  if (missing.length > 0) {
    // Of a database that never was migrated the list would tell nothing.
    const lacks = missing.length < MIGRATION_NAMES.length ? `, got one without ${missing.join(', ')}` : '';
    throw new StartError(
      `REEL_DATABASE_URL: expected a migrated database at ${hostOf(url)}${lacks} (run: reel migrate)`,
    );
  }
}

/** Migrations of this release that are not applied, as far as the role may see. */
async function missingMigrations(pool: Pool): Promise<string[]> {
  try {
    const { rows } = await pool.query<{ name: string }>('select name from reel_migrations');
    const applied = new Set(rows.map((row) => row.name));
    return MIGRATION_NAMES.filter((name) => !applied.has(name));
  } catch (error) {
    if (['42P01', '42501'].includes((error as { code?: string }).code ?? '')) return [...MIGRATION_NAMES];
    throw error;
  }
}

/** The database at `url` cannot be reached. */
export const unreachable = (url: string, error: unknown) =>
  new StartError(`REEL_DATABASE_URL: expected a PostgreSQL reachable at ${hostOf(url)}: ${oneLine(error)}`, {
    cause: error,
  });

const hostOf = (url: string) => new URL(url).host;
const oneLine = (error: unknown) => (error as Error).message.split('\n')[0];
