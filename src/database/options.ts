import { defineConfig, type EntityClass, type Options } from '@mikro-orm/postgresql';
import { MIGRATIONS_TABLE } from './migration-names.js';
import { ReelSchemaGenerator } from './schema-generator.js';
import { sessionOptions, splitUrl } from './session.js';

export interface PoolBounds {
  /** Maximum connections, each for reading and for writing. */
  max: number;
}

/**
 * MikroORM's options for Reel's tables on one database; sessions speak UTC, so that instants are read as stored. Reel's
 * own statements need no entities, only its connections.
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
    extensions: [ReelSchemaGenerator],
    pool: { min: 0, max: pool.max, idleTimeoutMillis: 30_000 },
    driverOptions: session,
    // A pool of its own for reading, so that slow reads never keep a write waiting for a connection.
    replicas: [{ name: 'reading' }],
    migrations: { tableName: MIGRATIONS_TABLE },
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
}
