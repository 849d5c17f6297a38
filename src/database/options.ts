import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type Options } from '@mikro-orm/postgresql';
import { LogEntry } from '../log/log-entry.entity.js';
import { Migration20261124000000_trail } from './migrations/Migration20261124000000_trail.js';
import { Migration20261124000001_seal } from './migrations/Migration20261124000001_seal.js';
import { Migration20261124000002_retention } from './migrations/Migration20261124000002_retention.js';
import { Migration20261124000003_kept } from './migrations/Migration20261124000003_kept.js';

/** Every migration, oldest first. Named here, not found in a folder, so that a bundle or package has them all. */
export const MIGRATIONS = [
  { name: 'Migration20261124000000_trail', class: Migration20261124000000_trail },
  { name: 'Migration20261124000001_seal', class: Migration20261124000001_seal },
  { name: 'Migration20261124000002_retention', class: Migration20261124000002_retention },
  { name: 'Migration20261124000003_kept', class: Migration20261124000003_kept },
];

export interface PoolBounds {
  /** Connections at the most, for each of reading and writing. */
  max: number;
}

/** MikroORM's options for Reel's tables on one database; sessions speak UTC, so that instants are read as stored. */
export function databaseOptions(url: string, pool: PoolBounds): Options {
  const { clientUrl, schema } = splitUrl(url);
  const { connectionString: _, ...session } = sessionOf(url);
  return defineConfig({
    clientUrl,
    ...(schema ? { schema } : {}),
    entities: [LogEntry],
    extensions: [Migrator],
    pool: { min: 0, max: pool.max, idleTimeoutMillis: 30_000 },
    driverOptions: session,
    // Reads have connections of their own, so that slow ones never keep a write waiting.
    replicas: [{ name: 'reading' }],
    migrations: {
      tableName: 'reel_migrations',
      migrationsList: MIGRATIONS,
      snapshot: false,
      disableForeignKeys: false,
      transactional: true,
      allOrNothing: true,
    },
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
}

/** The driver's own options for a session on that database. */
export const sessionOf = (url: string) => ({
  connectionString: splitUrl(url).clientUrl,
  connectionTimeoutMillis: 10_000,
  application_name: 'reel',
  options: '-c timezone=UTC -c datestyle=ISO -c jit=off',
});

/** Kept apart for addresses whose `schema` parameter is MikroORM's and unknown to the driver. */
function splitUrl(url: string): { clientUrl: string; schema: string | null } {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema');
  parsed.searchParams.delete('schema');
  return { clientUrl: parsed.toString(), schema };
}
