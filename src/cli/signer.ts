import { withDevelopmentSecrets } from '../auth/secrets.js';
import { type Config, loadSigningKey } from '../config/config.js';
import type { Signer } from '../seal/note.js';
import { signerFrom } from '../seal/open-seal.js';

/** Who signs checkpoints, as the server would. Errors: StartError or ConfigError where there is no key or name. */
export async function commandSigner(config: Config): Promise<Signer> {
  const { signingKey, origin } = await withDevelopmentSecrets(config);
  return signerFrom({ signingKey: signingKey && loadSigningKey(signingKey), origin });
}
