import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { SETTINGS } from '../config/config.js';
import { StartError } from '../errors.js';
import { countRemovable, removeEntries } from '../log/retention/cleanup.js';
import { OwnEntries } from '../log/retention/own-entries.js';
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
      const before = new Date(Date.now() - days * DAY_MS);
      const retention = {
        before,
        tenantId: options.tenant ?? null,
        reason: `older than ${days} ${days === 1 ? 'day' : 'days'}`,
        ownEntries: new OwnEntries(operator(), 'reel cleanup'),
        onRemoved: (total: number) => context.progress(`${total} entries removed`),
      };
      const removed = await withOwner(config, (database) =>
        dryRun ? countRemovable(database, retention) : removeEntries(database, retention),
      ).finally(() => context.progress(''));
      const entries = [...removed.values()].reduce((sum, count) => sum + count, 0);
      const tenants = [...removed].map(([tenantId, count]) => ({ tenantId, entries: count }));
      context.print(
        options,
        { dryRun, before: before.toISOString(), entries, tenants },
        `${dryRun ? 'would remove' : 'removed'} ${entries} entries created before ${before.toISOString()}`,
      );
    });
}

function daysOf({ days }: CleanupOptions, { retentionDays }: Config): number {
  const given = days ?? retentionDays;
  if (given > 0) return given;
  throw new StartError(
    `--days: expected a number of days, since ${SETTINGS.retentionDays.variable} is 0 (keep forever), got nothing`,
  );
}
