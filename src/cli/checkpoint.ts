import type { Command } from 'commander';
import { connectSession } from '../database/session.js';
import { StoredProver } from '../seal/stored-prover.js';
import { withRuntimeRole } from './database.js';
import { Finding, type Frame } from './frame.js';
import { needed, uuidOption } from './options.js';

export function checkpointCommand(program: Command, frame: Frame): void {
  program
    .command('checkpoint')
    .description("print the newest signed note of a tenant's log, for keeping outside")
    .option('--tenant <id>', 'whose log', uuidOption)
    .option('--json', 'answer as JSON')
    .action(async (options: { tenant?: string; json?: boolean }) => {
      const tenantId = needed(options.tenant, '--tenant <id>');
      const checkpoint = await withRuntimeRole(frame.config(), async (url) => {
        const database = await connectSession(url, 2);
        try {
          return await new StoredProver(database).checkpoint({ tenantId, clients: null });
        } finally {
          await database.close();
        }
      });
      if (checkpoint === null) throw new Finding(`nothing of tenant ${tenantId} is sealed yet`);
      frame.answer(options, checkpoint, checkpoint.note.slice(0, -1));
    });
}
