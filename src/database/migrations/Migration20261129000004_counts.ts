import { Migration } from './migration.js';

/**
 * A primary key for the counts, by which replication tells rows apart: those of no client have the nil UUID (RFC 9562,
 * section 5.9), which no client's id may be.
 */
export class Migration20261129000004_counts extends Migration {
  override async up(): Promise<void> {
    const statements = [
      `update reel_log_counts set client_id = '00000000-0000-0000-0000-000000000000' where client_id is null`,
      `alter table reel_log_counts alter column client_id set not null`,
      `alter table reel_log_counts drop constraint reel_log_counts_tenant_id_span_bucket_client_id_module_seve_key`,
      `alter table reel_log_counts add primary key (tenant_id, span, bucket, client_id, module, severity)`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
