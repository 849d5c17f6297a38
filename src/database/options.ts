import { type Migration, Migrator } from '@mikro-orm/migrations';
import { type Constructor, defineConfig, type EntityClass, type Options } from '@mikro-orm/postgresql';
import { MIGRATION_NAMES, type MigrationName } from './migration-names.js';
import { Migration20261124000000_trail } from './migrations/Migration20261124000000_trail.js';
import { Migration20261124000001_seal } from './migrations/Migration20261124000001_seal.js';
import { Migration20261124000002_retention } from './migrations/Migration20261124000002_retention.js';
import { Migration20261124000003_kept } from './migrations/Migration20261124000003_kept.js';
import { Migration20261129000000_records } from './migrations/Migration20261129000000_records.js';
import { Migration20261129000001_search } from './migrations/Migration20261129000001_search.js';
import { Migration20261129000002_walls } from './migrations/Migration20261129000002_walls.js';
import { Migration20261129000003_sealing } from './migrations/Migration20261129000003_sealing.js';
import { Migration20261129000004_counts } from './migrations/Migration20261129000004_counts.js';
import { Migration20261129000005_policies } from './migrations/Migration20261129000005_policies.js';
import { Migration20261129000006_waiting } from './migrations/Migration20261129000006_waiting.js';
import { Migration20261129000007_search_nodes } from './migrations/Migration20261129000007_search_nodes.js';
import { Migration20261129000010_streams } from './migrations/Migration20261129000010_streams.js';
import { Migration20261129000020_value_counts } from './migrations/Migration20261129000020_value_counts.js';
import { ReelSchemaGenerator } from './schema-generator.js';
import { sessionOptions, splitUrl } from './session.js';

const CLASSES: Record<MigrationName, Constructor<Migration>> = {
  Migration20261124000000_trail,
  Migration20261124000001_seal,
  Migration20261124000002_retention,
  Migration20261124000003_kept,
  Migration20261129000000_records,
  Migration20261129000001_search,
  Migration20261129000002_walls,
  Migration20261129000003_sealing,
  Migration20261129000004_counts,
  Migration20261129000005_policies,
  Migration20261129000006_waiting,
  Migration20261129000007_search_nodes,
  Migration20261129000010_streams,
  Migration20261129000020_value_counts,
};

export interface PoolBounds {
  /** Maximum connections, each for reading and for writing. */
  max: number;
}

/**
 * MikroORM's options for Reel's tables on one database; sessions speak UTC, so that instants are read as stored. Reel's
 * own statements need no entities, only its connections and migrations.
 */
export function databaseOptions(
  url: string,
  pool: PoolBounds,
  entities: EntityClass<object>[] = [],
  statementMs: number | null = null,
): Options {
  const { clientUrl, schema } = splitUrl(url);
  const { connectionString: _, ...session } = sessionOptions(url, statementMs);
  return defineConfig({
    clientUrl,
    ...(schema ? { schema } : {}),
    entities,
    extensions: [Migrator, ReelSchemaGenerator],
    pool: { min: 0, max: pool.max, idleTimeoutMillis: 30_000 },
    driverOptions: session,
    // A pool of its own for reading, so that slow reads never keep a write waiting for a connection.
    replicas: [{ name: 'reading' }],
    migrations: {
      tableName: 'reel_migrations',
      migrationsList: MIGRATION_NAMES.map((name) => ({ name, class: CLASSES[name] })),
      snapshot: false,
      disableForeignKeys: false,
      transactional: true,
      allOrNothing: true,
    },
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
}
