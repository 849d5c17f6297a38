import { Migration } from './migration.js';

/** Tables of tenants' rows, each with row-level security by tenant_id, forced for the owner too. */
const TENANT_TABLES = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys'].map(
  (name) => `reel_log_${name}`,
);

/** A transaction reads one tenant, but may write several. A custom setting, once used in a session, reads as '' when unset. */
const READING = `tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid`;
const WRITING = `tenant_id = any (string_to_array(nullif(current_setting('reel.tenant_ids', true), ''), ',')::uuid[])`;

export class Migration20261124000000_trail extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    for (const statement of [...tables(), ...policies(), ...functions(`"${schema}"`)]) this.addSql(statement);
  }
}

function tables(): string[] {
  return [
    `create table reel_log_entries (
      tenant_id uuid not null,
      id uuid not null,
      module text collate "C" not null,
      action text collate "C" not null,
      severity smallint not null check (severity between 0 and 4),
      origin smallint not null check (origin between 0 and 1),
      actor_id uuid,
      actor_email text collate "C",
      actor_email_folded text collate "C",
      actor_name text collate "C",
      on_behalf_of_id uuid,
      client_id uuid,
      resource_type text collate "C",
      resource_id text collate "C",
      data jsonb,
      search_text text collate "C",
      ip_address inet,
      user_agent text collate "C",
      request_id uuid,
      occurred_at timestamptz not null,
      created_at timestamptz not null,
      identity_salt bytea,
      data_salt bytea,
      identity_digest bytea not null,
      data_digest bytea,
      erased_at timestamptz,
      primary key (tenant_id, id)
    ) partition by range (id)`,
    `create table reel_log_entries_default partition of reel_log_entries default`,
    `create index on reel_log_entries (tenant_id, module, id)`,
    `create index on reel_log_entries (tenant_id, action, id)`,
    `create index on reel_log_entries (tenant_id, client_id, id) where client_id is not null`,
    `create index on reel_log_entries (tenant_id, actor_id, id) where actor_id is not null`,
    `create index on reel_log_entries (tenant_id, resource_id, id) where resource_id is not null`,
    `create index on reel_log_entries (tenant_id, request_id, id) where request_id is not null`,

    `create table reel_log_inbox (
      tenant_id uuid not null, entry_id uuid not null, leaf_hash bytea not null,
      primary key (tenant_id, entry_id)
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)`,
    `create table reel_log_sequence (
      tenant_id uuid not null, seq bigint not null check (seq > 0), entry_id uuid not null, leaf_hash bytea not null,
      primary key (tenant_id, seq), unique (tenant_id, entry_id)
    )`,
    `create table reel_log_tiles (
      tenant_id uuid not null, level smallint not null, tile_index bigint not null, hashes bytea not null, root bytea not null,
      primary key (tenant_id, level, tile_index)
    )`,
    `create table reel_log_checkpoints (
      tenant_id uuid not null, tree_size bigint not null, root_hash bytea not null, sealed_at timestamptz not null, note text not null,
      primary key (tenant_id, tree_size)
    )`,
    `create table reel_log_counts (
      tenant_id uuid not null, span smallint not null check (span in (15, 1440, 23040)), bucket timestamptz not null,
      client_id uuid, module text collate "C" not null, severity smallint not null, count bigint not null,
      unique nulls not distinct (tenant_id, span, bucket, client_id, module, severity)
    ) with (fillfactor = 70)`,
    `create table reel_log_keys (
      tenant_id uuid not null, writer text collate "C" not null, idempotency_key text collate "C" not null,
      entry_id uuid not null, content_hash bytea not null,
      primary key (tenant_id, writer, idempotency_key)
    )`,
    `create index on reel_log_keys (tenant_id, entry_id)`,
  ];
}

function policies(): string[] {
  const each = TENANT_TABLES.flatMap((table) => [
    `alter table ${table} enable row level security, force row level security`,
    `create policy reel_owner on ${table} to current_user using (true) with check (true)`,
    `create policy reel_read on ${table} for select using (${READING})`,
    `create policy reel_write on ${table} for insert with check (${WRITING})`,
  ]);
  return [
    ...each,
    `create policy reel_take on reel_log_inbox for delete using (${READING})`,
    `create policy reel_count on reel_log_counts for update using (${READING}) with check (${READING})`,
    `create policy reel_repeat on reel_log_keys for select using (${WRITING})`,
  ];
}

/** What the runtime role may do with the owner's rights, each function with a fixed search path. */
function functions(schema: string): string[] {
  const guarded = `security definer set search_path = ${schema}, pg_temp`;
  return [
    // The smallest id of an instant: a UUIDv7's first 48 bits are Unix milliseconds (RFC 9562, section 5.7).
    `create function reel_first_id(at timestamptz) returns uuid language sql immutable set search_path = pg_catalog as $$
      select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$`,
    // Creates the month's partition where it is missing; false where the default partition already has rows of that month.
    `create function reel_ensure_month(at timestamptz) returns boolean language plpgsql ${guarded} set lock_timeout = '2s' as $$
      declare
        first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
        next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
        name text := 'reel_log_entries_' || to_char(first at time zone 'UTC', 'YYYYMM');
      begin
        if at not between timestamptz '2000-01-01 00:00:00Z' and timestamptz '2200-01-01 00:00:00Z' then
          return false;
        end if;
        if to_regclass(format('%I', name)) is not null then
          return true;
        end if;
        perform pg_advisory_xact_lock(hashtext('reel_ensure_month'));
        if to_regclass(format('%I', name)) is not null then
          return true;
        end if;
        execute format('create table %I partition of reel_log_entries for values from (%L) to (%L)',
          name, reel_first_id(first), reel_first_id(next));
        return true;
      exception when check_violation or lock_not_available then
        return false;
      end
    $$`,
    // Ids of tenants with unsequenced entries, by a loose index scan of the key.
    `create function reel_waiting_tenants(most integer) returns setof uuid language sql stable ${guarded} as $$
      with recursive waiting(tenant_id) as (
        (select tenant_id from reel_log_inbox order by tenant_id limit 1)
        union all
        select (select i.tenant_id from reel_log_inbox i where i.tenant_id > w.tenant_id order by i.tenant_id limit 1)
        from waiting w where w.tenant_id is not null
      )
      select tenant_id from waiting where tenant_id is not null limit most
    $$`,
    `revoke all on function reel_ensure_month(timestamptz), reel_waiting_tenants(integer) from public`,
  ];
}
