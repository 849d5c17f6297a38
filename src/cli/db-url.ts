import { type Command, Option } from 'commander';
import { embeddedUrls } from '../database/embedded/embedded.js';
import { StartError } from '../errors.js';
import { type CommandContext, refuseProduction } from './context.js';

export function dbUrlCommand(program: Command, context: CommandContext): void {
  program
    .command('db-url')
    .description('print the URL of the running embedded database (development only)')
    .addOption(
      new Option('--role <role>', 'role to connect as').choices(['owner', 'runtime']).default('owner'),
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: { role: 'owner' | 'runtime'; json?: boolean }) => {
      const config = context.config();
      refuseProduction(config, 'db-url');
      const urls = await embeddedUrls(config.dataDir);
      if (urls === null)
        throw new StartError(
          `REEL_DATA_DIR: expected a directory whose embedded database is running (run: npm start), got ${config.dataDir}`,
        );
      const url = options.role === 'owner' ? urls.ownerUrl : urls.runtimeUrl;
      context.print(options, { url, role: options.role }, url);
    });
}
