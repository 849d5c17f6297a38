import type { Command } from 'commander';
import { sql } from 'kysely';
import type { Config } from '../config/config.js';
import { SETTINGS } from '../config/config.js';
import { StartError } from '../errors.js';
import { countRemovable, removeEntries } from '../log/retention/cleanup.js';
import { OwnEntries, type OwnerDatabase } from '../log/retention/own-entries.js';
import type { CommandContext } from './context.js';
import { withOwner } from './database.js';
import { operator } from './operator.js';
import { integerOption, uuidOption } from './options.js';

interface CleanupOptions {
  days?: number;
  tenant?: string;
  dryRun?: boolean;
  json?: boolean;
}

const DAY_MS = 86_400_000;

export function cleanupCommand(program: Command, context: CommandContext): void {
  program
    .command('cleanup')
    .description('remove old entries, except those on hold, as the owner (REEL_MIGRATE_URL)')
    .option(
      '--days <n>',
      'remove entries older than this many days (default: REEL_RETENTION_DAYS)',
      integerOption(1, 36_500),
    )
    .option('--tenant <id>', "only this tenant's entries", uuidOption)
    .option('--dry-run', 'remove nothing, only print how many entries would go')
    .option('--json', 'print the result as JSON, with the number of entries per tenant')
    .action(async (options: CleanupOptions) => {
      const config = context.config();
      const { dryRun = false } = options;
      const days = daysOf(options, config);
      const ownEntries = new OwnEntries(operator(), 'reel cleanup');
      const { before, removed } = await withOwner(config, async (database) => {
        const before = await daysAgo(database, days);
        const retention = {
          before,
          tenantId: options.tenant ?? null,
          reason: `older than ${days} ${days === 1 ? 'day' : 'days'}`,
          ownEntries,
          onRemoved: (total: number) => context.progress(`${total} entries removed`),
        };
        const work = dryRun ? countRemovable(database, retention) : removeEntries(database, retention);
        return { before, removed: await work };
      }).finally(() => context.progress(''));
      const entries = [...removed.values()].reduce((sum, count) => sum + count, 0);
      const tenants = [...removed].map(([tenantId, count]) => ({ tenantId, entries: count }));
      context.print(
        options,
        { dryRun, before: before.toISOString(), entries, tenants },
        `${dryRun ? 'would remove' : 'removed'} ${entries} entries created before ${before.toISOString()}`,
      );
    });
}

/** By the database's clock: this machine's may be wrong, and what is removed is gone. */
async function daysAgo(database: OwnerDatabase, days: number): Promise<Date> {
  const [row] = await database.transact((execute) =>
    execute<{ ms: string }>(sql`select extract(epoch from now()) * 1000 - ${days * DAY_MS}::bigint as ms`),
  );
  return new Date(Math.floor(Number(row!.ms)));
}

function daysOf({ days }: CleanupOptions, { retentionDays }: Config): number {
  const given = days ?? retentionDays;
  if (given > 0) return given;
  throw new StartError(
    `--days: expected a number of days, since ${SETTINGS.retentionDays.variable} is 0 (keep forever), got nothing`,
  );
}
