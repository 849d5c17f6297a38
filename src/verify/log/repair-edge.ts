import type { CompactRange } from '../../seal/compact-range.js';
import type { Milestone } from './checkpoint-walk.js';
import type { StoredPlace } from './stored-order.js';

type Leaves = readonly (Buffer | null)[];

/** Leaves that are tried at the most for one root. */
const MOST_TRIES = 20_000;

/**
 * The leaves that were sealed past the full tiles, as far as the roots of checkpoints tell: where the stored ones do not
 * lead to a root, those recomputed from the entries may, or an exchange of two, or a leaf that was found elsewhere. What
 * nothing tells stays as it is stored. `compactRange` has everything before.
 */
export async function repairEdge(
  compactRange: CompactRange,
  slots: readonly (StoredPlace | null)[],
  milestones: readonly Milestone[],
  loose: () => Promise<readonly Buffer[]>,
): Promise<(Buffer | null)[]> {
  let leaves: Leaves = slots.map((place) => place?.leafHash ?? null);
  const start = compactRange.size;
  const good = compactRange.copy();
  for (const { size, root } of milestones) {
    const [from, until] = [good.size - start, size - start];
    const leads = (candidate: Leaves): boolean => {
      const added = candidate.slice(from, until).filter((leaf) => leaf !== null);
      if (added.length < until - from) return false;
      const grown = good.copy();
      grown.append(added);
      return grown.root().equals(root);
    };
    let isFound = false;
    for await (const candidate of candidates(leaves, slots, from, until, loose)) {
      if (!leads(candidate)) continue;
      leaves = candidate;
      isFound = true;
      break;
    }
    if (!isFound) break;
    good.append(leaves.slice(from, until).filter((leaf) => leaf !== null));
  }
  return [...leaves];
}

/** What may have been sealed from `from` to `until`, the likelier first. */
async function* candidates(
  leaves: Leaves,
  slots: readonly (StoredPlace | null)[],
  from: number,
  until: number,
  loose: () => Promise<readonly Buffer[]>,
): AsyncGenerator<Leaves> {
  const missing = leaves.slice(from, until).filter((leaf) => leaf === null).length;
  if (missing > 1) return;
  if (missing === 1) {
    const at = leaves.indexOf(null, from);
    for (const leaf of (await loose()).slice(0, MOST_TRIES)) yield leaves.with(at, leaf);
    return;
  }
  yield leaves;
  const recomputed = (at: number) => slots[at]?.entry?.leaf ?? leaves[at]!;
  yield leaves.map((leaf, at) => (at >= from && at < until ? recomputed(at) : leaf));
  // One hash of the order was changed, and other entries too.
  for (let at = from; at < until; at += 1) yield leaves.with(at, recomputed(at));
  const others = await loose();
  let tries = 0;
  for (let i = from; i < until; i += 1) {
    for (let j = i + 1; j < leaves.length && tries < MOST_TRIES; j += 1) {
      const other = leaves[j];
      if (!other) continue;
      tries += 1;
      yield leaves.with(i, other).with(j, leaves[i]!);
    }
    for (const leaf of others) {
      tries += 1;
      if (tries < MOST_TRIES) yield leaves.with(i, leaf);
    }
  }
}
