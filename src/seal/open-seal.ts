import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { StartError } from '../errors.js';
import { type Signer, signerOf, vkeyOf } from './note.js';
import { StoredSeal } from './proof.js';
import { Sealer } from './sealer.js';
import type { Sealed } from './sequencer.js';
import { publishKey, readKeys } from './signing-keys.js';
import { Witness } from './witness.js';

export interface Seal {
  sealer: Sealer;
  service: StoredSeal;
  /** Verifier keys as C2SP vkeys, newest first. */
  keys(): Promise<string[]>;
  /** To be told of every checkpoint. */
  onSealed(sealed: Sealed): void;
  close(): Promise<void>;
}

/** Errors: StartError without a key or a name to sign with. */
export function signerFrom({ signingKey, origin }: Pick<Config, 'signingKey' | 'origin'>): Signer {
  if (signingKey === null)
    throw new StartError('REEL_SIGNING_KEY: expected an Ed25519 private key as PKCS 8 PEM, got nothing');
  if (origin === null)
    throw new StartError('REEL_ORIGIN: expected the name that checkpoints are signed under, got nothing');
  return signerOf(origin, signingKey);
}

/** Everything about the seal that a server needs; its key is published first, so that no checkpoint is ahead of it. */
export async function openSeal(
  database: Database,
  config: Pick<Config, 'signingKey' | 'origin' | 'witnessUrl'>,
  onFault: (error: unknown) => void,
): Promise<Seal> {
  const signer = signerFrom(config);
  await publishKey(database, signer);
  const witness = config.witnessUrl === null ? null : new Witness({ url: config.witnessUrl, onFault });
  return {
    sealer: new Sealer(signer),
    service: new StoredSeal(database),
    keys: async () => (await readKeys(database)).map(vkeyOf),
    onSealed: ({ tenantId, note }) => witness?.tell(tenantId, note),
    close: async () => witness?.stop(),
  };
}
