import { withDevelopmentSecrets } from '../auth/secrets.js';
import type { Config } from '../config/config.js';
import { startEmbedded } from '../database/embedded/embedded.js';
import { lockDataDir } from '../database/embedded/lock.js';
import { oneLineFault } from '../errors.js';
import { migrate } from '../log/migrate.js';

export interface Development {
  /** With generated secrets and the embedded database's URLs where none were given. */
  config: Config;
  /** Starts the embedded database again where its processes are gone, and tells `onStarted` its address then. */
  keepRunning(onStarted: (databaseUrl: string) => void): void;
  /** Stops the embedded database, if this started one. */
  stop(): Promise<void>;
}

/**
 * Adds what development needs so that nothing has to be set: generated secrets and, without REEL_DATABASE_URL, the
 * embedded PostgreSQL, migrated. In production nothing is added.
 */
export async function prepareDevelopment(given: Config): Promise<Development> {
  const config = await withDevelopmentSecrets(given);
  if (config.env !== 'development' || config.databaseUrl !== null)
    return { config, keepRunning: () => {}, stop: async () => {} };
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
    const keepRunning = (onStarted: (databaseUrl: string) => void) =>
      database.keepRunning({
        onStarted: (urls) => onStarted(urls.runtimeUrl),
        onFault: (error) => process.stderr.write(`reel: ${oneLineFault(error)}; it is tried again\n`),
      });
    const withDatabase = Object.freeze({ ...config, databaseUrl: runtimeUrl, migrateUrl: ownerUrl });
    return { config: withDatabase, keepRunning, stop };
  } catch (error) {
    await unlock();
    throw error;
  }
}
