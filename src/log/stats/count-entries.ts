import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { COUNTED_CLIENT } from './stored-counts.js';
import { SPAN_MINUTES } from './time-spans.js';

const SPANS = Object.values(SPAN_MINUTES);

/**
 * Adds newly sequenced entries to the counts: to the row of each span that they fall into. To be called once per entry, in
 * the transaction that takes it out of the inbox (Database.seal). The rows are updated in one order, so that concurrent
 * calls cannot deadlock.
 */
export async function addCounts(
  execute: Execute,
  tenantId: string,
  entryIds: readonly string[],
): Promise<void> {
  if (entryIds.length === 0) return;
  await execute(
    addCountsOf(sql`(
      select * from reel_log_entries where tenant_id = ${tenantId}::uuid and id = any (${entryIds}::uuid[])
    )`),
  );
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
  insert into reel_log_counts as counted (tenant_id, span, bucket, client_id, module, severity, count)
  select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
    ${COUNTED_CLIENT} as client_id, e.module, e.severity, count(*)
  from ${entries} e cross join unnest(${SPANS}::smallint[]) s(span)
  group by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.severity
  order by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.severity
  on conflict (tenant_id, span, bucket, client_id, module, severity)
  do update set count = counted.count + excluded.count`;
