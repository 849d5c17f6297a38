import type { Scope } from '../auth/scope.js';
import { badInput } from '../errors.js';
import type { Checkpoint, ConsistencyProof, InclusionProof } from './proof.types.js';

/** What the sealed log of a tenant says and proves. */
export interface SealService {
  /** The newest signed checkpoint; null while nothing is sealed. */
  checkpoint(scope: Scope): Promise<Checkpoint | null>;
  /** Errors: BAD_USER_INPUT for sizes that are not in order, or past the newest checkpoint's. */
  consistencyProof(scope: Scope, first: number, second: number): Promise<ConsistencyProof>;
  /** By entry id; none for an entry that is not sealed yet or that the scope does not reach. */
  proofs(scope: Scope, entryIds: readonly string[]): Promise<ReadonlyMap<string, InclusionProof>>;
}

/** A log that no checkpoint was signed of yet. */
export const UNSEALED: SealService = {
  checkpoint: async () => null,
  consistencyProof: async (_scope, _first, second) => {
    throw badInput('second', 'the size of a signed checkpoint, of which there is none yet', second);
  },
  proofs: async () => new Map(),
};
