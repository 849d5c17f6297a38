import { Migration } from './migration.js';

/**
 * Entries of leaf version 2: who acted in which way, how it ended, what people call the resource and for whom it was,
 * and ids as any text. Entries from before keep version 1 and everything that they were sealed with.
 */
export class Migration20261129000000_records extends Migration {
  override async up(): Promise<void> {
    const statements = [
      `alter table reel_log_entries
        alter column actor_id type text collate "C" using actor_id::text,
        alter column on_behalf_of_id type text collate "C" using on_behalf_of_id::text,
        alter column request_id type text collate "C" using request_id::text,
        add column leaf_version smallint not null default 1 check (leaf_version between 1 and 2),
        add column actor_type smallint check (actor_type between 0 and 4),
        add column outcome smallint check (outcome between 0 and 2),
        add column on_behalf_of_name text collate "C",
        add column resource_name text collate "C",
        add column repaired text[] collate "C",
        add column actor_name_folded text collate "C"`,
      // Said with each entry from now on.
      `alter table reel_log_entries alter column leaf_version drop default`,
      `alter table reel_log_holds alter column actor_id type text collate "C" using actor_id::text`,
      // Found by an index, since a bounded walk may not come to them: people, resources, addresses (bench/results/indexes.txt).
      `create index on reel_log_entries (tenant_id, actor_email_folded, id) where actor_email_folded is not null`,
      `create index on reel_log_entries (tenant_id, actor_name_folded, id) where actor_name_folded is not null`,
      `create index on reel_log_entries (tenant_id, on_behalf_of_id, id) where on_behalf_of_id is not null`,
      `create index on reel_log_entries (tenant_id, resource_type, id) where resource_type is not null`,
      `create index on reel_log_entries (tenant_id, ip_address, id) where ip_address is not null`,
      // What happened when it was stored is found by created_at.
      `create index on reel_log_entries (tenant_id, occurred_at, id) where occurred_at <> created_at`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
