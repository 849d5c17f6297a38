import type { Command } from 'commander';
import pg from 'pg';
import type { Config } from '../config/config.js';
import { embeddedUrls } from '../database/embedded/embedded.js';
import { MIGRATION_NAMES } from '../database/migration-names.js';
import { StartError } from '../errors.js';
import { migrate } from '../log/migrate.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withBothRoles } from './database.js';

interface MigrateOptions {
  check?: boolean;
  json?: boolean;
}

export function migrateCommand(program: Command, context: CommandContext): void {
  program
    .command('migrate')
    .description('bring the database up to date as its owner (REEL_MIGRATE_URL); safe to repeat')
    .option('--check', 'change nothing, only check the database at REEL_DATABASE_URL')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('with --check, the database is not up to date'))
    .action(async (options: MigrateOptions) => {
      if (options.check) return checkMigrated(context, options);
      const { applied } = await withBothRoles(context.config(), ({ ownerUrl, runtimeUrl }) =>
        migrate(ownerUrl, runtimeUrl),
      );
      if (applied.length === 0) context.note('the database is up to date');
      context.print(options, { applied }, applied.map((name) => `applied ${name}`).join('\n'));
    });
}

/** Checks as the server does, so that its own connection is enough. Errors: Problem, StartError. */
async function checkMigrated(context: CommandContext, options: MigrateOptions): Promise<void> {
  const applied = await appliedMigrations(await runtimeUrlOf(context.config()));
  const missing = MIGRATION_NAMES.filter((name) => !applied.has(name));
  context.print(options, { missing }, missing.map((name) => `missing ${name}`).join('\n'));
  if (missing.length > 0) throw new Problem('the database is not up to date (run: reel migrate)');
  context.note('the database is up to date');
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
    // undefined_table, insufficient_privilege: never migrated, or not for this role.
    if (['42P01', '42501'].includes((error as { code?: string }).code ?? '')) return new Set();
    const why = (error as Error).message.split('\n')[0];
    throw new StartError(`REEL_DATABASE_URL: expected a PostgreSQL server at ${new URL(url).host}: ${why}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
