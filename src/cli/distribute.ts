import type { Command } from 'commander';
import { distribute, leftToDistribute } from '../database/distribute.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withBothRoles } from './database.js';

interface DistributeOptions {
  check?: boolean;
  json?: boolean;
}

export function distributeCommand(program: Command, context: CommandContext): void {
  program
    .command('distribute')
    .description(
      "distribute tenants' tables over a Citus cluster as their owner (REEL_MIGRATE_URL); safe to repeat, and to be repeated after each migration",
    )
    .option('--check', 'change nothing, only say what is left to do')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('with --check, something is left to do'))
    .action(async (options: DistributeOptions) => {
      const work = options.check ? leftToDistribute : distribute;
      const steps = await withBothRoles(context.config(), ({ ownerUrl, runtimeUrl }) =>
        work(ownerUrl, runtimeUrl),
      );
      context.print(options, options.check ? { missing: steps } : { done: steps }, steps.join('\n'));
      if (options.check && steps.length > 0)
        throw new Problem('the cluster is not as it should be (run: reel distribute)');
      if (steps.length === 0) context.note('every table is distributed');
    });
}
