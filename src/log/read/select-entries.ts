import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import { asText, type Row, type TextStatement } from '../../database/execute.js';
import { TextRow } from '../../database/text-rows.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { readEntry } from '../entry/row.js';
import { type EntryColumns, StoredEntry } from '../entry/stored-entry.js';
import type { IdRange } from '../walk/id-range.js';

/** Rows with every column of reel_log_entries, as a sub-select in parentheses, whose ids are within a range. */
export interface Found {
  readonly matching: RawBuilder<unknown>;
  readonly range: IdRange;
}

/** The first `limit` of these rows as entries. The sequence of each is looked up by its own key. */
export const selectEntries = (
  scope: Scope,
  columns: EntryColumns,
  found: Found,
  limit: number,
  descending: boolean,
): TextStatement => asText(entriesSql(scope, columns, found, limit, descending));

export function entriesSql(
  { tenantId }: Pick<Scope, 'tenantId'>,
  { selected, hasSequence }: EntryColumns,
  { matching, range }: Found,
  limit: number,
  descending: boolean,
): RawBuilder<unknown> {
  const order = orderOf(descending);
  const entries = sql`select ${sql.raw(selected)} from ${matching} matching order by ${order} limit ${sql.lit(limit)}`;
  if (!hasSequence) return entries;
  return sql`
    select e.*, s.seq as sequence
    from (${entries}) e
    left join lateral (
      select seq from reel_log_sequence
      where tenant_id = ${tenantId}::uuid and entry_id >= ${range.low}::uuid and entry_id <= ${range.high}::uuid
        and entry_id >= e.id and entry_id <= e.id
      order by entry_id limit 1
    ) s on true order by e.${order}`;
}

export const orderOf = (descending: boolean): RawBuilder<unknown> =>
  descending ? sql`id desc` : sql`id asc`;

/** An entry out of a row of these columns. */
export const entryOf =
  (columns: EntryColumns) =>
  (row: Row | TextRow): LogEntry =>
    row instanceof TextRow ? new StoredEntry(row, columns) : readEntry(row, columns.fields);
