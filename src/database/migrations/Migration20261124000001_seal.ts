import { Migration } from './migration.js';

export class Migration20261124000001_seal extends Migration {
  override async up(): Promise<void> {
    // Each checkpoint records the previous one's size, so that a deleted one leaves a gap.
    this.addSql(`alter table reel_log_checkpoints add column previous_size bigint not null`);
    // Every key that ever signed checkpoints of this installation; `note` is signed by the key itself.
    this.addSql(`create table reel_log_signing_keys (
      vkey text collate "C" primary key, added_at timestamptz not null, note text not null
    )`);
  }
}
