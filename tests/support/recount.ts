/**
 * SQL that makes all counts of a tenant anew from its entries outside the inbox, written without what Reel itself uses for
 * that. `tenant`: an SQL expression.
 */
export const recount = (tenant: string): string[] => {
  const bucket = `date_bin(make_interval(mins => span), e.created_at, timestamptz 'epoch')`;
  const client = `coalesce(e.client_id, '00000000-0000-0000-0000-000000000000')`;
  const where = `where e.tenant_id = ${tenant} and not exists (
    select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)`;
  return [
    ...['counts', 'severity_counts', 'action_counts', 'actor_counts'].map(
      (table) => `delete from reel_log_${table} where tenant_id = ${tenant}`,
    ),
    `insert into reel_log_counts (tenant_id, span, bucket, client_id, module, severity, count)
     select e.tenant_id, span, ${bucket}, ${client}, e.module, e.severity::int, count(*)
     from reel_log_entries e, unnest(array[15, 1440, 23040]) span ${where} group by 1, 2, 3, 4, 5, 6`,
    `insert into reel_log_severity_counts (tenant_id, span, bucket, severity, count)
     select e.tenant_id, span, ${bucket}, e.severity::int, count(*)
     from reel_log_entries e, unnest(array[15, 1440, 23040]) span ${where} group by 1, 2, 3, 4`,
    `insert into reel_log_action_counts (tenant_id, span, bucket, client_id, module, action, severity, count)
     select e.tenant_id, span, ${bucket}, ${client}, e.module, e.action, e.severity::int, count(*)
     from reel_log_entries e, unnest(array[1440, 23040]) span ${where} group by 1, 2, 3, 4, 5, 6, 7`,
    `insert into reel_log_actor_counts (tenant_id, span, bucket, client_id, value, kind, count)
     select e.tenant_id, span, ${bucket}, ${client}, coalesce(e.actor_id, e.actor_email_folded, e.actor_name, ''),
       case when e.actor_id is not null then 0 when e.actor_email_folded is not null then 1
         when e.actor_name is not null then 2 else -1 end, count(*)
     from reel_log_entries e, unnest(array[1440, 23040]) span ${where} group by 1, 2, 3, 4, 5, 6`,
  ];
};
