import { Migrator } from '@mikro-orm/migrations';
import type { Options } from '@mikro-orm/postgresql';
import { readConfig } from './src/config/config.js';
import { embeddedUrls } from './src/database/embedded/embedded.js';
import { databaseOptions } from './src/database/options.js';
import { MIGRATIONS } from './src/database/pending.js';
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
const options = databaseOptions(ownerUrl, { max: 2 }, [LogEntry]);
const commandLine: Options = {
  ...options,
  extensions: [...(options.extensions ?? []), Migrator],
  migrations: {
    ...options.migrations,
    migrationsList: MIGRATIONS,
    snapshot: false,
    disableForeignKeys: false,
  },
};
export default commandLine;
