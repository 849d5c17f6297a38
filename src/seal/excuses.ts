import { sql } from 'kysely';
import type { Run } from '../database/connect.js';
import { OWN_MODULE } from '../log/check-entry.js';
import { idFloor } from '../log/filter.js';
import { OWN_ACTIONS } from '../log/own-entries.js';

/** What excuses an entry that is gone or blank: the trail's own account, and the places that were emptied. */
export interface Excuses {
  /** Entries whose id is smaller may have been removed; empty where nothing was. */
  removedBefore: string;
  /** Places that removals have emptied, from first to last, in order. */
  emptied: readonly { first: number; last: number }[];
  /** How many places the newest account of a removal says are empty. */
  emptyPlaces: number;
  /** Values of erased_at that an account tells of. */
  erasedAt: ReadonlySet<string>;
}

export async function readExcuses(run: Run, tenantId: string): Promise<Excuses> {
  const rows = await run<{
    action: string;
    before: string | null;
    places: string | null;
    erased_at: string | null;
  }>(sql`
    select action, data->>'before' as before, data->>'emptyPlaces' as places, data->>'erasedAt' as erased_at
    from reel_log_entries
    where tenant_id = ${tenantId}::uuid and module = ${OWN_MODULE} and action in (${OWN_ACTIONS.cleanup}, ${OWN_ACTIONS.erase})
    order by id`);
  const removals = rows.filter((row) => row.action === OWN_ACTIONS.cleanup);
  const befores = removals.map((row) => row.before ?? '').filter((at) => !Number.isNaN(Date.parse(at)));
  const ranges = await run<{ first_seq: string; last_seq: string }>(sql`
    select first_seq, last_seq from reel_log_removals where tenant_id = ${tenantId}::uuid order by first_seq`);
  return {
    removedBefore:
      befores
        .map((at) => idFloor(at))
        .sort()
        .at(-1) ?? '',
    emptied: ranges.map((row) => ({ first: Number(row.first_seq), last: Number(row.last_seq) })),
    emptyPlaces: Number(removals.at(-1)?.places ?? 0),
    erasedAt: new Set(rows.flatMap(({ erased_at }) => erased_at ?? [])),
  };
}
