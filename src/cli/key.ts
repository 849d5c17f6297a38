import { generateKeyPairSync } from 'node:crypto';
import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { connectSession } from '../database/session.js';
import { StartError } from '../errors.js';
import { signerOf, vkeyOf } from '../seal/note.js';
import { readKeys } from '../seal/signing-keys.js';
import { withRuntimeRole } from './database.js';
import type { Frame } from './frame.js';
import { commandSigner } from './signer.js';

export function keyCommand(program: Command, frame: Frame): void {
  program
    .command('key')
    .description('print the public verifier keys, newest first, or make a new signing key')
    .option('--new', 'print a new private key as PEM; nothing is stored')
    .option('--json', 'answer as JSON')
    .action(async (options: { new?: boolean; json?: boolean }) => {
      const config = frame.config();
      if (options.new) {
        const pem = generateKeyPairSync('ed25519')
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString();
        const vkey = config.origin === null ? null : vkeyOf(signerOf(config.origin, pem));
        if (vkey) frame.say(`its verifier key: ${vkey}`);
        frame.answer(options, { privateKey: pem, vkey }, pem.trimEnd());
        return;
      }
      const keys = await publicKeys(config);
      frame.answer(options, { keys }, keys.join('\n'));
    });
}

/** The published keys and, in front of them, the configured one where it has not signed anything yet. */
async function publicKeys(config: Config): Promise<string[]> {
  const hasKey = config.env === 'development' || (config.signingKey !== null && config.origin !== null);
  const own = hasKey ? vkeyOf(await commandSigner(config)) : null;
  if (config.env === 'production' && config.databaseUrl === null) {
    if (own === null)
      throw new StartError(
        'REEL_DATABASE_URL or REEL_SIGNING_KEY and REEL_ORIGIN: expected one, got nothing',
      );
    return [own];
  }
  const published = await withRuntimeRole(config, async (url) => {
    const database = await connectSession(url, 2);
    try {
      return (await readKeys(database)).map(vkeyOf);
    } finally {
      await database.close();
    }
  });
  return own === null || published.includes(own) ? published : [own, ...published];
}
