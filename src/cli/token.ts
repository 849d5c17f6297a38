import type { Command } from 'commander';
import { withDevelopmentSecrets } from '../auth/secrets.js';
import { issueModuleToken } from '../auth/token.js';
import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';
import { integerOption, textOption } from './options.js';
import { type PersonOptions, personOptions, personToken } from './person.js';

export function tokenCommand(program: Command, context: CommandContext): void {
  const token = program
    .command('token')
    .description('print a signed token, in production with the secrets that are set');

  personOptions(
    token.command('person').description("print a person's token, as Guardian would issue it"),
  ).action(async (options: PersonOptions) => {
    const text = await personToken(context.config(), options, context.note);
    context.print(options, { token: text }, text);
  });

  token
    .command('module')
    .description("print a module's service credential")
    .argument(
      '<name>',
      "the module's name, or * for a gateway that writes for several modules",
      textOption(100),
    )
    .option('--minutes <n>', 'minutes until the token expires (default: 480)', integerOption(1, 525_600))
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: { minutes?: number; json?: boolean }) => {
      const [secret] = (await withDevelopmentSecrets(context.config())).serviceSecrets;
      if (secret === undefined) throw new StartError('REEL_SERVICE_SECRET: expected a secret, got nothing');
      const text = await issueModuleToken(secret, name, options.minutes);
      context.print(options, { token: text }, text);
    });
}
