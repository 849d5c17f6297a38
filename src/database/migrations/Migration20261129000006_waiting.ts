import { Migration } from './migration.js';

/**
 * Who waits to be sealed, asked in a form that PostgreSQL and Citus both take: of a cluster each node is asked by itself, so that one
 * that does not answer keeps only its own tenants waiting.
 */
export class Migration20261129000006_waiting extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    for (const statement of functions(schema)) this.addSql(statement);
  }
}

const PLANS = 'set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off';

function functions(schema: string): string[] {
  const within = `"${schema.replaceAll('"', '""')}"`;
  const inbox = `'${`${within}.reel_log_inbox`.replaceAll("'", "''")}'`;
  const guarded = 'security definer set search_path = pg_catalog, pg_temp';
  return [
    // Tenants with unsealed entries in this table, those with the oldest first: the oldest entry's id, and how many there are, counted
    // up to `far`. By a loose index scan of the key, whatever the planner takes the table to hold. An empty one costs a look.
    `create function reel_waiting_in(inbox text, most integer, far integer) returns table (tenant_id uuid, oldest uuid, entries integer)
      language plpgsql set search_path = pg_catalog, pg_temp ${PLANS} as $$
      declare
        is_any boolean;
      begin
        execute format('select exists (select from %s)', inbox) into is_any;
        if not is_any then
          return;
        end if;
        return query execute format('
          with recursive waiting(tenant_id, oldest) as (
            (select i.tenant_id, i.entry_id from %1$s i order by i.tenant_id, i.entry_id limit 1)
            union all
            select next.tenant_id, next.entry_id from waiting w cross join lateral (
              select i.tenant_id, i.entry_id from %1$s i
              where i.tenant_id > w.tenant_id order by i.tenant_id, i.entry_id limit 1
            ) next
          )
          select o.tenant_id, o.oldest, (
            select count(*)::integer from (select from %1$s i where i.tenant_id = o.tenant_id limit $2) counted
          ) from (select w.tenant_id, w.oldest from waiting w order by w.oldest limit $1) o', inbox) using most, far;
      end
    $$`,
    // The same of a node's own part of the inbox, as JSON, since a node answers one value.
    `create function reel_waiting_on_node(most integer, far integer) returns text language plpgsql ${guarded} as $$
      begin
        return (
          select json_agg(json_build_array(w.tenant_id, w.oldest, w.entries))
          from pg_dist_shard s join pg_dist_placement p on p.shardid = s.shardid
          cross join lateral ${within}.reel_waiting_in(format('%s_%s', ${inbox}, s.shardid), most, far) w
          where s.logicalrelid = ${inbox}::regclass and p.groupid = (select g.groupid from pg_dist_local_group g));
      end
    $$`,
    'drop function reel_waiting_logs(integer, integer)',
    // Rows without a tenant name a node that did not answer, and why.
    `create function reel_waiting_logs(most integer, far integer)
      returns table (tenant_id uuid, oldest uuid, entries integer, silent_node text) language plpgsql ${guarded} as $$
      declare
        is_distributed boolean := to_regclass('pg_catalog.pg_dist_partition') is not null;
      begin
        if is_distributed then
          is_distributed := exists (select from pg_dist_partition where logicalrelid = ${inbox}::regclass and partmethod = 'h');
        end if;
        if not is_distributed then
          return query select w.tenant_id, w.oldest, w.entries, null::text from ${within}.reel_waiting_in(${inbox}, most, far) w order by w.oldest;
          return;
        end if;
        -- A node that is cut off would else keep the others waiting for long.
        perform set_config('citus.node_connection_timeout', '2000', true);
        -- Over connections that are kept, which a look at each node by itself has none of.
        begin
          if not exists (select 1 from ${within}.reel_log_inbox) then
            return;
          end if;
        exception when others then
          null;
        end;
        return query
          with answers as (
            select n.nodename || ':' || n.nodeport as node, a.success, a.result
            from run_command_on_all_nodes(format('select ${within.replaceAll('%', '%%').replaceAll("'", "''")}.reel_waiting_on_node(%s, %s)', most, far)) a
            join pg_dist_node n on n.nodeid = a.nodeid
          )
          select (w.value ->> 0)::uuid, (w.value ->> 1)::uuid, (w.value ->> 2)::integer, null::text
          from answers a cross join lateral json_array_elements(case when a.success then nullif(a.result, '')::json end) w(value)
          union all
          select null, null, null, left(a.node || ': ' || a.result, 300) from answers a where not a.success;
      end
    $$`,
    `revoke all on function reel_waiting_in(text, integer, integer), reel_waiting_on_node(integer, integer), reel_waiting_logs(integer, integer) from public`,
  ];
}
