import { Migration } from './migration.js';

export class Migration20261124000002_retention extends Migration {
  override async up(): Promise<void> {
    const statements = [
      // Legal holds: entries covered by an unreleased one can be neither removed nor erased. Only the owner has access.
      `create table reel_log_holds (
        tenant_id uuid not null, id uuid not null, reason text collate "C" not null,
        from_at timestamptz, to_at timestamptz, actor_id uuid,
        created_at timestamptz not null, released_at timestamptz,
        primary key (tenant_id, id)
      )`,
      `create index on reel_log_holds (tenant_id) where released_at is null`,
      // Sequence numbers whose entries were removed by retention, as ranges that neither touch nor overlap.
      `create table reel_log_removals (
        tenant_id uuid not null, first_seq bigint not null check (first_seq > 0), last_seq bigint not null,
        primary key (tenant_id, first_seq), unique (tenant_id, last_seq), check (last_seq >= first_seq)
      )`,
      ...['reel_log_holds', 'reel_log_removals'].flatMap((table) => [
        `alter table ${table} enable row level security, force row level security`,
        `create policy reel_owner on ${table} to current_user using (true) with check (true)`,
      ]),
      `create policy reel_read on reel_log_removals for select
        using (tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid)`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
