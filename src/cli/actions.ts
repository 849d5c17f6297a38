import type { Command } from 'commander';
import { StartError } from '../errors.js';
import { actionsPage } from './actions-page.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { textOption } from './options.js';
import { readRegistrations } from './registration-files.js';
import { askGraphql, type Remote, type RemoteOptions, remoteOf } from './remote.js';

/** As the server answers it. */
export interface ListedAction {
  module: string;
  action: string;
  version: number;
  description: string | null;
  severity: string | null;
  resourceType: string | null;
  schema: Record<string, unknown> | null;
  redact: { path: string; how: string }[];
}

interface ActionsOptions extends RemoteOptions {
  json?: boolean;
}

interface ListOptions extends ActionsOptions {
  module?: string;
  markdown?: boolean;
}

const FIELDS = 'module action version description severity resourceType schema redact { path how }';
const LIST = `query ($module: String) { actions(module: $module) { ${FIELDS} } }`;
const REGISTER = `mutation ($actions: [RegisterActionInput!]!) { registerActions(actions: $actions) { ${FIELDS} } }`;

export function actionsCommand(program: Command, context: CommandContext): void {
  const actions = program
    .command('actions')
    .description('register the actions of a module with a server, and list what is registered');

  const remote = (name: string, description: string, whose: string): Command =>
    actions
      .command(name)
      .description(description)
      .option('--url <url>', 'URL of the server (default: REEL_URL)')
      .option('--token <token>', `${whose} (default: REEL_TOKEN)`)
      .option('--json', 'print the result as JSON');

  remote('push', "register a module's actions, all or none; safe to repeat", "the module's token")
    .argument(
      '<file...>',
      'modules that export what defineActions made, or JSON files with a list of registrations, as registrationsOf answers',
    )
    .addHelpText(
      'after',
      exit1('a version is registered with other content, or an action is not as expected'),
    )
    .action(async (files: string[], options: ActionsOptions) => {
      context.config();
      const at = remoteOf(options, context, "a module's token");
      const { module, registrations } = await readRegistrations(files);
      await checkModule(at, module);
      const known = new Set((await list(at, module)).map(keyOf));
      const registered = await push(at, registrations);
      const added = registered.filter((each) => !known.has(keyOf(each))).length;
      context.print(
        options,
        registered,
        `${module}: ${registered.length} actions are registered, ${added} of them anew`,
      );
    });

  remote('list', 'list the newest version of each registered action', 'any token')
    .option('--module <name>', 'only actions of this module', textOption(100))
    .option('--markdown', 'print a page of documentation')
    .action(async ({ module, markdown = false, ...options }: ListOptions) => {
      context.config();
      const found = await list(remoteOf(options, context, 'a token'), module ?? null);
      context.print(options, found, markdown ? actionsPage(found).trimEnd() : found.map(lineOf).join('\n'));
    });
}

const list = async (at: Remote, module: string | null): Promise<ListedAction[]> =>
  (await askGraphql<{ actions: ListedAction[] }>(at, LIST, { module })).actions;

/** Errors: Problem where the server refuses what is registered. */
async function push(at: Remote, actions: readonly object[]): Promise<ListedAction[]> {
  try {
    return (await askGraphql<{ registerActions: ListedAction[] }>(at, REGISTER, { actions })).registerActions;
  } catch (error) {
    const { message } = error as Error;
    throw /^(?:CONFLICT|BAD_USER_INPUT): /.test(message) ? new Problem(message) : error;
  }
}

/** A server takes the actions for those of the credential's module. Errors: StartError. */
async function checkModule(at: Remote, module: string): Promise<void> {
  const { me } = await askGraphql<{ me: { module: string | null } }>(at, '{ me { module } }', {});
  if (me.module !== module)
    throw new StartError(
      `--token (or REEL_TOKEN): expected the token of module ${module}, whose actions these are, got ${me.module === null ? "a person's" : `that of ${me.module}`}`,
    );
}

const keyOf = ({ action, version }: Pick<ListedAction, 'action' | 'version'>): string =>
  `${version} ${action}`;

function lineOf({ module, action, version, severity, description }: ListedAction): string {
  const said = description === null ? '' : `  ${description}`;
  return `${module}  ${action}  version ${version}  ${severity ?? '-'}${said}`;
}
