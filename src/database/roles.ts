import { StartError } from '../errors.js';

type ExecuteSql = (sql: string) => Promise<Record<string, unknown>[]>;

/** The runtime role's privileges on each table. */
const GRANTS: Record<string, string> = {
  reel_log_entries: 'select, insert',
  reel_log_sequence: 'select, insert',
  reel_log_tiles: 'select, insert',
  reel_log_checkpoints: 'select, insert',
  reel_log_signing_keys: 'select, insert',
  reel_log_keys: 'select, insert',
  reel_log_inbox: 'select, insert, delete',
  reel_log_counts: 'select, insert, update',
  reel_log_search: 'select, insert',
  reel_log_removals: 'select',
  reel_log_holds: 'select',
  reel_migrations: 'select',
};

/** Creates the runtime role where it is missing and grants it exactly what the server needs. Errors: StartError for a role with too many rights. */
export async function ensureRuntimeRole(
  execute: ExecuteSql,
  ownerUrl: string,
  runtimeUrl: string,
): Promise<void> {
  const owner = decodeURIComponent(new URL(ownerUrl).username);
  const { username, password } = new URL(runtimeUrl);
  const role = decodeURIComponent(username);
  if (role === owner)
    throw new StartError(
      `REEL_DATABASE_URL: expected a role other than the owner of the tables, got ${role}`,
    );
  const [found] = await execute(
    `select rolsuper, rolbypassrls from pg_roles where rolname = ${literal(role)}`,
  );
  if (!found) {
    try {
      await execute(
        `create role ${identifier(role)} login password ${literal(decodeURIComponent(password))}`,
      );
    } catch (error) {
      throw new StartError(
        `REEL_DATABASE_URL: expected a role that exists or can be created, got ${role}: ${(error as Error).message}`,
      );
    }
  } else {
    const excess = found.rolsuper
      ? 'a superuser'
      : found.rolbypassrls
        ? 'allowed to bypass row-level security'
        : null;
    if (excess)
      throw new StartError(
        `REEL_DATABASE_URL: expected a role under row-level security, got ${role}, which is ${excess}`,
      );
  }
  const [{ schema }] = (await execute('select current_schema() as schema')) as [{ schema: string }];
  await execute(`grant usage on schema ${identifier(schema)} to ${identifier(role)}`);
  for (const [table, rights] of Object.entries(GRANTS)) {
    await execute(`revoke all on ${table} from ${identifier(role)}`);
    await execute(`grant ${rights} on ${table} to ${identifier(role)}`);
  }
  await execute(
    `grant execute on function reel_first_id(timestamptz), reel_ensure_month(timestamptz), reel_waiting_tenants(integer), reel_waiting_logs(integer, integer), reel_search_candidates(integer[], integer), reel_search_backlog(integer) to ${identifier(role)}`,
  );
}

/**
 * Why the connected role must not run a server, or null: it is a superuser, bypasses row-level security, owns the tables
 * or is a member of their owner, or may update or delete rows of append-only tables.
 */
export async function excessPrivileges(execute: ExecuteSql): Promise<string | null> {
  const [row] = await execute(`
    select current_user as role, r.rolsuper as superuser, r.rolbypassrls as bypass,
      exists (select from pg_class c where c.relname in ('reel_log_entries', 'reel_log_sequence')
        and pg_has_role(current_user, c.relowner, 'MEMBER')) as owner,
      exists (select from pg_class c where c.relname in ('reel_log_entries', 'reel_log_sequence', 'reel_log_tiles', 'reel_log_checkpoints', 'reel_log_signing_keys', 'reel_log_removals', 'reel_log_holds', 'reel_log_search')
        and has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) as writes
    from pg_roles r where r.rolname = current_user`);
  if (!row) return null;
  const excess = [
    row.superuser && 'a superuser',
    row.bypass && 'allowed to bypass row-level security',
    row.owner && 'the owner of the tables',
    row.writes && 'allowed to change or delete sealed rows',
  ].filter(Boolean);
  return excess.length > 0 ? `${row.role}, which is ${excess.join(' and ')}` : null;
}

const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** For statements that take no parameters; an escape string, so that backslashes need not depend on a setting. */
const literal = (text: string) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
