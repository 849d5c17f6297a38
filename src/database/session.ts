import pg from 'pg';
import { Database } from './database.js';

/** The driver's own options for a session on that database. */
export const sessionOf = (url: string) => ({
  connectionString: splitUrl(url).clientUrl,
  connectionTimeoutMillis: 10_000,
  application_name: 'reel',
  options: '-c timezone=UTC -c datestyle=ISO -c jit=off',
});

/** Kept apart for addresses whose `schema` parameter is MikroORM's and unknown to the driver. */
export function splitUrl(url: string): { clientUrl: string; schema: string | null } {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema');
  parsed.searchParams.delete('schema');
  return { clientUrl: parsed.toString(), schema };
}

/**
 * Connects as the runtime role with the driver's pool alone, `connections` at the most: for commands, which would wait
 * longer for the ORM to be loaded than for most of what they do. Errors: those of Database.over.
 */
export function connectSession(url: string, connections: number): Promise<Database> {
  const pool = new pg.Pool({ ...sessionOf(url), max: connections });
  // A connection that breaks while nothing is asked of it is told by the next statement.
  pool.on('error', () => {});
  return Database.over({ reading: pool, writing: pool }, url, () => pool.end());
}
