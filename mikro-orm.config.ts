import { databaseOptions } from './src/database/options.js';
import { LogEntry } from './src/log/entry/log-entry.entity.js';

/** For MikroORM's own command line, as the owner of the tables: `REEL_MIGRATE_URL=… npx mikro-orm migration:pending`. */
export default databaseOptions(process.env.REEL_MIGRATE_URL ?? 'postgresql://localhost/reel', { max: 1 }, [
  LogEntry,
]);
