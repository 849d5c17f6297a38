import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { GRAM_LENGTH, Grams, integerArray } from './grams.js';

/** Looking at so many entries by key takes less time than a walk over a large log. */
const MAX_CANDIDATES = 20_000;

/** More trigrams of one needle take longer to read than what they leave out. */
const MAX_GRAMS = 12;
/** Of ids, which every few entries have all of. */
const OF_IDS = /^[0-9a-f-]+$/;

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
  for (const needle of needles) for (const gram of tellingGrams(needle)) grams.add(gram);
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

/** The trigrams of a needle that leave out most, at most MAX_GRAMS. */
function tellingGrams(needle: string): string[] {
  const characters = [...needle];
  const grams = new Set(
    characters.map((_, at) => characters.slice(at, at + GRAM_LENGTH).join('')).slice(0, 1 - GRAM_LENGTH),
  );
  const [ofIds, others] = [true, false].map((isOfIds) =>
    [...grams].filter((gram) => OF_IDS.test(gram) === isOfIds),
  );
  const telling = spread(others!, MAX_GRAMS);
  return [...telling, ...spread(ofIds!, MAX_GRAMS - telling.length)];
}

/** So many of them at most, from beginning to end. */
const spread = <T>(all: readonly T[], most: number): T[] =>
  all.length <= most
    ? [...all]
    : all.filter(
        (_, at) => Math.floor((at * most) / all.length) !== Math.floor(((at - 1) * most) / all.length),
      );
