import { applyMigrations, type Migrated } from '../database/migrate.js';
import { fillDerivedColumns } from './entry/derived-columns.js';

/**
 * Brings a database up to date as its owner, with everything that the runtime role of `runtimeUrl` needs. Safe to run
 * again and concurrently. Errors: StartError.
 */
export const migrate = (ownerUrl: string, runtimeUrl: string): Promise<Migrated> =>
  applyMigrations(ownerUrl, runtimeUrl, fillDerivedColumns);
