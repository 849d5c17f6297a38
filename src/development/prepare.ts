import { withDevelopmentSecrets } from '../auth/secrets.js';
import type { Config } from '../config/config.js';
import { startEmbedded } from '../database/embedded/embedded.js';
import { lockDataDir } from '../database/embedded/lock.js';
import { migrate } from '../log/migrate.js';

export interface Development {
  /** With generated secrets and the embedded database's URLs where none were given. */
  config: Config;
  /** Stops the embedded database, if this started one. */
  stop(): Promise<void>;
}

/**
 * Adds what development needs so that nothing has to be set: generated secrets and, without REEL_DATABASE_URL, the
 * embedded PostgreSQL, migrated. In production nothing is added.
 */
export async function prepareDevelopment(given: Config): Promise<Development> {
  const config = await withDevelopmentSecrets(given);
  if (config.env !== 'development' || config.databaseUrl !== null) return { config, stop: async () => {} };
  const unlock = await lockDataDir(config.dataDir);
  try {
    const database = await startEmbedded(config.dataDir);
    const stop = async () => {
      await database.stop();
      await unlock();
    };
    try {
      await migrate(database.ownerUrl, database.runtimeUrl);
    } catch (error) {
      await stop();
      throw error;
    }
    const { ownerUrl, runtimeUrl } = database;
    return { config: Object.freeze({ ...config, databaseUrl: runtimeUrl, migrateUrl: ownerUrl }), stop };
  } catch (error) {
    await unlock();
    throw error;
  }
}
