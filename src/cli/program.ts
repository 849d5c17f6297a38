import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CommandContext } from './context.js';

type AddCommand = (program: Command, context: CommandContext) => void;

/**
 * In the order of `reel --help`. A new command is a file of its own and a line here. Each is loaded when it is named,
 * since some load everything for the database.
 */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  token: async () => (await import('./token.js')).tokenCommand,
  link: async () => (await import('./link.js')).linkCommand,
  key: async () => (await import('./key.js')).keyCommand,
  'db-url': async () => (await import('./db-url.js')).dbUrlCommand,
  migrate: async () => (await import('./migrate.js')).migrateCommand,
  distribute: async () => (await import('./distribute.js')).distributeCommand,
  seed: async () => (await import('./seed.js')).seedCommand,
  verify: async () => (await import('./verify.js')).verifyCommand,
  checkpoint: async () => (await import('./checkpoint.js')).checkpointCommand,
  cleanup: async () => (await import('./cleanup.js')).cleanupCommand,
  hold: async () => (await import('./hold.js')).holdCommand,
  erase: async () => (await import('./erase.js')).eraseCommand,
  export: async () => (await import('./export.js')).exportCommand,
  tail: async () => (await import('./tail.js')).tailCommand,
  stream: async () => (await import('./stream.js')).streamCommand,
  actions: async () => (await import('./actions.js')).actionsCommand,
  doctor: async () => (await import('./doctor.js')).doctorCommand,
};

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** `reel` with the `named` command, or with all of them if there is none of that name. */
export async function createProgram(context: CommandContext, named = ''): Promise<Command> {
  const program = new Command('reel')
    .description('Commands of Reel, the audit trail of a multi-tenant platform.')
    .version(version)
    .showSuggestionAfterError()
    .exitOverride();
  for (const name of Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS))
    (await COMMANDS[name]!())(program, context);
  return program;
}
