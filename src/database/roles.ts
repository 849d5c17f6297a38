import { StartError } from '../errors.js';

type Execute = (sql: string) => Promise<Record<string, unknown>[]>;

/** What the server's role may do with each table. */
const GRANTS: Record<string, string> = {
  reel_log_entries: 'select, insert',
  reel_log_sequence: 'select, insert',
  reel_log_tiles: 'select, insert',
  reel_log_checkpoints: 'select, insert',
  reel_log_signing_keys: 'select, insert',
  reel_log_keys: 'select, insert',
  reel_log_inbox: 'select, insert, delete',
  reel_log_counts: 'select, insert, update',
  reel_log_removals: 'select',
  reel_log_holds: 'select',
  reel_migrations: 'select',
};

/** Makes the server's role where it is missing, refuses one that could do too much, and grants it what it needs and no more. */
export async function ensureRuntimeRole(
  execute: Execute,
  ownerUrl: string,
  runtimeUrl: string,
): Promise<void> {
  const owner = decodeURIComponent(new URL(ownerUrl).username);
  const { username, password } = new URL(runtimeUrl);
  const role = decodeURIComponent(username);
  if (role === owner)
    throw new StartError(
      `REEL_DATABASE_URL: expected a role of its own for the server, got ${role}, the owner of the tables`,
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
        `REEL_DATABASE_URL: expected a role that exists or may be created, got ${role}: ${(error as Error).message}`,
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
    `grant execute on function reel_first_id(timestamptz), reel_ensure_month(timestamptz), reel_waiting_tenants(integer) to ${identifier(role)}`,
  );
}

/**
 * Why the connected role may not run a server, or null: a superuser, one past row-level security, the owner of the
 * tables or a member of the owner's role, or one that may change or delete what is append-only.
 */
export async function excessOfRole(execute: Execute): Promise<string | null> {
  const [row] = await execute(`
    select current_user as role, r.rolsuper as superuser, r.rolbypassrls as bypass,
      exists (select from pg_class c where c.relname in ('reel_log_entries', 'reel_log_sequence')
        and pg_has_role(current_user, c.relowner, 'MEMBER')) as owner,
      exists (select from pg_class c where c.relname in ('reel_log_entries', 'reel_log_sequence', 'reel_log_tiles', 'reel_log_checkpoints', 'reel_log_signing_keys', 'reel_log_removals', 'reel_log_holds')
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
/** A literal for statements that take no parameters; an E string, so that backslashes mean themselves. */
const literal = (text: string) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
