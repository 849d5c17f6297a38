import type { Command } from 'commander';
import pg from 'pg';
import type { Config } from '../config/config.js';
import { embeddedUrls } from '../database/embedded/embedded.js';
import { migrate } from '../database/migrate.js';
import { MIGRATION_NAMES } from '../database/migration-names.js';
import { StartError } from '../errors.js';
import { withBothRoles } from './database.js';
import { exit1, Finding, type Frame } from './frame.js';

interface MigrateOptions {
  check?: boolean;
  json?: boolean;
}

export function migrateCommand(program: Command, frame: Frame): void {
  program
    .command('migrate')
    .description('bring the database up to date as its owner (REEL_MIGRATE_URL); safe to repeat')
    .option('--check', 'change nothing, only check the database at REEL_DATABASE_URL')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('with --check, the database is not up to date'))
    .action(async (options: MigrateOptions) => {
      if (options.check) return checkMigrated(frame, options);
      const { applied } = await withBothRoles(frame.config(), ({ ownerUrl, runtimeUrl }) =>
        migrate(ownerUrl, runtimeUrl),
      );
      if (applied.length === 0) frame.say('the database is up to date');
      frame.answer(options, { applied }, applied.map((name) => `applied ${name}`).join('\n'));
    });
}

/** Asks as the server would, so that nothing but its own connection is needed. Errors: Finding, StartError. */
async function checkMigrated(frame: Frame, options: MigrateOptions): Promise<void> {
  const applied = await appliedMigrations(await runtimeUrlOf(frame.config()));
  const missing = MIGRATION_NAMES.filter((name) => !applied.has(name));
  frame.answer(options, { missing }, missing.map((name) => `missing ${name}`).join('\n'));
  if (missing.length > 0) throw new Finding('the database is not up to date (run: reel migrate)');
  frame.say('the database is up to date');
}

async function runtimeUrlOf({ databaseUrl, env, dataDir }: Config): Promise<string> {
  const url = databaseUrl ?? (env === 'development' ? (await embeddedUrls(dataDir))?.runtimeUrl : null);
  if (!url) throw new StartError("REEL_DATABASE_URL: expected the runtime role's connection, got nothing");
  return url;
}

async function appliedMigrations(url: string): Promise<Set<string>> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>('select name from reel_migrations');
    return new Set(rows.map((row) => row.name));
  } catch (error) {
    // undefined_table, insufficient_privilege: nobody has migrated it, or not for this role.
    if (['42P01', '42501'].includes((error as { code?: string }).code ?? '')) return new Set();
    const why = (error as Error).message.split('\n')[0];
    throw new StartError(`REEL_DATABASE_URL: expected a PostgreSQL server at ${new URL(url).host}: ${why}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
