import pg from 'pg';
import { StartError } from '../errors.js';
import { MIGRATION_LOCK } from './migrate-lock.js';
import { CITUS_SQL } from './opening.js';
import { identifier, refuseOpenSchema } from './roles.js';

/** What Citus calls a table that every node can read and that lives on the coordinator. */
const LOCAL = 'citus_add_local_table_to_metadata';

/** What a role's sessions need to have set, on every node. */
const SETTINGS = {
  // So that SET LOCAL, by which a transaction says whose rows it may see, reaches the nodes that have them.
  'citus.propagate_set_commands': 'local',
  // Sessions on other nodes have no options of the driver's; there, compiling a plan that rules out sorting took half a second.
  jit: 'off',
};

/** What one may read, without the sub-selects that Citus takes in no policy. */
const READ_BY_ROW = `tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid
  or strpos(current_setting('reel.sealing_ids', true), tenant_id::text) > 0`;

type ExecuteSql = (sql: string) => Promise<Record<string, unknown>[]>;

/** Reel's tables as they are on a Citus cluster. */
interface Table {
  name: string;
  /** Whether its rows are tenants'. */
  isOfTenants: boolean;
  /** What it is to Citus: `distributed`, `local` or `a reference table`; null: nothing. */
  kind: string | null;
  column: string | null;
  colocation: number | null;
}

/**
 * Distributes tenants' tables over a Citus cluster by tenant, all rows of one tenant on one node, and lets the runtime role
 * of `runtimeUrl` say there whose rows it reads; in one transaction, as the owner. Safe to run again: it does what is left to do, and
 * says what it did. Errors: StartError.
 */
export function distribute(ownerUrl: string, runtimeUrl: string): Promise<string[]> {
  return asOwner(ownerUrl, async (execute) => {
    await execute(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const todo = await whatIsLeft(execute, roleOf(runtimeUrl));
    // Else what a table's partitions did in parallel would keep the next one from being changed.
    await execute(`set local citus.multi_shard_modify_mode = 'sequential'`);
    for (const { statement } of todo) await execute(statement);
    const left = await whatIsLeft(execute, roleOf(runtimeUrl));
    if (left.length > 0)
      throw new StartError(`REEL_MIGRATE_URL: expected every table distributed, got ${left[0]!.what} to do`);
    return todo.map(({ what }) => what);
  });
}

/** What `distribute` would do; nothing where the cluster is as it should be. Errors: StartError. */
export function leftToDistribute(ownerUrl: string, runtimeUrl: string): Promise<string[]> {
  return asOwner(ownerUrl, async (execute) =>
    (await whatIsLeft(execute, roleOf(runtimeUrl))).map(({ what }) => what),
  );
}

/** Statements that make the cluster as it should be. Errors: StartError for what they cannot. */
export async function whatIsLeft(
  execute: ExecuteSql,
  role: string,
): Promise<{ what: string; statement: string }[]> {
  const [{ citus } = {}] = await execute(CITUS_SQL);
  if (!citus)
    throw new StartError(
      'REEL_MIGRATE_URL: expected the coordinator of a Citus cluster, got PostgreSQL without it (docs/scale.md)',
    );
  const [coordinator] = await execute(
    `select from pg_catalog.pg_dist_node where groupid = 0 and isactive and nodename <> 'localhost'`,
  );
  if (!coordinator)
    throw new StartError(
      'REEL_MIGRATE_URL: expected a coordinator that the workers know, got none (as a superuser: select citus_set_coordinator_host(…))',
    );
  const tables = await readTables(execute);
  if (!tables.some(({ name }) => name === 'reel_log_entries'))
    throw new StartError('REEL_MIGRATE_URL: expected a migrated database (run: reel migrate)');
  return [
    ...(await missingSettings(execute, role)),
    ...(await policiesByRow(execute)),
    ...distributions(tables),
  ];
}

/** For policies that were made while the database had no Citus: as it takes them. */
export async function policiesByRow(execute: ExecuteSql) {
  const rows = await execute(
    `select tablename from pg_catalog.pg_policies where schemaname = current_schema() and policyname = 'reel_read' and qual like '%SELECT%'
     order by tablename`,
  );
  return rows.map(({ tablename }) => ({
    what: `${tablename}: policy without sub-selects`,
    statement: `alter policy reel_read on ${tablename} using (${READ_BY_ROW})`,
  }));
}

/** Of the runtime role, and of the owner, with whose rights functions run. */
async function missingSettings(execute: ExecuteSql, role: string) {
  const rows = await execute(
    `select r.rolname as role, s.setconfig as settings from (values (${pg.escapeLiteral(role)}), (current_user::text)) r(rolname)
     left join pg_catalog.pg_roles p on p.rolname = r.rolname
     left join pg_catalog.pg_db_role_setting s on s.setrole = p.oid and s.setdatabase = 0`,
  );
  return rows.flatMap(({ role: name, settings }) =>
    Object.entries(SETTINGS)
      .filter(([setting, value]) => !((settings ?? []) as string[]).includes(`${setting}=${value}`))
      .map(([setting, value]) => ({
        what: `role ${name}: set ${setting} to ${value}`,
        statement: `alter role ${identifier(String(name))} set ${setting} = '${value}'`,
      })),
  );
}

function distributions(tables: readonly Table[]): { what: string; statement: string }[] {
  const anchor = tables.find(({ name }) => name === 'reel_log_entries')!;
  return [anchor, ...tables.filter((table) => table !== anchor)].flatMap((table) => {
    const { name, kind, isOfTenants } = table;
    if (!isOfTenants)
      return kind === null
        ? [{ what: `${name}: kept on the coordinator`, statement: `select ${LOCAL}('${name}')` }]
        : [];
    if (kind === null) {
      const together = table === anchor ? `colocate_with => 'none'` : `colocate_with => '${anchor.name}'`;
      return [
        {
          what: `${name}: distributed by tenant_id`,
          statement: `select create_distributed_table('${name}', 'tenant_id', ${together})`,
        },
      ];
    }
    if (kind !== 'distributed' || table.column !== 'tenant_id' || table.colocation !== anchor.colocation)
      throw new StartError(
        `REEL_MIGRATE_URL: expected ${name} distributed by tenant_id beside ${anchor.name}, got ${kind} by ${table.column ?? 'nothing'}`,
      );
    return [];
  });
}

/** Every table of Reel's but partitions and reel_migrations, which nothing but `reel migrate` and a look at its names needs. */
async function readTables(execute: ExecuteSql): Promise<Table[]> {
  const rows = await execute(`
    select c.relname as name, a.attname is not null as of_tenants, t.colocationid as colocation,
      case when t.partmethod = 'h' then 'distributed' when t.repmodel = 't' then 'a reference table' when t.partmethod is not null then 'local' end as kind,
      case when t.partmethod = 'h' then column_to_column_name(t.logicalrelid, t.partkey) end as column_name
    from pg_catalog.pg_class c
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    left join pg_catalog.pg_dist_partition t on t.logicalrelid = c.oid
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and starts_with(c.relname::text, 'reel_') and c.relname <> 'reel_migrations'
    order by c.relname`);
  return rows.map((row) => ({
    name: String(row.name),
    isOfTenants: row.of_tenants === true,
    kind: row.kind as string | null,
    column: row.column_name as string | null,
    colocation: row.colocation as number | null,
  }));
}

const roleOf = (url: string) => decodeURIComponent(new URL(url).username);

async function asOwner<T>(url: string, work: (execute: ExecuteSql) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'reel',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('begin');
    const execute: ExecuteSql = async (sql) => (await client.query(sql)).rows;
    await refuseOpenSchema(execute);
    const result = await work(execute);
    await client.query('commit');
    return result;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `REEL_MIGRATE_URL: expected a Citus cluster whose tables can be distributed: ${(error as Error).message.split('\n')[0]}`,
      { cause: error },
    );
  } finally {
    await client.end().catch(() => {});
  }
}
