import { Migration } from './migration.js';

/**
 * A stream is due, too, when its receiver has refused for five minutes and it is not FAILING yet, however long its next attempt
 * is off: the minutes are those of FAILING_AFTER_MS (src/stream/due.ts).
 */
export class Migration20261130000003_failing_in_time extends Migration {
  override up(): void {
    this.addSql(`
      create or replace function reel_due_streams_in(streams text, sequence text, parked text, most integer)
      returns table (delivered timestamptz, tenant_id uuid, id uuid) language plpgsql set search_path = pg_catalog, pg_temp
      set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
      begin
        return query execute format('
          select s.last_delivered_at, s.tenant_id, s.id from %1$s s
          where s.state in (''RUNNING'', ''FAILING'') and (s.retry_at is null or s.retry_at <= clock_timestamp()
              or (s.state = ''RUNNING'' and s.failing_since <= clock_timestamp() - interval ''5 minutes''))
            and (s.pending_last is not null
              or exists (select from %2$s q where q.tenant_id = s.tenant_id and q.seq > s.position)
              or exists (select from %3$s p where p.tenant_id = s.tenant_id and p.stream_id = s.id and p.retry))
          order by s.last_delivered_at nulls first limit $1', streams, sequence, parked) using most;
      end
    $$`);
  }
}
