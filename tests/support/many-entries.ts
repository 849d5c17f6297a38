import type { TestDatabase } from './postgres.js';
import { recount } from './recount.js';

/**
 * Stores so many entries of a tenant, a second or `secondsApart`, the newest at `newest`: as the sequencer leaves them, but for
 * leaf hashes; each for which `isWaiting` (SQL over n, from 1) holds is still in the inbox. Every hundredth is of the module `rare`, every thousandth of the actor `somebody`, every second of a client; every third
 * happened up to 96 minutes before.
 */
export async function storeMany(
  own: TestDatabase,
  {
    tenantId,
    clientId,
    count,
    newest,
    secondsApart = 1,
    isWaiting = 'false',
  }: {
    tenantId: string;
    clientId: string;
    count: number;
    newest: Date;
    secondsApart?: number;
    isWaiting?: string;
  },
): Promise<void> {
  await own.query(
    `insert into reel_log_entries (tenant_id, id, module, action, severity, origin, leaf_version, actor_id, client_id,
      resource_type, resource_id, request_id, ip_address, data, search_text, occurred_at, created_at, identity_digest)
    select $1, (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
      case when n % 100 = 0 then 'rare' else 'common' end, 'users.' || n % 50, n % 5, 0, 2,
      case when n % 1000 = 0 then 'somebody' else 'actor-' || n % 7 end, case when n % 2 = 0 then $2::uuid end,
      'invoice', 'invoice-' || n, 'request-' || n / 2, ('10.0.' || n % 200 || '.' || n / 200 % 200)::inet,
      jsonb_build_object('n', n, 'note', repeat('x', 100)), 'common ' || n, case when n % 3 = 0 then at - make_interval(mins => n % 97) else at end, at, '\\x00'
    from generate_series(1, $3::integer) n, lateral (select $4::timestamptz - make_interval(secs => ($3 - n) * $5::integer) as at) t`,
    [tenantId, clientId, count, newest, secondsApart],
    'superuser',
  );
  await own.query(
    `insert into reel_log_inbox (tenant_id, entry_id, leaf_hash)
    select tenant_id, id, '\\x00' from (
      select *, row_number() over (order by id) as n from reel_log_entries where tenant_id = $1
    ) e where ${isWaiting}`,
    [tenantId],
    'superuser',
  );
  await own.query(
    `insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash)
    select tenant_id, row_number() over (order by id), id, '\\x00' from reel_log_entries e
    where tenant_id = $1 and not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)`,
    [tenantId],
    'superuser',
  );
  for (const statement of recount(`'${tenantId}'`)) await own.query(statement, [], 'superuser');
}

/** As the planner sees tables that were never analysed, or (`zero`) whose statistics say that they are empty. */
export async function forgetStatistics(own: TestDatabase, zero: boolean): Promise<void> {
  await own.query(
    `do $$ declare name text; begin
      for name in select c.oid::regclass::text from pg_class c where relname like 'reel\\_log\\_%' and relkind = 'r' loop
        execute format('alter table %s set (autovacuum_enabled = off)', name);
      end loop;
    end $$`,
    [],
    'superuser',
  );
  await own.query(
    `delete from pg_statistic where starelid::regclass::text like 'reel\\_log\\_%'`,
    [],
    'superuser',
  );
  await own.query(
    `update pg_class set relpages = $1, reltuples = $2 where relname like 'reel\\_log\\_%' and relkind in ('r', 'i')`,
    zero ? [1, 0] : [0, -1],
    'superuser',
  );
}
