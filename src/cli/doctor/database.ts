import { isIP } from 'node:net';
import pg from 'pg';
import type { Config } from '../../config/config.js';
import { MIGRATION_NAMES } from '../../database/migration-names.js';
import { MONTHS_AHEAD } from '../../database/months.js';
import { excessPrivileges, refuseOpenSchema } from '../../database/roles.js';
import { sessionOptions } from '../../database/session.js';
import { StartError } from '../../errors.js';
import { millisecondsOf } from '../../seal/sequence-batch.js';
import { duration, type Finding, size, toDo, well } from './finding.js';

type Ask = <R extends object = Record<string, unknown>>(sql: string) => Promise<R[]>;

const OLDEST_VERSION = 15;
const STATEMENT_MS = 15_000;
/** A server takes so many connections, and one more for its locks and its heartbeat each. */
const CONNECTIONS_OF_A_SERVER = 22;
const CLOCK_SECONDS = 5;
/** Entries are sealed within a second or so. */
const SEALING_SECONDS = 60;
/** PostgreSQL takes no more writes at about 2^31. */
const OLD_TRANSACTIONS = 1_500_000_000;

/** A connection, to be ended. Errors: StartError where there is none. */
async function connect(url: string, variable: string): Promise<{ ask: Ask; end: () => Promise<void> }> {
  const client = new pg.Client(sessionOptions(url, STATEMENT_MS));
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    throw new StartError(`${variable}: expected a PostgreSQL reachable at ${new URL(url).host}, got: ${why}`);
  }
  return {
    ask: async <R extends object>(sql: string) =>
      (await client.query<R & pg.QueryResultRow>(sql)).rows as R[],
    end: () => client.end().catch(() => {}),
  };
}

/** What there is to say of the database, as the runtime role sees it. */
export async function lookAtDatabase(
  url: string,
  config: Pick<Config, 'actionModes' | 'redactionKeys'>,
): Promise<Finding[]> {
  let connection: Awaited<ReturnType<typeof connect>>;
  try {
    connection = await connect(url, 'REEL_DATABASE_URL');
  } catch (error) {
    return [toDo('database', (error as Error).message)];
  }
  const { ask } = connection;
  try {
    const found: Finding[] = [
      await version(ask, url),
      encryption(url, await isEncrypted(ask)),
      await searchPath(ask),
    ];
    const schema = await migrations(ask);
    found.push(schema, await role(ask), await clock(ask), await durability(ask), await connections(ask));
    if (!schema.isWell) return found;
    return [
      ...found,
      await partitions(ask),
      await statistics(ask),
      await space(ask),
      await sealing(ask),
      await streams(ask),
      await actions(ask, config),
    ];
  } finally {
    await connection.end();
  }
}

/** What there is to say of the owner's connection. */
export async function lookAtOwner(url: string): Promise<Finding> {
  try {
    const { ask, end } = await connect(url, 'REEL_MIGRATE_URL');
    try {
      await ask('begin');
      await refuseOpenSchema(ask);
      const [row] = await ask<{ role: string; is_owner: boolean | null }>(`select current_user as role,
        (select pg_has_role(current_user, relowner, 'USAGE') from pg_class where oid = to_regclass('reel_log_entries')) as is_owner`);
      await ask('rollback');
      if (row?.is_owner === false)
        return toDo('owner', `REEL_MIGRATE_URL: expected the owner of the tables, got the role ${row.role}`);
      return well('owner', `${row?.role}; nobody else may create in its schema`);
    } finally {
      await end();
    }
  } catch (error) {
    return toDo('owner', (error as Error).message);
  }
}

async function version(ask: Ask, url: string): Promise<Finding> {
  const [row] = await ask<{ number: string; version: string; encoding: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as version,
      current_setting('server_encoding') as encoding`,
  );
  const at = `PostgreSQL ${row!.version} at ${new URL(url).host}`;
  if (Number(row!.number) < OLDEST_VERSION * 10_000)
    return toDo('database', `expected PostgreSQL ${OLDEST_VERSION} or newer, got ${at}: upgrade it`);
  if (row!.encoding !== 'UTF8')
    return toDo('database', `expected the encoding UTF8, got ${row!.encoding}: make a database with it`);
  return well('database', at);
}

async function isEncrypted(ask: Ask): Promise<boolean> {
  const [row] = await ask<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
  return row?.ssl === true;
}

/** A socket and this machine itself need no encryption. */
function encryption(url: string, isOn: boolean): Finding {
  const { hostname } = new URL(url);
  const isLocal =
    hostname === '' ||
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    (isIP(hostname) === 4 && hostname.startsWith('127.'));
  if (isOn) return well('encryption', 'the connection is encrypted');
  return isLocal
    ? well('encryption', 'the database is on this machine')
    : toDo(
        'encryption',
        `the connection to ${hostname} is not encrypted: add ?sslmode=verify-full to REEL_DATABASE_URL`,
      );
}

async function searchPath(ask: Ask): Promise<Finding> {
  const [row] = await ask<{ schema: string | null; home: string | null }>(`select current_schema() as schema,
    (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relname = 'reel_log_entries' and c.relkind = 'p' limit 1) as home`);
  const { schema, home } = row!;
  if (home !== null && home !== schema)
    return toDo(
      'search path',
      `expected the schema ${home} first, which has the tables, got ${schema ?? 'none'}: alter role … set search_path = ${home}`,
    );
  return well('search path', `${schema} first`);
}

async function migrations(ask: Ask): Promise<Finding> {
  try {
    const applied = new Set(
      (await ask<{ name: string }>('select name from reel_migrations')).map(({ name }) => name),
    );
    const missing = MIGRATION_NAMES.filter((name) => !applied.has(name));
    const newer = [...applied].filter((name) => !(MIGRATION_NAMES as readonly string[]).includes(name));
    if (missing.length > 0)
      return toDo(
        'migrations',
        `${missing.length} of ${MIGRATION_NAMES.length} are missing: run reel migrate`,
      );
    return well(
      'migrations',
      newer.length === 0 ? 'up to date' : `up to date, and ${newer.length} of a newer release`,
    );
  } catch (error) {
    if (!['42P01', '42501'].includes((error as { code?: string }).code ?? '')) throw error;
    return toDo('migrations', 'there are no tables that this role may see: run reel migrate');
  }
}

async function role(ask: Ask): Promise<Finding> {
  await ask('begin');
  try {
    const excess = await excessPrivileges(ask as Parameters<typeof excessPrivileges>[0]);
    if (excess !== null)
      return toDo('role', `expected a role under row-level security that can only append, got ${excess}`);
    const [row] = await ask<{ role: string }>('select current_user as role');
    return well('role', `${row!.role} can append and read under row-level security, and nothing else`);
  } finally {
    await ask('rollback');
  }
}

async function clock(ask: Ask): Promise<Finding> {
  const sentAt = Date.now();
  const [row] = await ask<{ now: string }>('select extract(epoch from clock_timestamp()) as now');
  const arrivedAt = Date.now();
  const theirs = Number(row!.now) * 1_000;
  const apart = theirs < sentAt ? theirs - sentAt : Math.max(0, theirs - arrivedAt);
  const shown = `${(Math.abs(apart) / 1_000).toFixed(1)} s`;
  return Math.abs(apart) > CLOCK_SECONDS * 1_000
    ? toDo(
        'clock',
        `the database's is ${shown} ${apart > 0 ? 'ahead of' : 'behind'} this machine's: set both by NTP`,
      )
    : well('clock', `within ${shown} of this machine's`);
}

/** Acknowledged is stored: these settings decide whether it is so when the power fails. */
async function durability(ask: Ask): Promise<Finding> {
  const rows = await ask<{ name: string; setting: string }>(`select name, setting from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'`);
  return rows.length > 0
    ? toDo(
        'durability',
        `${rows.map(({ name }) => name).join(', ')} is off: entries that were acknowledged may be lost; turn it on`,
      )
    : well('durability', 'what is acknowledged is on disk');
}

async function connections(ask: Ask): Promise<Finding> {
  const [row] = await ask<{ most: number; used: number; own: number }>(`select
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most,
    (select coalesce(sum(numbackends), 0)::int from pg_stat_database) as used,
    (select rolconnlimit from pg_roles where rolname = current_user) as own`);
  const { most, used, own } = row!;
  const allowed = own >= 0 ? Math.min(own, most) : most;
  return allowed < CONNECTIONS_OF_A_SERVER
    ? toDo(
        'connections',
        `expected ${CONNECTIONS_OF_A_SERVER} for each server, got ${allowed} in all: raise max_connections, or the role's limit`,
      )
    : well('connections', `${used} of ${allowed} used; a server takes up to ${CONNECTIONS_OF_A_SERVER}`);
}

async function partitions(ask: Ask): Promise<Finding> {
  const [row] = await ask<{ ahead: number; stray: boolean }>(`select
    (select count(*)::int from generate_series(0, ${MONTHS_AHEAD}) ahead
      where to_regclass('reel_log_entries_' || to_char(now() at time zone 'UTC' + make_interval(months => ahead), 'YYYYMM')) is not null) as ahead,
    coalesce((select relpages > 1 from pg_class where oid = to_regclass('reel_log_entries_default')), false) as stray`);
  const missing = MONTHS_AHEAD + 1 - row!.ahead;
  if (missing > 0)
    return toDo(
      'partitions',
      `${missing} of this month and the ${MONTHS_AHEAD} next are missing: run reel migrate, or leave a server running`,
    );
  if (row!.stray)
    return toDo(
      'partitions',
      'entries stand in the default partition, of months that had none of their own: cleanup removes them row by row',
    );
  return well('partitions', `this month and the ${MONTHS_AHEAD} next`);
}

async function statistics(ask: Ask): Promise<Finding> {
  const [settings] = await ask<{ autovacuum: string; age: string }>(
    `select current_setting('autovacuum') as autovacuum, (select max(age(datfrozenxid)) from pg_database) as age`,
  );
  if (settings!.autovacuum === 'off')
    return toDo(
      'statistics',
      'autovacuum is off: turn it on, since removed rows keep their space without it',
    );
  if (Number(settings!.age) > OLD_TRANSACTIONS)
    return toDo(
      'statistics',
      `the oldest transaction is ${settings!.age} old: vacuum the database before it refuses writes`,
    );
  const stale = await ask<{ name: string }>(`select relname as name from pg_stat_user_tables
    where relname like 'reel\\_%' and (n_mod_since_analyze > 1000000 + n_live_tup or n_dead_tup > 1000000 + n_live_tup)
    order by relname limit 5`);
  return stale.length > 0
    ? toDo(
        'statistics',
        `vacuum analyze ${stale.map(({ name }) => name).join(', ')}: autovacuum does not keep up`,
      )
    : well('statistics', 'autovacuum keeps up');
}

/** PostgreSQL does not tell how much room is left on its disk. */
async function space(ask: Ask): Promise<Finding> {
  const [row] = await ask<{
    database: string;
    entries: string;
    month: string;
  }>(`select pg_database_size(current_database()) as database,
    (select coalesce(sum(c.reltuples) filter (where c.reltuples > 0), 0)::bigint from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = to_regclass('reel_log_entries')) as entries,
    coalesce(pg_total_relation_size(to_regclass('reel_log_entries_' || to_char(now() at time zone 'UTC', 'YYYYMM'))), 0) as month`);
  return well(
    'space',
    `${size(Number(row!.database))}, of which ${size(Number(row!.month))} are this month's entries; about ${row!.entries} entries. The room left on its disk is yours to watch`,
  );
}

async function sealing(ask: Ask): Promise<Finding> {
  const rows = await ask<{ tenant_id: string; oldest: string; silent_node: string | null }>(
    'select tenant_id, oldest, silent_node from reel_waiting_logs(1000, 1)',
  );
  const silent = rows.flatMap(({ silent_node }) => silent_node ?? []);
  if (silent.length > 0) return toDo('sealing', `nodes of the cluster do not answer: ${silent.join(', ')}`);
  const oldest = rows.reduce((least, row) => Math.min(least, millisecondsOf(row.oldest)), Date.now());
  const seconds = (Date.now() - oldest) / 1_000;
  if (seconds > SEALING_SECONDS)
    return toDo(
      'sealing',
      `entries of ${rows.length} tenants wait to be sealed, the oldest for ${duration(seconds)}: see whether a server runs, and its log`,
    );
  return well(
    'sealing',
    rows.length === 0 ? 'nothing waits' : `the oldest entry waits for ${duration(seconds)}`,
  );
}

async function streams(ask: Ask): Promise<Finding> {
  const rows = await ask<{
    id: string;
    kind: string;
    state: string;
    oldest: string | null;
    error: string | null;
  }>('select id, kind, state, oldest, error from reel_lagging_streams(1000)');
  const failing = rows.filter(({ state }) => state === 'FAILING');
  if (failing.length > 0) {
    const shown = failing.slice(0, 5).map(({ id, kind, error }) => `${kind} ${id} (${error ?? 'no error'})`);
    return toDo(
      'streams',
      `${failing.length} of ${rows.length} fail: ${shown.join(', ')}; reel stream list has the receiver's answer`,
    );
  }
  const oldest = rows.reduce(
    (least, row) => (row.oldest ? Math.min(least, millisecondsOf(row.oldest)) : least),
    Date.now(),
  );
  const behind = (Date.now() - oldest) / 1_000;
  return well('streams', rows.length === 0 ? 'none' : `${rows.length}, at most ${duration(behind)} behind`);
}

/** Whether what is to be checked is registered, and what is to be redacted can be. */
async function actions(
  ask: Ask,
  { actionModes, redactionKeys }: Pick<Config, 'actionModes' | 'redactionKeys'>,
): Promise<Finding> {
  const rows = await ask<{ module: string; actions: string; hmac: boolean }>(`select module,
    count(distinct action) as actions, bool_or(redaction @> '[{"how": "HMAC"}]') as hmac
    from reel_log_actions group by module order by module`);
  const unkeyed = rows.filter(({ hmac }) => hmac && redactionKeys.length === 0);
  if (unkeyed.length > 0)
    return toDo(
      'actions',
      `expected REEL_REDACTION_KEY for the HMACs of ${named(unkeyed)}, got none: what they stand for is dropped`,
    );
  const registered = new Set(rows.map(({ module }) => module));
  const missing = [...actionModes.modules]
    .filter(([module, mode]) => mode !== 'off' && !registered.has(module))
    .map(([module]) => ({ module }));
  if (missing.length > 0)
    return toDo(
      'actions',
      `REEL_ACTIONS names ${named(missing)}, which registered nothing, so nothing is checked: run reel actions push`,
    );
  const count = rows.reduce((sum, each) => sum + Number(each.actions), 0);
  return well('actions', count === 0 ? 'none is registered' : `${count} registered, of ${named(rows)}`);
}

const MAX_NAMED = 5;

const named = (rows: readonly { module: string }[]): string =>
  rows
    .slice(0, MAX_NAMED)
    .map(({ module }) => module)
    .join(', ') + (rows.length > MAX_NAMED ? ` and ${rows.length - MAX_NAMED} more modules` : '');
