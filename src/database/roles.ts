import { StartError } from '../errors.js';

type ExecuteSql = (sql: string) => Promise<Record<string, unknown>[]>;

/** The runtime role's privileges on each table. */
const GRANTS: Record<string, string> = {
  reel_log_entries: 'select, insert',
  reel_log_sequence: 'select, insert',
  reel_log_tiles: 'select, insert',
  reel_log_checkpoints: 'select, insert',
  reel_log_signing_keys: 'select, insert',
  reel_log_actions: 'select, insert, update',
  reel_log_keys: 'select, insert',
  reel_log_inbox: 'select, insert, delete',
  reel_log_counts: 'select, insert, update',
  reel_log_severity_counts: 'select, insert, update',
  reel_log_action_counts: 'select, insert, update',
  reel_log_actor_counts: 'select, insert, update',
  reel_log_search: 'select, insert',
  reel_log_removals: 'select',
  reel_log_holds: 'select',
  reel_streams: 'select, insert, update, delete',
  reel_stream_parked: 'select, insert, update, delete',
  reel_views: 'select, insert, update, delete',
  reel_migrations: 'select',
};

/**
 * Creates the runtime role where it is missing and grants it exactly what the server needs. Errors: StartError for a role
 * with more rights than that.
 */
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
  const [found] = await execute(`select from pg_roles where rolname = ${literal(role)}`);
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
  }
  const [{ schema }] = (await execute('select current_schema() as schema')) as [{ schema: string }];
  await execute(`grant usage on schema ${identifier(schema)} to ${identifier(role)}`);
  for (const [table, rights] of Object.entries(GRANTS)) {
    await execute(`revoke all on ${table} from ${identifier(role)}`);
    await execute(`grant ${rights} on ${table} to ${identifier(role)}`);
  }
  await execute(
    `grant execute on function reel_first_id(timestamptz), reel_ensure_month(timestamptz), reel_waiting_tenants(integer), reel_waiting_logs(integer, integer), reel_search_candidates(integer[], integer), reel_search_backlog(integer), reel_due_streams(integer), reel_lagging_streams(integer) to ${identifier(role)}`,
  );
  const excess = await excessPrivileges(execute, role);
  if (excess)
    throw new StartError(
      `REEL_DATABASE_URL: expected a role under row-level security that can only append, got ${excess}`,
    );
}

/** Roles of PostgreSQL's own that open every table, the files of its machine, or what the database's owner may do. */
const POWERFUL_ROLES = [
  'pg_read_all_data',
  'pg_write_all_data',
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_execute_server_program',
  'pg_maintain',
  'pg_database_owner',
];
/** Each with the function that tells whether a role has it on a table, or on any of its columns. */
const PRIVILEGES = {
  SELECT: 'has_any_column_privilege',
  INSERT: 'has_any_column_privilege',
  UPDATE: 'has_any_column_privilege',
  REFERENCES: 'has_any_column_privilege',
  DELETE: 'has_table_privilege',
  TRUNCATE: 'has_table_privilege',
  TRIGGER: 'has_table_privilege',
};

/**
 * Why a role, by default the connected one, must not run a server, or null: it is a superuser, the tables' owner or the like,
 * can become one, may create what is looked up in place of Reel's or PostgreSQL's own, or has more rights than `GRANTS` on
 * Reel's tables, or any on a partition. To be called within a transaction.
 */
export async function excessPrivileges(execute: ExecuteSql, role?: string): Promise<string | null> {
  const columns = Object.keys(GRANTS).map(
    (name) => `pg_catalog.to_regclass('${name}')::pg_catalog.oid as ${name}`,
  );
  const [oids = {}] = await execute(`select ${columns.join(', ')}`);
  const tables = Object.entries(GRANTS)
    .map(([name, rights]) => `(${Number(oids[name] ?? 0)}::oid, '${rights.toUpperCase()}')`)
    .join(', ');
  const isGranted = Object.entries(PRIVILEGES)
    .map(([name, has]) => `('${name}', ${has}(me.oid, t.oid, '${name}'))`)
    .join(', ');
  const row = await inPathOfItsOwn(
    execute,
    (schemas) => `
    with me as (select * from pg_roles where rolname = ${role === undefined ? 'current_user' : literal(role)}),
    known as (select c.*, k.rights from (values ${tables}) k(id, rights) join pg_class c on c.oid = k.id),
    tables as (
      select oid, relname, relowner, relnamespace, string_to_array(rights, ', ') as rights from known
      union all
      select c.oid, c.relname, c.relowner, c.relnamespace, '{}' from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = ${Number(oids.reel_log_entries ?? 0)})
    select me.rolname as role,
      exists (select from pg_roles r where r.rolsuper and pg_has_role(me.oid, r.oid, 'MEMBER')) as superuser,
      exists (select from pg_roles r where r.rolbypassrls and pg_has_role(me.oid, r.oid, 'MEMBER')) as bypass,
      exists (select from pg_roles r where r.rolcreaterole and pg_has_role(me.oid, r.oid, 'MEMBER')) as createrole,
      exists (select from pg_roles r where r.rolreplication and pg_has_role(me.oid, r.oid, 'MEMBER')) as replication,
      (select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
        where r.rolname in (${POWERFUL_ROLES.map(literal).join(', ')}) and pg_has_role(me.oid, r.oid, 'MEMBER')) as powers,
      exists (select from tables t where pg_has_role(me.oid, t.relowner, 'MEMBER')) as owner,
      (select string_agg(n.nspname, ', ' order by n.nspname) from pg_namespace n
        where (n.oid in (select relnamespace from tables) or (n.nspname = 'public' and n.nspname::text in (${schemas})))
          and has_schema_privilege(me.oid, n.oid, 'CREATE')) as creates,
      (select string_agg(distinct p.name || ' on ' || t.relname, ', ') from tables t
        cross join lateral (values ${isGranted}) p(name, is_granted)
        where p.is_granted and p.name <> all (t.rights)) as rights
    from me`,
  );
  if (!row) return null;
  const excess = row.superuser
    ? ['is a superuser, or may become one']
    : [
        row.owner && 'is the owner of the tables, or may become it',
        row.bypass && 'may bypass row-level security',
        row.createrole && 'may give itself other roles (CREATEROLE)',
        row.replication && 'may copy the whole database (REPLICATION)',
        row.powers && `belongs to ${row.powers}`,
        row.creates &&
          `may create objects in the schema ${row.creates} (as its owner: revoke create on schema … from public, ${row.role})`,
        // Of many tables the first few tell enough; whoever belongs to such a role has them on all.
        row.rights && !row.powers && `has rights beyond its own: ${String(row.rights).slice(0, 200)}`,
      ].filter(Boolean);
  return excess.length > 0 ? `${row.role}, which ${excess.join(' and ')}` : null;
}

/**
 * To be called before anything else runs as the owner: in a schema where others may create, or could before, a function or
 * table that Reel uses may be theirs, and would run with the owner's rights. To be called within a transaction. Errors: StartError.
 */
export async function refuseOpenSchema(execute: ExecuteSql): Promise<void> {
  const row = await inPathOfItsOwn(
    execute,
    (schemas) => `
    with path as (select oid, nspname, nspowner from pg_namespace where nspname::text in (${schemas})),
    trusted as (select oid from pg_roles where rolsuper or pg_has_role(current_user, oid, 'USAGE')
      union select nspowner from path
      union select datdba from pg_database where datname = current_database()),
    found as (
      select c.oid, 'pg_class'::regclass as class, c.relowner as owner, c.oid::regclass::text as name
        from pg_class c join path on path.oid = c.relnamespace where starts_with(c.relname::text, 'reel_')
      union all
      select p.oid, 'pg_proc'::regclass, p.proowner, p.oid::regprocedure::text from pg_proc p join path on path.oid = p.pronamespace
        where starts_with(p.proname::text, 'reel_')
          or exists (select from pg_proc o where o.pronamespace = 'pg_catalog'::regnamespace and o.proname = p.proname)
      union all
      select o.oid, 'pg_operator'::regclass, o.oprowner, o.oid::regoperator::text from pg_operator o join path on path.oid = o.oprnamespace)
    select (select min(nspname::text) from path where has_schema_privilege('public', oid, 'CREATE')) as open,
      (select min(f.name) from found f where f.owner not in (select oid from trusted)
        and not exists (select from pg_depend d where d.classid = f.class and d.objid = f.oid and d.deptype = 'e')) as foreign_object`,
  );
  if (row?.open)
    throw new StartError(
      `REEL_MIGRATE_URL: expected a schema that only its owner may create in, got ${row.open}, in which everybody may (revoke create on schema ${row.open} from public)`,
    );
  if (row?.foreign_object)
    throw new StartError(
      `REEL_MIGRATE_URL: expected a schema without others' objects of names that Reel or PostgreSQL uses, got ${String(row.foreign_object).slice(0, 200)}`,
    );
}

/**
 * The first row of a query in which every name is PostgreSQL's own, whatever stands in the schemas of the session's path, which
 * `query` is given as a list of literals. All statements must be of one transaction,
 * in which the path is set, so that no pooled connection keeps it.
 */
async function inPathOfItsOwn(
  execute: ExecuteSql,
  query: (schemas: string) => string,
): Promise<Record<string, unknown> | undefined> {
  const [{ schemas }] = (await execute(
    'select pg_catalog.current_schemas(false)::pg_catalog.text[] as schemas',
  )) as [{ schemas: string[] }];
  const [before] = await execute('show search_path');
  await execute('set local search_path = pg_catalog');
  const [row] = await execute(query(schemas.map(literal).join(', ') || 'null'));
  await execute(`set local search_path = ${before?.search_path}`);
  return row;
}

export const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** For statements that take no parameters; an escape string, so that backslashes need not depend on a setting. */
const literal = (text: string) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
