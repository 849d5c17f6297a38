import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { OWN_MODULE } from '../../log/entry/module-name.js';
import { idFloor } from '../../log/filter/where.js';
import { OWN_ACTIONS } from '../../log/retention/own-actions.js';

/** What the log's own entries, and reel_log_removals, record of entries that were removed or erased. */
export interface RetentionRecords {
  /** Entries with a smaller id may have been removed; empty if none were. */
  removedBefore: string;
  /** Sequences whose entries were removed, both inclusive, in order. */
  removedRanges: readonly { first: number; last: number }[];
  /** How many entries were removed in all: each record counts those before it, so the largest count is the total. */
  removedCount: number;
  /** How many entries were erased, by their erased_at. */
  erasedAt: ReadonlyMap<string, number>;
}

export async function readRetentionRecords(execute: Execute, tenantId: string): Promise<RetentionRecords> {
  const rows = await execute<{
    action: string;
    before: string | null;
    removed: string | null;
    erased_at: string | null;
    entries: string | null;
  }>(sql`
    select action, data->>'before' as before, data->>'emptyPlaces' as removed, data->>'erasedAt' as erased_at,
      data->>'entries' as entries
    from reel_log_entries
    where tenant_id = ${tenantId}::uuid and module = ${OWN_MODULE} and action in (${OWN_ACTIONS.cleanup}, ${OWN_ACTIONS.erase})`);
  const removals = rows.filter((row) => row.action === OWN_ACTIONS.cleanup);
  const cutoffs = removals.map((row) => row.before ?? '').filter((at) => !Number.isNaN(Date.parse(at)));
  const ranges = await execute<{ first_seq: string; last_seq: string }>(sql`
    select first_seq, last_seq from reel_log_removals where tenant_id = ${tenantId}::uuid order by first_seq`);
  const erasedAt = new Map<string, number>();
  for (const { erased_at: at, entries } of rows)
    if (at !== null) erasedAt.set(at, (erasedAt.get(at) ?? 0) + countOf(entries));
  return {
    removedBefore:
      cutoffs
        .map((at) => idFloor(at))
        .sort()
        .at(-1) ?? '',
    removedRanges: ranges.map((row) => ({ first: Number(row.first_seq), last: Number(row.last_seq) })),
    removedCount: removals.reduce((most, row) => Math.max(most, countOf(row.removed)), 0),
    erasedAt,
  };
}

/** A count as a record has it; 0 if it was changed to something else. */
const countOf = (text: string | null): number => {
  const count = Number(text);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
};
