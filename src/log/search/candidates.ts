import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { Grams, integerArray } from './grams.js';

/** Looking at so many entries by key takes less time than a walk over a large log. */
const MAX_CANDIDATES = 20_000;

/** Entries that may match, newest first, or too many to look at one by one. */
export type Candidates = { ids: string[] } | 'many';

/**
 * The tenant's entries that may contain all of these needles (searchNeedle), whether the index has them yet or not; every
 * one that does is among them. `many` also where no needle has three characters. For transactions that read the tenant.
 */
export async function searchCandidates(
  execute: Execute,
  tenantId: string,
  needles: readonly string[],
): Promise<Candidates> {
  const grams = new Grams(tenantId);
  for (const needle of needles) grams.add(needle);
  const hashes = grams.take();
  if (hashes.length === 0) return 'many';
  const rows = await execute<{ id: string }>(
    sql`select id from reel_search_candidates(${integerArray(hashes)}::integer[], ${MAX_CANDIDATES}) id`,
  );
  if (rows.length > MAX_CANDIDATES) return 'many';
  // UUIDs of one case sort as text as they do as numbers.
  return {
    ids: rows
      .map(({ id }) => id)
      .sort()
      .reverse(),
  };
}
