import { Migration } from './migration.js';

/** What sealing reads of several tenants together. */
const TABLES = [
  'entries',
  'inbox',
  'sequence',
  'tiles',
  'checkpoints',
  'counts',
  'severity_counts',
  'action_counts',
  'actor_counts',
].map((name) => `reel_log_${name}`);

/**
 * The settings that say whose rows are read are looked up once for each statement, in sub-selects, and no longer for each row, where
 * they took more time than a row of an index; one tenant first, which is nearly every read. Citus takes no sub-select in a policy.
 */
export class Migration20261130000001_reads extends Migration {
  override async up(): Promise<void> {
    const citus = await this.execute(`select from pg_catalog.pg_extension where extname = 'citus'`);
    if (citus.length > 0) return;
    for (const table of TABLES) {
      this.addSql(`drop policy if exists reel_seal on ${table}`);
      this.addSql(`alter policy reel_read on ${table} using (
        tenant_id = (select nullif(current_setting('reel.tenant_id', true), '')::uuid)
        or strpos((select current_setting('reel.sealing_ids', true)), tenant_id::text) > 0)`);
    }
  }
}
