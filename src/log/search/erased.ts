import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { FIELDS } from '../entry/fields.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { searchText } from '../entry/search-text.js';
import { reindexEntries } from './groups.js';

/** What a search still looks through in an erased entry: what it still shows. */
const KEPT = FIELDS.filter(({ searched, personal }) => searched && !personal);
const COLUMNS = sql.raw(KEPT.map(({ column, kind }) => kind.select(column)).join(', '));

/**
 * Makes search forget the personal values of entries, in the transaction that erases them; as the owner. To be called
 * wherever personal values of stored entries are blanked.
 */
export async function eraseFromSearch(
  execute: Execute,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  const rows = await execute<{ id: string }>(sql`
    select ${COLUMNS} from reel_log_entries where tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[])`);
  const texts = rows.map((row) => {
    const shown: Partial<LogEntry> = {};
    for (const field of KEPT) field.read(row, shown);
    return searchText(shown);
  });
  const textOf = JSON.stringify(Object.fromEntries(rows.map(({ id }, at) => [id, texts[at]])));
  // Not a join, whose order would depend on statistics; nor an element of an array, at which Citus 13.2 crashes.
  await execute(sql`
    update reel_log_entries e set search_text = ${textOf}::jsonb ->> e.id::text
    where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
  await reindexEntries(execute, tenantId, ids);
}
