import { Migration } from './migration.js';

/** What sealing several tenants together reads. */
const READ = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts'];
const WRITTEN = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'search'];

/**
 * Whether a row's tenant is among those of a setting, canonical UUIDs with commas between. Looked for in the text, since an array would
 * be made of it anew for each row, and Citus takes no sub-select in a policy.
 */
const among = (setting: string) => `strpos(current_setting('${setting}', true), tenant_id::text) > 0`;

/** Policies that Citus takes, too, when the tables are distributed. */
export class Migration20261129000005_policies extends Migration {
  override async up(): Promise<void> {
    const sealing = among('reel.sealing_ids');
    const statements = [
      ...WRITTEN.map(
        (name) => `alter policy reel_write on reel_log_${name} with check (${among('reel.tenant_ids')})`,
      ),
      ...READ.map((name) => `alter policy reel_seal on reel_log_${name} using (${sealing})`),
      `alter policy reel_seal_take on reel_log_inbox using (${sealing})`,
      `alter policy reel_seal_count on reel_log_counts using (${sealing}) with check (${sealing})`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
