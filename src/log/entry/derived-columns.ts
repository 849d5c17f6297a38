import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { foldName } from './email.js';
import { FIELDS } from './fields.js';
import type { LogEntry } from './log-entry.entity.js';
import { searchText } from './search-text.js';

const BATCH = 1_000;
const COLUMNS = sql.raw(
  FIELDS.filter(({ column, searched }) => searched && column !== 'id')
    .map(({ column, kind }) => kind.select(column))
    .join(', '),
);
const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Computes what is derived from entries for searching for those that older releases wrote, in the transaction that migrates
 * their table; as the owner. Does nothing once that was done, which NOT NULL says. Sealed columns stay as they are.
 */
export async function fillDerivedColumns(execute: Execute): Promise<void> {
  const [column] = await execute<{ is_nullable: string }>(sql`
    select is_nullable from information_schema.columns
    where table_schema = current_schema() and table_name = 'reel_log_entries' and column_name = 'search_text'`);
  if (column?.is_nullable !== 'YES') return;
  await execute(sql`lock table reel_log_entries in share row exclusive mode`);
  for (let tenantId = await tenantAfter(execute, null); tenantId !== null; )
    tenantId = await fillTenant(execute, tenantId).then(() => tenantAfter(execute, tenantId));
  await execute(sql`alter table reel_log_entries alter column search_text set not null`);
}

async function tenantAfter(execute: Execute, tenantId: string | null): Promise<string | null> {
  const [row] = await execute<{ tenant_id: string }>(sql`
    select tenant_id from reel_log_entries
    where ${tenantId === null ? sql`true` : sql`tenant_id > ${tenantId}::uuid`} order by tenant_id limit 1`);
  return row?.tenant_id ?? null;
}

async function fillTenant(execute: Execute, tenantId: string): Promise<void> {
  for (let after = NIL; ; ) {
    const rows = await execute<Row & { id: string }>(sql`
      select id, ${COLUMNS} from reel_log_entries
      where tenant_id = ${tenantId}::uuid and id > ${after}::uuid order by id limit ${BATCH}`);
    if (rows.length === 0) return;
    const ids = rows.map(({ id }) => id);
    const entries = rows.map(entryOf);
    const texts = entries.map(searchText);
    const names = entries.map(({ actorName }) => actorName && foldName(actorName));
    await execute(sql`
      update reel_log_entries e set search_text = (${texts}::text[])[array_position(${ids}::uuid[], e.id)],
        actor_name_folded = (${names}::text[])[array_position(${ids}::uuid[], e.id)]
      where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
    after = ids.at(-1)!;
  }
}

function entryOf(row: Row): Partial<LogEntry> {
  const entry: Partial<LogEntry> = {};
  for (const field of FIELDS) if (field.searched) field.read(row, entry);
  return entry;
}
