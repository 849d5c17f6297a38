import { Migration } from './migration.js';

/** Entries of severity ERROR and CRITICAL, which are looked for most and are few, have an index of their own. */
export class Migration20261130000002_grave extends Migration {
  override async up(): Promise<void> {
    this.addSql('create index on reel_log_entries (tenant_id, severity, id) where severity >= 3');
  }
}
