import { Migration } from './migration.js';

/** Makes changes detectable in rows that the tree does not cover: idempotency keys, holds, and ids of removed entries. */
export class Migration20261124000003_kept extends Migration {
  override async up(): Promise<void> {
    const statements = [
      // SHA-256 of the row of the entry's idempotency key, null where it has none (src/log/key-digest.ts).
      `alter table reel_log_entries add column key_digest bytea`,
      `update reel_log_entries e set key_digest = sha256(convert_to(concat_ws(E'\\n', k.tenant_id, k.entry_id,
          encode(k.content_hash, 'hex'), k.writer, k.idempotency_key), 'UTF8'))
        from reel_log_keys k where k.tenant_id = e.tenant_id and k.entry_id = e.id`,
      // Over seq and entry_id of each sequence number in the range (src/log/removal.ts).
      `alter table reel_log_removals add column places_digest bigint`,
      `update reel_log_removals r set places_digest = (
        select coalesce(bit_xor(('x' || left(encode(sha256(convert_to(s.seq || ' ' || s.entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint), 0)
        from reel_log_sequence s where s.tenant_id = r.tenant_id and s.seq between r.first_seq and r.last_seq)`,
      `alter table reel_log_removals alter column places_digest set not null`,
      // Serves the check whether the record of an erasure may be removed.
      `create index reel_log_entries_erased on reel_log_entries (tenant_id, erased_at) where erased_at is not null`,
      // verify reads holds as the server's role.
      `create policy reel_read on reel_log_holds for select
        using (tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid)`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
