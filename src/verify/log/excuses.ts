import { sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { OWN_MODULE } from '../../log/entry/module-name.js';
import { idFloor } from '../../log/filter/where.js';
import { OWN_ACTIONS } from '../../log/retention/own-actions.js';

/** What excuses an entry that is gone or blank: the trail's own account, and the places that were emptied. */
export interface Excuses {
  /** Entries whose id is smaller may have been removed; empty where nothing was. */
  removedBefore: string;
  /** Places that removals have emptied, from first to last, in order. */
  emptied: readonly { first: number; last: number }[];
  /** How many places are empty, as the account says that tells of most: each tells of all until then. */
  emptyPlaces: number;
  /** How many entries were erased, by the erased_at that they bear. */
  erasedAt: ReadonlyMap<string, number>;
}

export async function readExcuses(run: Run, tenantId: string): Promise<Excuses> {
  const rows = await run<{
    action: string;
    before: string | null;
    places: string | null;
    erased_at: string | null;
    entries: string | null;
  }>(sql`
    select action, data->>'before' as before, data->>'emptyPlaces' as places, data->>'erasedAt' as erased_at,
      data->>'entries' as entries
    from reel_log_entries
    where tenant_id = ${tenantId}::uuid and module = ${OWN_MODULE} and action in (${OWN_ACTIONS.cleanup}, ${OWN_ACTIONS.erase})`);
  const removals = rows.filter((row) => row.action === OWN_ACTIONS.cleanup);
  const befores = removals.map((row) => row.before ?? '').filter((at) => !Number.isNaN(Date.parse(at)));
  const ranges = await run<{ first_seq: string; last_seq: string }>(sql`
    select first_seq, last_seq from reel_log_removals where tenant_id = ${tenantId}::uuid order by first_seq`);
  const erasedAt = new Map<string, number>();
  for (const { erased_at: at, entries } of rows)
    if (at !== null) erasedAt.set(at, (erasedAt.get(at) ?? 0) + countOf(entries));
  return {
    removedBefore:
      befores
        .map((at) => idFloor(at))
        .sort()
        .at(-1) ?? '',
    emptied: ranges.map((row) => ({ first: Number(row.first_seq), last: Number(row.last_seq) })),
    emptyPlaces: removals.reduce((most, row) => Math.max(most, countOf(row.places)), 0),
    erasedAt,
  };
}

/** A number as an account has it; none where somebody made it something else. */
const countOf = (text: string | null): number => {
  const count = Number(text);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
};
