import { Migration } from './migration.js';

const TABLES = ['reel_streams', 'reel_stream_parked'];

/** Delivery of tenants' entries to other systems. */
export class Migration20261129000010_streams extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    const within = `"${schema.replaceAll('"', '""')}"`;
    const ofTenant = `tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid`;
    const statements = [
      // secret: encrypted (src/stream/secrets.ts). position: the last sequence that is done with. previous: the last of the batch
      // before. pending_last, pending_size: the end of the batch under way, which begins after previous, and the size of its
      // checkpoint; they stand before it is first sent, so that it is the same whenever it is tried again.
      `create table reel_streams (
        tenant_id uuid not null, id uuid not null, name text collate "C" not null,
        kind text collate "C" not null, format text collate "C" not null, query text collate "C" not null, client_id uuid,
        settings jsonb not null, secret bytea,
        state text collate "C" not null, run integer not null, position bigint not null, previous bigint not null,
        pending_last bigint, pending_size bigint,
        failures integer not null default 0, failing_since timestamptz, retry_at timestamptz, parked_in_row integer not null default 0,
        last_delivered_at timestamptz, last_error text, attempts jsonb not null default '[]', created_at timestamptz not null,
        primary key (tenant_id, id)
      )`,
      // Entries that a receiver refused for good. retry: to be sent again.
      `create table reel_stream_parked (
        tenant_id uuid not null, stream_id uuid not null, seq bigint not null, entry_id uuid not null,
        reason text not null, parked_at timestamptz not null, retry boolean not null default false,
        primary key (tenant_id, stream_id, seq)
      )`,
      ...TABLES.flatMap((table) => [
        `alter table ${table} enable row level security`,
        `create policy reel_owner on ${table} to current_user using (true) with check (true)`,
        `create policy reel_tenant on ${table} using (${ofTenant}) with check (${ofTenant})`,
      ]),
      dueStreams(within),
      laggingStreams(within),
      `revoke all on function reel_due_streams(integer), reel_lagging_streams(integer) from public`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

const GUARDED = `language sql stable security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off`;

/** Streams with something to deliver, those first to which nothing was delivered for longest. */
const dueStreams = (schema: string) => `
  create function reel_due_streams(most integer) returns table (tenant_id uuid, id uuid) ${GUARDED} as $$
    select s.tenant_id, s.id from ${schema}.reel_streams s
    where s.state in ('RUNNING', 'FAILING') and (s.retry_at is null or s.retry_at <= clock_timestamp())
      and (s.pending_last is not null
        or exists (select from ${schema}.reel_log_sequence q where q.tenant_id = s.tenant_id and q.seq > s.position)
        or exists (select from ${schema}.reel_stream_parked p
          where p.tenant_id = s.tenant_id and p.stream_id = s.id and p.retry))
    order by s.last_delivered_at nulls first limit most
  $$`;

/** Streams that are to deliver, with the last sequence of their log, the first entry that is not done with, and the status or the error's name. */
const laggingStreams = (schema: string) => `
  create function reel_lagging_streams(most integer)
    returns table (id uuid, kind text, state text, "position" bigint, last bigint, oldest uuid, error text) ${GUARDED} as $$
    select s.id, s.kind, s.state, s.position,
      (select q.seq from ${schema}.reel_log_sequence q where q.tenant_id = s.tenant_id order by q.seq desc limit 1),
      (select q.entry_id from ${schema}.reel_log_sequence q
        where q.tenant_id = s.tenant_id and q.seq > s.position order by q.seq limit 1),
      coalesce(substring(s.last_error from '^(?:[0-9]{3}|[A-Z][A-Z0-9_]+)'), case when s.last_error is not null then 'other' end)
    from ${schema}.reel_streams s where s.state in ('RUNNING', 'FAILING') order by s.last_delivered_at nulls first limit most
  $$`;
