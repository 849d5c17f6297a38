import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { changeCounts, countChanges, countedColumns } from './stored-counts.js';

/**
 * Adds newly sequenced entries to the counts: to the row of each span that they fall into. To be called once per entry, in
 * the transaction that takes it out of the inbox (Database.seal). `apart`: in a statement for each table, as Citus needs it.
 */
export async function addCounts(
  execute: Execute,
  tenantId: string,
  entryIds: readonly string[],
  { apart = false }: { apart?: boolean } = {},
): Promise<void> {
  if (entryIds.length === 0) return;
  const entries = sql`(
    select * from reel_log_entries where tenant_id = ${tenantId}::uuid and id = any (${entryIds}::uuid[])
  )`;
  if (apart) for (const statement of countChanges(entries, 1)) await execute(statement);
  else await execute(addCountsOf(entries));
}

/** The same for entries of several tenants, each looked up by its key: `tenantIds` has the tenant of each id. */
export async function addCountsOfTenants(
  execute: Execute,
  tenantIds: readonly string[],
  entryIds: readonly string[],
): Promise<void> {
  await execute(
    addCountsOf(sql`(
      select e.* from unnest(${tenantIds}::uuid[], ${entryIds}::uuid[]) wanted(tenant_id, id) cross join lateral (
        select * from reel_log_entries
        where tenant_id = wanted.tenant_id and id >= wanted.id and id <= wanted.id order by id limit 1
      ) e
    )`),
  );
}

const addCountsOf = (entries: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  with counting as materialized (${countedColumns(entries)}), ${changeCounts(sql`counting`, 1)}
  select from counting limit 0`;
