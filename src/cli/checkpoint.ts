import type { Command } from 'commander';
import { connectPool } from '../database/session.js';
import { StoredProver } from '../seal/stored-prover.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withRuntimeRole } from './database.js';
import { required, uuidOption } from './options.js';

export function checkpointCommand(program: Command, context: CommandContext): void {
  program
    .command('checkpoint')
    .description("print the newest signed checkpoint of a tenant's log, to be kept elsewhere")
    .option('--tenant <id>', 'tenant whose checkpoint to print (required)', uuidOption)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('nothing of the tenant is sealed yet'))
    .action(async (options: { tenant?: string; json?: boolean }) => {
      const tenantId = required(options.tenant, '--tenant <id>');
      const checkpoint = await withRuntimeRole(context.config(), async (url) => {
        const database = await connectPool(url, 2);
        try {
          return await new StoredProver(database).checkpoint({ tenantId, clients: null });
        } finally {
          await database.close();
        }
      });
      if (checkpoint === null) throw new Problem(`tenant ${tenantId} has no sealed entries yet`);
      context.print(options, checkpoint, checkpoint.note.slice(0, -1));
    });
}
