import { Migration } from './migration.js';

/** What sealing several tenants together reads. */
const READ = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts'];
const WRITTEN = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'search'];

/** The tenants of a setting, read once for each statement and not for each row. */
const among = (setting: string) =>
  `tenant_id = any ((select string_to_array(nullif(current_setting('${setting}', true), ''), ',')::uuid[])::uuid[])`;

/** Sealing many tenants in one transaction, those that have waited longest first. */
export class Migration20261129000003_sealing extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    const sealing = among('reel.sealing_ids');
    const statements = [
      ...WRITTEN.map(
        (name) => `alter policy reel_write on reel_log_${name} with check (${among('reel.tenant_ids')})`,
      ),
      ...READ.map((name) => `create policy reel_seal on reel_log_${name} for select using (${sealing})`),
      `create policy reel_seal_take on reel_log_inbox for delete using (${sealing})`,
      `create policy reel_seal_count on reel_log_counts for update using (${sealing}) with check (${sealing})`,
      waitingLogs(`"${schema.replaceAll('"', '""')}"`),
      `revoke all on function reel_waiting_logs(integer, integer) from public`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

/**
 * Tenants with unsealed entries, those with the oldest first: the oldest entry's id, and how many there are, counted up to
 * `far`. By a loose index scan of the key, whatever the planner takes the inbox to hold.
 */
const waitingLogs = (schema: string) => `
  create function reel_waiting_logs(most integer, far integer) returns table (tenant_id uuid, oldest uuid, entries integer)
    language sql stable security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
    with recursive waiting(tenant_id, oldest) as (
      (select i.tenant_id, i.entry_id from ${schema}.reel_log_inbox i order by i.tenant_id, i.entry_id limit 1)
      union all
      select next.tenant_id, next.entry_id from waiting w cross join lateral (
        select i.tenant_id, i.entry_id from ${schema}.reel_log_inbox i
        where i.tenant_id > w.tenant_id order by i.tenant_id, i.entry_id limit 1
      ) next
    )
    select o.tenant_id, o.oldest, (
      select count(*)::integer from (
        select from ${schema}.reel_log_inbox i where i.tenant_id = o.tenant_id limit far
      ) counted
    ) from (select w.tenant_id, w.oldest from waiting w order by w.oldest limit most) o order by o.oldest
  $$`;
