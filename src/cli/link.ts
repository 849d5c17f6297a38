import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { StartError } from '../errors.js';
import { type Frame, refuseProduction } from './frame.js';
import { needed } from './options.js';
import { type PersonOptions, personOptions, personToken } from './person.js';

export function linkCommand(program: Command, frame: Frame): void {
  personOptions(
    program.command('link').description('print a link that opens the viewer signed in (development only)'),
  ).action(async (options: PersonOptions) => {
    const config = frame.config();
    refuseProduction(config, 'link');
    const place = placeOf(config);
    const { client = [] } = options;
    const tenant = needed(options.tenant, '--tenant <id>');
    const parts = new URLSearchParams({ token: await personToken(config, options, frame.say), tenant });
    // One client is the one to begin with; of several the viewer lets choose.
    if (client.length === 1) parts.set('client', client[0]!);
    const url = `${place}/#${parts}`;
    frame.answer(options, { url }, url);
  });
}

/** Where a browser on this machine finds the server. */
function placeOf({ host, port }: Config): string {
  if (port === 0) throw new StartError('REEL_PORT: expected the port that the server listens on, got 0');
  const here = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${here.includes(':') ? `[${here}]` : here}:${port}`;
}
