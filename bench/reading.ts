import { type Call, graphql, httpThroughput, latency, rounds, send, throughput } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const COLUMNS = `id, module, action, severity, origin, actor_id, actor_email, actor_name, on_behalf_of_id, tenant_id, client_id,
  resource_type, resource_id, data, host(ip_address) as ip_address, user_agent, request_id, occurred_at, created_at`;
const FIELDS = `id module action severity actorId actorEmail actorName tenantId clientId resourceType resourceId data
  ipAddress userAgent requestId createdAt`;
const SECONDS = 0.8;
const DEEP = 10_000;
const SIZE = 50;

/** Lists and single entries. */
export async function reading(server: BenchServer): Promise<Line[]> {
  const { url, viewer, tenant, sql } = server;
  const t = `tenant_id = '${tenant.tenantId}'`;
  const select = (where: string, rest: string) => () =>
    sql.query(`select ${COLUMNS} from reel_log_entries where ${where} ${rest}`);
  const logs = (args: string, totals = '') =>
    graphql(
      url,
      viewer,
      `{ logs(${args}) { nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } ${totals} } }`,
    );
  const rest = (query: string): Call => ({ url: `${url}/api/v1/reel/logs${query}`, headers: viewer });
  const lines: Line[] = [];
  const compare = async (
    what: string,
    bare: () => Promise<unknown>,
    calls: Record<string, Call>,
    aim?: string,
  ) => {
    const found = await rounds({
      bare: () => latency(bare, SECONDS),
      ...Object.fromEntries(
        Object.entries(calls).map(([name, call]) => [name, () => latency(() => send(call), SECONDS)]),
      ),
    } as Record<string, () => Promise<number>>);
    for (const name of Object.keys(calls))
      lines.push({ what: `${what}, ${name}`, reel: found[name]!, bare: found.bare!, unit: 'ms', aim });
  };

  const newest = select(t, `order by id desc limit ${SIZE}`);
  const both = { GraphQL: logs(`first: ${SIZE}`), REST: rest('') };
  await compare('newest 50, 1 caller', newest, both, '3');
  const busy = await rounds({
    bare: () => throughput(newest, 16, SECONDS),
    graphql: () => httpThroughput(both.GraphQL, 16, 1),
    rest: () => httpThroughput(both.REST, 16, 1),
  });
  for (const [name, key] of [
    ['GraphQL', 'graphql'],
    ['REST', 'rest'],
  ] as const)
    lines.push({
      what: `newest 50, 16 callers, ${name}`,
      reel: busy[key],
      bare: busy.bare,
      unit: '/s',
      aim: '0.33',
    });

  const offset = (DEEP - 1) * SIZE;
  const { rows } = await sql.query(
    `select id from reel_log_entries where ${t} order by id desc offset ${offset - 1} limit 1`,
  );
  const cursor = rows[0].id as string;
  await compare(
    `page ${DEEP} by number (SQL: offset ${offset})`,
    select(t, `order by id desc offset ${offset} limit ${SIZE}`),
    {
      GraphQL: logs(`first: ${SIZE}, page: ${DEEP}`),
      REST: rest(`?page=${DEEP}&page_size=${SIZE}`),
    },
  );
  await compare(
    `page ${DEEP} by cursor`,
    select(`${t} and id < '${cursor}'`, `order by id desc limit ${SIZE}`),
    {
      GraphQL: logs(`first: ${SIZE}, after: "${cursor}"`),
    },
  );

  const module = await sql.query(
    `select module from reel_log_counts where span = 1440 and severity = 3 group by 1 order by sum(count) desc limit 1`,
  );
  const name = module.rows[0].module as string;
  const filtered = `${t} and module = '${name}' and severity = 3`;
  const page = select(filtered, `order by id desc limit ${SIZE}`);
  await compare(
    'module and severity with their total',
    async () => {
      await page();
      await sql.query(`select count(*) from reel_log_entries where ${filtered}`);
    },
    {
      GraphQL: logs(
        `first: ${SIZE}, filter: { modules: ["${name}"], severities: [ERROR] }`,
        'totalCount { value }',
      ),
      REST: rest(`?module=${name}&severity=ERROR`),
    },
  );
  await compare('get by id', select(`${t} and id = '${cursor}'`, ''), {
    GraphQL: graphql(url, viewer, `{ log(id: "${cursor}") { ${FIELDS} } }`),
    REST: rest(`/${cursor}`),
  });
  return lines;
}
