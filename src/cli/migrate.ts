import type { Command } from 'commander';
import { migrate } from '../database/migrate.js';
import { withBothRoles } from './database.js';
import type { Frame } from './frame.js';

export function migrateCommand(program: Command, frame: Frame): void {
  program
    .command('migrate')
    .description('bring the database up to date, as its owner (REEL_MIGRATE_URL); safe to run twice')
    .option('--json', 'answer as JSON')
    .action(async (options: { json?: boolean }) => {
      const { applied } = await withBothRoles(frame.config(), ({ ownerUrl, runtimeUrl }) =>
        migrate(ownerUrl, runtimeUrl),
      );
      if (applied.length === 0) frame.say('the database is up to date');
      frame.answer(options, { applied }, applied.map((name) => `applied ${name}`).join('\n'));
    });
}
