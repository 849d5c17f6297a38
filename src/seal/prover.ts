import type { Scope } from '../auth/scope.js';
import { badInput } from '../errors.js';
import type { Checkpoint, ConsistencyProof, InclusionProof } from './proof.js';

/** Checkpoints and proofs of tenants' logs. */
export interface Prover {
  /** The newest signed checkpoint; null before the first. */
  checkpoint(scope: Scope): Promise<Checkpoint | null>;
  /** Errors: BAD_USER_INPUT for sizes out of order, or past the newest checkpoint's. */
  consistencyProof(scope: Scope, first: number, second: number): Promise<ConsistencyProof>;
  /** By entry id; without entries that are not sealed yet or are outside the scope. */
  inclusionProofs(scope: Scope, entryIds: readonly string[]): Promise<ReadonlyMap<string, InclusionProof>>;
}

/** Of logs without a checkpoint. */
export const UNSEALED: Prover = {
  checkpoint: async () => null,
  consistencyProof: async (_scope, _first, second) => {
    throw badInput('second', 'the size of a signed checkpoint, and there is none yet', second);
  },
  inclusionProofs: async () => new Map(),
};
