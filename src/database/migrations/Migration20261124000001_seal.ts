import { Migration } from '@mikro-orm/migrations';

export class Migration20261124000001_seal extends Migration {
  override async up(): Promise<void> {
    // Each checkpoint names the one before, so that one that is taken out of their row leaves a gap.
    this.addSql(`alter table reel_log_checkpoints add column previous_size bigint not null`);
    // Every key that checkpoints were signed with, of the whole installation; the note is signed by the key itself.
    this.addSql(`create table reel_log_signing_keys (
      vkey text collate "C" primary key, added_at timestamptz not null, note text not null
    )`);
  }
}
