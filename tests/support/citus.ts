import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { distribute } from '../../src/database/distribute.js';
import { migrate } from '../../src/log/migrate.js';

/**
 * The coordinator of a Citus cluster for tests, as a superuser who may make databases and roles on every node under the same name and
 * password; null where none is named.
 */
export const CITUS_URL: string | null = process.env.REEL_TEST_CITUS_URL || null;

export interface CitusUrls {
  superuser: string;
  owner: string;
  runtime: string;
  drop(): Promise<void>;
}

const PASSWORD = 'reel-tests';

/** A database of its own on every node of the cluster, migrated and distributed. */
export async function createOnCitus(url: string): Promise<CitusUrls> {
  const name = `reel_${randomBytes(6).toString('hex')}`;
  const nodes = await nodesOf(url);
  const on = (node: string, database: string) => {
    const { hostname, port } = new URL(node);
    return withParts(url, { hostname, port, pathname: `/${database}` });
  };
  for (const node of nodes) {
    // The runtime role as well: `reel migrate` makes it on the coordinator, and whether that reaches the workers depends on settings.
    for (const role of ['reel_owner login createrole', 'reel login'])
      await run(on(node, 'postgres'), `create role ${role} password '${PASSWORD}'`).catch(ignoreDuplicate);
    await run(on(node, 'postgres'), `create database ${name} owner reel_owner`);
    await run(on(node, name), 'create extension citus', 'alter schema public owner to reel_owner');
  }
  const [coordinator, ...workers] = nodes.map((node) => new URL(node));
  await run(
    on(nodes[0]!, name),
    `select citus_set_coordinator_host('${coordinator!.hostname}', ${coordinator!.port})`,
    ...workers.map(({ hostname, port }) => `select citus_add_node('${hostname}', ${port})`),
  );
  const as = (username: string) => withParts(url, { pathname: `/${name}`, username, password: PASSWORD });
  const urls = {
    superuser: withParts(url, { pathname: `/${name}` }),
    owner: as('reel_owner'),
    runtime: as('reel'),
  };
  await migrate(urls.owner, urls.runtime);
  await distribute(urls.owner, urls.runtime);
  return {
    ...urls,
    drop: async () => {
      for (const node of nodes)
        await run(on(node, 'postgres'), `drop database if exists ${name} with (force)`);
    },
  };
}

/** The nodes' addresses, the coordinator's first. */
async function nodesOf(url: string): Promise<string[]> {
  const rows = await run(
    url,
    'select nodename, nodeport from pg_dist_node where isactive order by groupid <> 0, nodename, nodeport',
  );
  return rows.map(({ nodename, nodeport }) => `postgres://${nodename}:${nodeport}`);
}

async function run(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** duplicate_object, or unique_violation where two make it at once. */
function ignoreDuplicate(error: unknown): void {
  if (!['42710', '23505', 'XX000'].includes((error as { code?: string }).code ?? '')) throw error;
}

function withParts(
  url: string,
  parts: Partial<Record<'hostname' | 'port' | 'pathname' | 'username' | 'password', string>>,
) {
  return Object.assign(new URL(url), parts).toString();
}
