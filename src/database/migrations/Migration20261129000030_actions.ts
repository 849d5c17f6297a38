import { Migration } from './migration.js';

/**
 * What modules registered of their actions. They belong to the installation, not to a tenant. revision: goes up when the
 * description changes, the only thing of a version that may.
 */
export class Migration20261129000030_actions extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table reel_log_actions (
      module text collate "C" not null, action text collate "C" not null, version integer not null check (version > 0),
      schema text, severity smallint, resource text, redaction jsonb not null, description text,
      revision integer not null default 1, registered_at timestamptz not null default clock_timestamp(),
      primary key (module, action, version)
    )`);
  }
}
