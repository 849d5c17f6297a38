import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { StartError } from '../errors.js';
import { type Signer, signerOf, vkeyOf } from './note.js';
import { Sealer } from './sealer.js';
import type { Sealed } from './sequencer.js';
import { publishKey, readKeys } from './signing-keys.js';
import { StoredProver } from './stored-prover.js';
import { WitnessClient } from './witness-client.js';

export interface Seal {
  sealer: Sealer;
  prover: StoredProver;
  /** Verifier keys as C2SP vkeys, newest first. */
  keys(): Promise<string[]>;
  /** How far the witness is behind; null where there is none. */
  witness(): WitnessClient['progress'] | null;
  /** To be called after each batch. */
  onSealed(sealed: Sealed): void;
  close(): Promise<void>;
}

/** Errors: StartError without a signing key or an origin. */
export function signerFrom({ signingKey, origin }: Pick<Config, 'signingKey' | 'origin'>): Signer {
  if (signingKey === null)
    throw new StartError('REEL_SIGNING_KEY: expected an Ed25519 private key as PKCS 8 PEM, got nothing');
  if (origin === null)
    throw new StartError('REEL_ORIGIN: expected the name that checkpoints are signed under, got nothing');
  return signerOf(origin, signingKey);
}

/** What a server needs to seal and to prove. Publishes the signing key before anything is signed with it. `now`: the time of checkpoints. */
export async function openSeal(
  database: Database,
  config: Pick<Config, 'signingKey' | 'origin' | 'witnessUrl'>,
  onFault: (error: unknown) => void,
  now: () => Date = () => new Date(),
): Promise<Seal> {
  const signer = signerFrom(config);
  await publishKey(database, signer);
  const witness = config.witnessUrl === null ? null : new WitnessClient({ url: config.witnessUrl, onFault });
  return {
    sealer: new Sealer(signer, now),
    prover: new StoredProver(database),
    keys: async () => (await readKeys(database)).map(vkeyOf),
    witness: () => witness?.progress ?? null,
    onSealed: ({ tenantId, note }) => witness?.submit(tenantId, note),
    close: async () => witness?.stop(),
  };
}
