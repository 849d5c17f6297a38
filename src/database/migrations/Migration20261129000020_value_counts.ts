import { Migration } from './migration.js';

const NONE = `'00000000-0000-0000-0000-000000000000'`;
const READING = `tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid`;
const BUCKET = `date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch')`;
const COUNTED = `from reel_log_entries e cross join unnest(array[1440, 23040]) s(span)
  where not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)`;
/** As Migration20261129000005_policies has it. */
const among = (setting: string) => `strpos(current_setting('${setting}', true), tenant_id::text) > 0`;

const TABLES = ['reel_log_severity_counts', 'reel_log_action_counts', 'reel_log_actor_counts'];

/**
 * Counts by severity alone, so that a year by the day takes few rows, and by action and by actor, which may be as many as
 * there are entries and therefore have no rows by the quarter of an hour.
 */
export class Migration20261129000020_value_counts extends Migration {
  override async up(): Promise<void> {
    const sealing = among('reel.sealing_ids');
    const statements = [
      `create table reel_log_severity_counts (
        tenant_id uuid not null, span smallint not null check (span in (15, 1440, 23040)), bucket timestamptz not null,
        severity smallint not null, count bigint not null,
        primary key (tenant_id, span, bucket, severity)
      ) with (fillfactor = 70)`,
      `create table reel_log_action_counts (
        tenant_id uuid not null, span smallint not null check (span in (1440, 23040)), bucket timestamptz not null,
        client_id uuid not null, module text collate "C" not null, action text collate "C" not null, severity smallint not null,
        count bigint not null,
        primary key (tenant_id, span, bucket, client_id, module, action, severity)
      ) with (fillfactor = 70)`,
      // kind: what the value is: -1 none, 0 id, 1 e-mail, 2 name.
      `create table reel_log_actor_counts (
        tenant_id uuid not null, span smallint not null check (span in (1440, 23040)), bucket timestamptz not null,
        client_id uuid not null, value text collate "C" not null, kind smallint not null, count bigint not null,
        primary key (tenant_id, span, bucket, client_id, value, kind)
      ) with (fillfactor = 70)`,
      ...TABLES.flatMap((table) => [
        `alter table ${table} enable row level security`,
        `create policy reel_owner on ${table} to current_user using (true) with check (true)`,
        `create policy reel_read on ${table} for select using (${READING})`,
        `create policy reel_write on ${table} for insert with check (${among('reel.tenant_ids')})`,
        `create policy reel_count on ${table} for update using (${READING}) with check (${READING})`,
        `create policy reel_seal on ${table} for select using (${sealing})`,
        `create policy reel_seal_count on ${table} for update using (${sealing}) with check (${sealing})`,
      ]),
      `insert into reel_log_severity_counts
        select tenant_id, span, bucket, severity, sum(count) from reel_log_counts group by tenant_id, span, bucket, severity`,
      `insert into reel_log_action_counts
        select e.tenant_id, s.span, ${BUCKET} as bucket, coalesce(e.client_id, ${NONE}) as client_id, e.module, e.action, e.severity, count(*)
        ${COUNTED} group by e.tenant_id, s.span, bucket, coalesce(e.client_id, ${NONE}), e.module, e.action, e.severity`,
      `insert into reel_log_actor_counts
        select e.tenant_id, s.span, ${BUCKET} as bucket, coalesce(e.client_id, ${NONE}) as client_id,
          coalesce(e.actor_id, e.actor_email_folded, e.actor_name, '') as value,
          case when e.actor_id is not null then 0 when e.actor_email_folded is not null then 1
            when e.actor_name is not null then 2 else -1 end as kind, count(*)
        ${COUNTED} group by e.tenant_id, s.span, bucket, coalesce(e.client_id, ${NONE}), value, kind`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
