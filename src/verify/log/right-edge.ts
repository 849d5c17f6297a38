import type { CompactRange } from '../../seal/compact-range.js';
import type { ExpectedRoot } from './checkpoint-check.js';
import type { SequenceRow } from './sequence-rows.js';

type Leaves = readonly (Buffer | null)[];

/** Combinations of leaves tried for one root, at most. */
const MAX_TRIES = 20_000;

/**
 * Recovers the leaf hashes that were sealed past the last full tile, as far as the roots of checkpoints allow. If the
 * stored hashes do not lead to a root, then perhaps the hashes recomputed from the entries do, or two leaves exchanged, or
 * one of the `misplaced` leaves. What no root confirms stays as stored. `compactRange` covers everything before.
 */
export async function recoverRightEdge(
  compactRange: CompactRange,
  rows: readonly (SequenceRow | null)[],
  roots: readonly ExpectedRoot[],
  misplaced: () => Promise<readonly Buffer[]>,
): Promise<(Buffer | null)[]> {
  let leaves: Leaves = rows.map((row) => row?.leafHash ?? null);
  const start = compactRange.size;
  const confirmed = compactRange.copy();
  for (const { size, root } of roots) {
    const [from, end] = [confirmed.size - start, size - start];
    const leadsToRoot = (candidate: Leaves): boolean => {
      const added = candidate.slice(from, end).filter((leaf) => leaf !== null);
      if (added.length < end - from) return false;
      const grown = confirmed.copy();
      grown.append(added);
      return grown.root().equals(root);
    };
    let isFound = false;
    for await (const candidate of candidates(leaves, rows, from, end, misplaced)) {
      if (!leadsToRoot(candidate)) continue;
      leaves = candidate;
      isFound = true;
      break;
    }
    if (!isFound) break;
    confirmed.append(leaves.slice(from, end).filter((leaf) => leaf !== null));
  }
  return [...leaves];
}

/** What may have been sealed from `from` (inclusive) to `end` (exclusive), the likeliest first. */
async function* candidates(
  leaves: Leaves,
  rows: readonly (SequenceRow | null)[],
  from: number,
  end: number,
  misplaced: () => Promise<readonly Buffer[]>,
): AsyncGenerator<Leaves> {
  const missing = leaves.slice(from, end).filter((leaf) => leaf === null).length;
  if (missing > 1) return;
  if (missing === 1) {
    const at = leaves.indexOf(null, from);
    for (const leaf of (await misplaced()).slice(0, MAX_TRIES)) yield leaves.with(at, leaf);
    return;
  }
  yield leaves;
  const recomputed = (at: number) => rows[at]?.entry?.leafHash ?? leaves[at]!;
  yield leaves.map((leaf, at) => (at >= from && at < end ? recomputed(at) : leaf));
  // One stored leaf hash was changed, and some entries too.
  for (let at = from; at < end; at += 1) yield leaves.with(at, recomputed(at));
  const elsewhere = await misplaced();
  let tries = 0;
  for (let i = from; i < end; i += 1) {
    for (let j = i + 1; j < leaves.length && tries < MAX_TRIES; j += 1) {
      const other = leaves[j];
      if (!other) continue;
      tries += 1;
      yield leaves.with(i, other).with(j, leaves[i]!);
    }
    for (const leaf of elsewhere) {
      tries += 1;
      if (tries < MAX_TRIES) yield leaves.with(i, leaf);
    }
  }
}
