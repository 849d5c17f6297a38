import { readConfig } from './src/config/config.js';
import { embeddedUrls } from './src/database/embedded/embedded.js';
import { databaseOptions } from './src/database/options.js';
import { StartError } from './src/errors.js';
import { LogEntry } from './src/log/entry/log-entry.entity.js';

const { migrateUrl, dataDir } = readConfig(process.env, 'command');
const ownerUrl = migrateUrl ?? (await embeddedUrls(dataDir))?.ownerUrl;
if (!ownerUrl)
  throw new StartError(
    `REEL_MIGRATE_URL: expected the owner's connection, got nothing, and no embedded database runs in ${dataDir} (npm start)`,
  );

/**
 * For MikroORM's own command line: `npx mikro-orm migration:pending`, as the owner of the tables. `reel migrate` is what
 * applies migrations, since it also makes the months ahead and the server's role.
 */
export default databaseOptions(ownerUrl, { max: 2 }, [LogEntry]);
