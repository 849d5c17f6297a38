import { generateKeyPairSync } from 'node:crypto';
import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { connectPool } from '../database/session.js';
import { StartError } from '../errors.js';
import { signerOf, vkeyOf } from '../seal/note.js';
import { readKeys } from '../seal/signing-keys.js';
import type { CommandContext } from './context.js';
import { withRuntimeRole } from './database.js';
import { commandSigner } from './signer.js';

export function keyCommand(program: Command, context: CommandContext): void {
  program
    .command('key')
    .description('print the public verifier keys, newest first, or generate a new signing key')
    .option('--new', 'generate a private key and print it as PEM; it is stored nowhere')
    .option('--json', 'print the result as JSON')
    .action(async (options: { new?: boolean; json?: boolean }) => {
      const config = context.config();
      if (options.new) {
        const pem = generateKeyPairSync('ed25519')
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString();
        const vkey = config.origin === null ? null : vkeyOf(signerOf(config.origin, pem));
        if (vkey) context.note(`verifier key: ${vkey}`);
        context.print(options, { privateKey: pem, vkey }, pem.trimEnd());
        return;
      }
      const keys = await publicKeys(config);
      context.print(options, { keys }, keys.join('\n'));
    });
}

/** The configured key, if it has not signed anything yet, then the published ones. */
async function publicKeys(config: Config): Promise<string[]> {
  const hasKey = config.env === 'development' || (config.signingKey !== null && config.origin !== null);
  const own = hasKey ? vkeyOf(await commandSigner(config)) : null;
  if (config.env === 'production' && config.databaseUrl === null) {
    if (own === null)
      throw new StartError('expected REEL_DATABASE_URL, or REEL_SIGNING_KEY and REEL_ORIGIN, got neither');
    return [own];
  }
  const published = await withRuntimeRole(config, async (url) => {
    const database = await connectPool(url, 2);
    try {
      return (await readKeys(database)).map(vkeyOf);
    } finally {
      await database.close();
    }
  });
  return own === null || published.includes(own) ? published : [own, ...published];
}
