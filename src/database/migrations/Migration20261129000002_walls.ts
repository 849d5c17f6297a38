import { Migration } from './migration.js';

const TENANT_TABLES = [
  ...['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'holds', 'removals'],
].map((name) => `reel_log_${name}`);

/**
 * Functions that run as the owner resolve names in pg_catalog alone, so that nothing that somebody else creates in the
 * schema is ever run with the owner's rights. Partitions have row-level security without a policy: by its own name one
 * shows nothing to anybody but the owner, whatever rights were granted.
 */
export class Migration20261129000002_walls extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    const statements = [
      ...functions(schema),
      // reel_first_id is called as the owner by reel_ensure_month. A path that does not name pg_temp begins with it.
      ...[
        'reel_first_id(timestamptz)',
        'reel_search_candidates(integer[], integer)',
        'reel_search_backlog(integer)',
      ].map((name) => `alter function ${name} set search_path = pg_catalog, pg_temp`),
      // The owner is let through by a policy anyway; forced, it would break pg_dump and online moves of shards.
      ...TENANT_TABLES.map((table) => `alter table ${table} no force row level security`),
      `do $$
        declare part regclass;
        begin
          for part in select inhrelid::regclass from pg_inherits where inhparent = 'reel_log_entries'::regclass loop
            execute format('alter table %s enable row level security', part);
          end loop;
        end
      $$`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

function functions(schema: string): string[] {
  const guarded = 'security definer set search_path = pg_catalog, pg_temp';
  const within = `"${schema.replaceAll('"', '""')}"`;
  const named = `'${schema.replaceAll("'", "''")}'`;
  return [
    `create or replace function reel_ensure_month(at timestamptz) returns boolean language plpgsql ${guarded} set lock_timeout = '2s' as $$
      declare
        first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
        next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
        month text := format('%I.%I', ${named}, 'reel_log_entries_' || to_char(first at time zone 'UTC', 'YYYYMM'));
      begin
        if at not between timestamptz '2000-01-01 00:00:00Z' and timestamptz '2200-01-01 00:00:00Z' then
          return false;
        end if;
        if to_regclass(month) is not null then
          return true;
        end if;
        perform pg_advisory_xact_lock(hashtext('reel_ensure_month'));
        if to_regclass(month) is not null then
          return true;
        end if;
        execute format('create table %s partition of ${within.replaceAll('%', '%%').replaceAll("'", "''")}.reel_log_entries for values from (%L) to (%L)',
          month, ${within}.reel_first_id(first), ${within}.reel_first_id(next));
        execute format('alter table %s enable row level security', month);
        return true;
      exception when check_violation or lock_not_available then
        return false;
      end
    $$`,
    `create or replace function reel_waiting_tenants(most integer) returns setof uuid language sql stable ${guarded} as $$
      with recursive waiting(tenant_id) as (
        (select i.tenant_id from ${within}.reel_log_inbox i order by i.tenant_id limit 1)
        union all
        select (select i.tenant_id from ${within}.reel_log_inbox i where i.tenant_id > w.tenant_id order by i.tenant_id limit 1)
        from waiting w where w.tenant_id is not null
      )
      select tenant_id from waiting where tenant_id is not null limit most
    $$`,
  ];
}
