import { Migration } from './migration.js';

/** Views that people save. */
export class Migration20261129000040_views extends Migration {
  override up(): void {
    const ofTenant = `tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid`;
    const statements = [
      // owner_id: the id of whom it is, or the e-mail address where that is the id. No name is unique, since two tenants' rows, and
      // two people's, know nothing of each other.
      `create table reel_views (
        tenant_id uuid not null, id uuid not null, owner_id text collate "C" not null, shared boolean not null,
        name text collate "C" not null, query text collate "C" not null, range text collate "C",
        from_at timestamptz, to_at timestamptz, columns jsonb not null, order_by text collate "C" not null,
        updated_at timestamptz not null,
        primary key (tenant_id, id)
      )`,
      `alter table reel_views enable row level security`,
      `create policy reel_owner on reel_views to current_user using (true) with check (true)`,
      `create policy reel_tenant on reel_views using (${ofTenant}) with check (${ofTenant})`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
