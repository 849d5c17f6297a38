import { withDevelopmentSecrets } from '../auth/secrets.js';
import type { Config } from '../config/config.js';
import type { Signer } from '../seal/note.js';
import { signerFrom } from '../seal/open-seal.js';

/** The signer of checkpoints, as for the server. Errors: StartError or ConfigError if the key or the name is missing. */
export async function commandSigner(config: Config): Promise<Signer> {
  return signerFrom(await withDevelopmentSecrets(config));
}
