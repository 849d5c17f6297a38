import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { StartError } from '../errors.js';
import { type CommandContext, refuseProduction } from './context.js';
import { required } from './options.js';
import { type PersonOptions, personOptions, personToken } from './person.js';

export function linkCommand(program: Command, context: CommandContext): void {
  personOptions(
    program.command('link').description('print a link that opens the viewer signed in (development only)'),
  ).action(async (options: PersonOptions) => {
    const config = context.config();
    refuseProduction(config, 'link');
    const origin = originOf(config);
    const { client = [] } = options;
    const tenant = required(options.tenant, '--tenant <id>');
    const parts = new URLSearchParams({ token: await personToken(config, options, context.note), tenant });
    // A single client is preselected; among several the viewer lets the person choose.
    if (client.length === 1) parts.set('client', client[0]!);
    const url = `${origin}/#${parts}`;
    context.print(options, { url }, url);
  });
}

/** The server's origin for a browser on this machine. */
function originOf({ host, port }: Config): string {
  if (port === 0) throw new StartError('REEL_PORT: expected the port that the server listens on, got 0');
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
