import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { vkeyOf } from '../seal/note.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withRuntimeRole } from './database.js';
import type { Finding } from './doctor/finding.js';
import { commandSigner } from './signer.js';

export function doctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'look at the settings, the database, keys, the witness, streams and registered actions, and say of each that it is well or what to do',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('something is to be done'))
    .action(async (options: { json?: boolean }) => {
      const findings = await examine(context);
      const open = findings.filter(({ isWell }) => !isWell);
      context.print(options, { findings }, findings.map(lineOf).join('\n'));
      if (open.length > 0) throw new Problem(`${open.length} of ${findings.length} to be done`);
    });
}

const lineOf = ({ about, isWell, detail }: Finding): string =>
  `${isWell ? 'well  ' : 'to do '} ${about}: ${detail}`;

async function examine(context: CommandContext): Promise<Finding[]> {
  // Loaded on demand, since they load what the database needs.
  const { lookAtDatabase, lookAtOwner } = await import('./doctor/database.js');
  const { lookAtKeys, lookAtOthers, lookAtSettings } = await import('./doctor/surroundings.js');
  const config = context.config();
  const settings = lookAtSettings(() => context.config('server'));
  const others = lookAtOthers(config);
  if (config.databaseUrl === null && config.env === 'production')
    return [settings, await lookAtKeys(await ownKey(config), null), ...(await others)];
  return withRuntimeRole(config, async (url) => {
    const database = await lookAtDatabase(url, config);
    const owner = config.migrateUrl === null ? [] : [await lookAtOwner(config.migrateUrl)];
    const isOpen = database.every(({ about, isWell }) => isWell || !NEEDED.includes(about));
    return [
      settings,
      ...database,
      ...owner,
      await lookAtKeys(await ownKey(config), isOpen ? url : null),
      ...(await others),
    ];
  });
}

async function ownKey(config: Config): Promise<string | null> {
  const hasKey = config.env === 'development' || (config.signingKey !== null && config.origin !== null);
  return hasKey ? vkeyOf(await commandSigner(config)) : null;
}

/** Without these nothing can be read. */
const NEEDED = ['database', 'migrations', 'role'];
