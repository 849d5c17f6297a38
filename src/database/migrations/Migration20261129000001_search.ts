import { Migration } from './migration.js';

/**
 * An index of what entries show, filled behind the writer (src/log/search). What is derived from entries that older
 * releases wrote is computed by src/log/entry/derived-columns.ts, in the same transaction.
 */
export class Migration20261129000001_search extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    for (const statement of [...table(), ...functions(`"${schema}"`)]) this.addSql(statement);
  }
}

function table(): string[] {
  return [
    // One row for each 16 sequences: hashes of the tenant and each trigram of their entries' search texts.
    `create table reel_log_search (
      tenant_id uuid not null, first_seq bigint not null check (first_seq > 0 and first_seq % 16 = 1), grams integer[] not null,
      primary key (tenant_id, first_seq)
    )`,
    // Hashes do not compress.
    `alter table reel_log_search alter column grams set storage external`,
    // With fastupdate, without which inserts took ten times as long.
    `create index reel_log_search_grams on reel_log_search using gin (grams) with (fastupdate = on)`,
    // Not forced: @> is not leakproof, and the owner's functions below are to use the index.
    `alter table reel_log_search enable row level security`,
    `create policy reel_read on reel_log_search for select
      using (tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid)`,
    `create policy reel_write on reel_log_search for insert
      with check (tenant_id = any (string_to_array(nullif(current_setting('reel.tenant_ids', true), ''), ',')::uuid[]))`,
  ];
}

/** What the runtime role may do with the owner's rights, each function with a fixed search path. */
function functions(schema: string): string[] {
  const guarded = `security definer set search_path = pg_catalog, ${schema}, pg_temp`;
  return [
    // Ids of the tenant's entries that may have all these trigrams: of the groups that do, and all that are not in the index
    // yet. More than `most` ids mean that there may be more still. Plans must not depend on statistics: the tenant as text
    // leaves only the index on grams, which are the tenant's own anyway.
    `create function reel_search_candidates(wanted integer[], most integer) returns setof uuid language plpgsql stable ${guarded}
      set enable_seqscan = off set enable_bitmapscan = on set enable_indexscan = on as $$
      declare
        tenant uuid := nullif(current_setting('reel.tenant_id', true), '')::uuid;
        last bigint;
        groups bigint[];
        found integer;
      begin
        if tenant is null or cardinality(wanted) = 0 then
          return;
        end if;
        return query select i.entry_id from ${schema}.reel_log_inbox i
          where i.tenant_id = tenant order by i.entry_id desc limit most + 1;
        get diagnostics found = row_count;
        if found > most then
          return;
        end if;
        select coalesce(max(g.first_seq) + 15, 0) into last from ${schema}.reel_log_search g where g.tenant_id = tenant;
        return query select s.entry_id from ${schema}.reel_log_sequence s
          where s.tenant_id = tenant and s.seq > last order by s.seq desc limit most + 1 - found;
        get diagnostics found = row_count;
        if found > most then
          return;
        end if;
        groups := array(select g.first_seq from ${schema}.reel_log_search g
          where g.grams @> wanted and g.tenant_id::text = tenant::text limit most / 16 + 1);
        return query select s.entry_id from unnest(groups) g(first_seq) cross join lateral (
          select m.entry_id from ${schema}.reel_log_sequence m
          where m.tenant_id = tenant and m.seq >= g.first_seq and m.seq < g.first_seq + 16 order by m.seq) s;
      end
    $$`,
    // Tenants with full groups that are not in the index, by a loose index scan: up to which sequence it is filled, and the last.
    `create function reel_search_backlog(most integer) returns table (tenant_id uuid, filled bigint, last bigint)
      language sql stable ${guarded} as $$
      with recursive tenants(tenant_id) as (
        (select s.tenant_id from ${schema}.reel_log_sequence s order by s.tenant_id limit 1)
        union all
        select (select s.tenant_id from ${schema}.reel_log_sequence s where s.tenant_id > t.tenant_id order by s.tenant_id limit 1)
        from tenants t where t.tenant_id is not null
      )
      select b.tenant_id, b.filled, b.last from (
        select t.tenant_id,
          coalesce((select max(g.first_seq) + 15 from ${schema}.reel_log_search g where g.tenant_id = t.tenant_id), 0) as filled,
          (select max(s.seq) from ${schema}.reel_log_sequence s where s.tenant_id = t.tenant_id) as last
        from tenants t where t.tenant_id is not null
      ) b where b.last - b.filled >= 16 limit most
    $$`,
    `revoke all on function reel_search_candidates(integer[], integer), reel_search_backlog(integer) from public`,
  ];
}
