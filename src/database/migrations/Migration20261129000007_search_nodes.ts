import { Migration } from './migration.js';

/** The functions of the search index in a form that PostgreSQL and Citus both take; of a cluster each node is asked by itself who lags behind. */
export class Migration20261129000007_search_nodes extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    for (const statement of functions(schema)) this.addSql(statement);
  }
}

function functions(schema: string): string[] {
  const within = `"${schema.replaceAll('"', '""')}"`;
  const nameOf = (table: string) => `'${`${within}.${table}`.replaceAll("'", "''")}'`;
  const [sequence, search] = [nameOf('reel_log_sequence'), nameOf('reel_log_search')];
  const guarded = 'security definer set search_path = pg_catalog, pg_temp';
  return [
    // Tenants with full groups that are not in the index, by a loose index scan: up to which sequence it is filled, and the last.
    `create function reel_search_backlog_in(sequence text, search text, most integer)
      returns table (tenant_id uuid, filled bigint, last bigint) language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        return query execute format('
          with recursive tenants(tenant_id) as (
            (select s.tenant_id from %1$s s order by s.tenant_id limit 1)
            union all
            select (select s.tenant_id from %1$s s where s.tenant_id > t.tenant_id order by s.tenant_id limit 1)
            from tenants t where t.tenant_id is not null
          )
          select b.tenant_id, b.filled, b.last from (
            select t.tenant_id,
              coalesce((select max(g.first_seq) + 15 from %2$s g where g.tenant_id = t.tenant_id), 0) as filled,
              (select max(s.seq) from %1$s s where s.tenant_id = t.tenant_id) as last
            from tenants t where t.tenant_id is not null
          ) b where b.last - b.filled >= 16 limit $1', sequence, search) using most;
      end
    $$`,
    // The same of a node's own part, as JSON. Tables that are distributed together have shards of the same bounds side by side.
    `create function reel_search_backlog_on_node(most integer) returns text language plpgsql ${guarded} as $$
      begin
        return (
          select json_agg(json_build_array(b.tenant_id, b.filled, b.last))
          from pg_dist_shard s join pg_dist_placement p on p.shardid = s.shardid
          join pg_dist_shard g on g.logicalrelid = ${search}::regclass and g.shardminvalue = s.shardminvalue
          cross join lateral ${within}.reel_search_backlog_in(
            format('%s_%s', ${sequence}, s.shardid), format('%s_%s', ${search}, g.shardid), most) b
          where s.logicalrelid = ${sequence}::regclass and p.groupid = (select l.groupid from pg_dist_local_group l));
      end
    $$`,
    `create or replace function reel_search_backlog(most integer) returns table (tenant_id uuid, filled bigint, last bigint)
      language plpgsql volatile ${guarded} as $$
      declare
        is_distributed boolean := to_regclass('pg_catalog.pg_dist_partition') is not null;
      begin
        if is_distributed then
          is_distributed := exists (select from pg_dist_partition where logicalrelid = ${sequence}::regclass and partmethod = 'h');
        end if;
        if not is_distributed then
          return query select b.tenant_id, b.filled, b.last from ${within}.reel_search_backlog_in(${sequence}, ${search}, most) b;
          return;
        end if;
        perform set_config('citus.node_connection_timeout', '2000', true);
        return query
          select (b.value ->> 0)::uuid, (b.value ->> 1)::bigint, (b.value ->> 2)::bigint
          from run_command_on_all_nodes(format('select ${within.replaceAll('%', '%%').replaceAll("'", "''")}.reel_search_backlog_on_node(%s)', most)) a
          cross join lateral json_array_elements(case when a.success then nullif(a.result, '')::json end) b(value)
          limit most;
      end
    $$`,
    // As it was, but that on a cluster the tenant stands in every condition, and no LIMIT depends on a list.
    `create or replace function reel_search_candidates(wanted integer[], most integer) returns setof uuid language plpgsql stable ${guarded}
      set enable_seqscan = off set enable_bitmapscan = on set enable_indexscan = on as $$
      declare
        tenant uuid := nullif(current_setting('reel.tenant_id', true), '')::uuid;
        is_distributed boolean := to_regclass('pg_catalog.pg_dist_partition') is not null;
        last bigint;
        groups bigint[];
        positions bigint[];
        found integer;
      begin
        if tenant is null or cardinality(wanted) = 0 then
          return;
        end if;
        return query select i.entry_id from ${within}.reel_log_inbox i
          where i.tenant_id = tenant order by i.entry_id desc limit most + 1;
        get diagnostics found = row_count;
        if found > most then
          return;
        end if;
        select coalesce(max(g.first_seq) + 15, 0) into last from ${within}.reel_log_search g where g.tenant_id = tenant;
        return query select s.entry_id from ${within}.reel_log_sequence s
          where s.tenant_id = tenant and s.seq > last order by s.seq desc limit most + 1 - found;
        get diagnostics found = row_count;
        if found > most then
          return;
        end if;
        if is_distributed then
          select array_agg(m.first_seq) into groups from (
            select g.first_seq from ${within}.reel_log_search g
            where g.tenant_id = tenant and g.grams @> wanted and g.tenant_id::text = tenant::text limit most / 16 + 1) m;
          positions := array(select f + n from unnest(groups) f cross join generate_series(0, 15) n);
          return query select m.entry_id from ${within}.reel_log_sequence m
            where m.tenant_id = tenant and m.seq = any (positions);
          return;
        end if;
        groups := array(select g.first_seq from ${within}.reel_log_search g
          where g.grams @> wanted and g.tenant_id::text = tenant::text limit most / 16 + 1);
        return query select s.entry_id from unnest(groups) g(first_seq) cross join lateral (
          select m.entry_id from ${within}.reel_log_sequence m
          where m.tenant_id = tenant and m.seq >= g.first_seq and m.seq < g.first_seq + 16 order by m.seq) s;
      end
    $$`,
    `revoke all on function reel_search_backlog_in(text, text, integer), reel_search_backlog_on_node(integer) from public`,
  ];
}
