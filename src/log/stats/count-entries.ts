import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
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
  await execute(sql`
    insert into reel_log_counts as counted (tenant_id, span, bucket, client_id, module, severity, count)
    select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
      e.client_id, e.module, e.severity, count(*)
    from reel_log_entries e cross join unnest(${SPANS}::smallint[]) s(span)
    where e.tenant_id = ${tenantId}::uuid and e.id = any (${entryIds}::uuid[])
    group by e.tenant_id, s.span, bucket, e.client_id, e.module, e.severity
    order by s.span, bucket, e.client_id, e.module, e.severity
    on conflict (tenant_id, span, bucket, client_id, module, severity)
    do update set count = counted.count + excluded.count`);
}
