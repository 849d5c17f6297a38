import type { Done, RefusedEntry } from './kinds/outcome.js';

/** Parked in a row with none accepted between. */
export const MOST_PARKED_IN_ROW = 10;

/** What is kept of a batch that was taken but for some of its entries. */
export interface Row {
  readonly parked: readonly RefusedEntry[];
  /** Entries of the batch, from its first on, that are done with; the rest waits. */
  readonly done: number;
  /** Entries parked in a row, up to there. */
  readonly inRow: number;
}

/** `inRow`: entries parked in a row before a batch of `count`. Past the tenth the rest waits, but for what may not be sent again. */
export function rowOf(inRow: number, count: number, { refused = [], isFinal = false, taken = 0 }: Done): Row {
  const all = { parked: refused, done: count };
  if (taken > 0) return { ...all, inRow: 0 };
  const reasons = new Map(refused.map((each) => [each.index, each]));
  const parked: RefusedEntry[] = [];
  let row = inRow;
  for (let index = 0; index < count; index += 1) {
    const each = reasons.get(index);
    if (each && row >= MOST_PARKED_IN_ROW && !isFinal) return { parked, done: index, inRow: row };
    row = each ? row + 1 : 0;
    if (each) parked.push(each);
  }
  return { ...all, inRow: Math.min(row, MOST_PARKED_IN_ROW) };
}
