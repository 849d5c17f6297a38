import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Call, graphql, httpThroughput, latency, rounds, send } from './load.ts';
import { processorTime } from './processor-time.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const FIELDS = `id module action severity actorId actorEmail actorName tenantId clientId resourceType resourceId data
  ipAddress userAgent requestId createdAt`;
const SECONDS = 1;
const CALLERS = 16;
const SIZE = 50;
/** Until V8 has compiled what they run. */
const WARM_UP = 1_000;
/** How often a filter is asked, of which the slowest twentieth counts. */
const ASKED = 40;

/** Lists and single entries beside the bare way (bare-reads.ts), over HTTP both. */
export async function reading(server: BenchServer): Promise<Line[]> {
  const bare = await openBare(server);
  try {
    return [
      ...(await besideBare(server, bare)),
      ...(await depths(server)),
      ...(await filters(server)),
      ...(await totals(server)),
    ];
  } finally {
    bare.close();
  }
}

const logs = ({ url, viewer }: BenchServer, args: string, more = ''): Call =>
  graphql(
    url,
    viewer,
    `{ logs(${args}) { nodes { ${FIELDS} } pageInfo { hasNextPage endCursor searchedUntil } ${more} } }`,
  );
const rest = ({ url, viewer }: BenchServer, query: string): Call => ({
  url: `${url}/api/v1/reel/logs${query}`,
  headers: viewer,
});

async function besideBare(server: BenchServer, bare: Bare): Promise<Line[]> {
  const id = await anEntry(server);
  const list: Call = { url: `${bare.url}/list`, headers: {} };
  const one: Call = { url: `${bare.url}/one?id=${id}`, headers: {} };
  const lines: Line[] = [];
  for (const [what, call, to, aims] of [
    ['newest 50, GraphQL', logs(server, `first: ${SIZE}`), list, ['1.5', '0.6', '1.5']],
    ['newest 50 with their exact total, REST', rest(server, ''), list, ['1.7', '0.5', '1.7']],
    [
      'one entry by id, GraphQL',
      graphql(server.url, server.viewer, `{ log(id: "${id}") { ${FIELDS} } }`),
      one,
      ['1.4'],
    ],
    ['one entry by id, REST', rest(server, `/${id}`), one, ['1.4']],
  ] as const) {
    for (let count = 0; count < WARM_UP; count += 1) await Promise.all([send(to), send(call)]);
    const times = await rounds({
      bare: () => latency(() => send(to), SECONDS),
      reel: () => latency(() => send(call), SECONDS),
    });
    lines.push({ what: `${what}: p50`, ...times, unit: 'ms', aim: aims[0] });
    const rates = await rounds({
      bare: () => httpThroughput(to, CALLERS, SECONDS),
      reel: () => httpThroughput(call, CALLERS, SECONDS),
    });
    lines.push({ what: `${what}: ${CALLERS} callers`, ...rates, unit: '/s', aim: aims[1] });
    const notes: Record<string, string> = {};
    const perRequest = async (name: string, pid: number, which: Call) => {
      let count = 0;
      const { server: own, database } = await processorTime(pid, server.owner, async () => {
        count = (await httpThroughput(which, 4, SECONDS)) * SECONDS;
      });
      notes[name] = `${Math.round(own / count)} + ${Math.round(database / count)} µs`;
      return (own + database) / count;
    };
    const used = await rounds(
      {
        bare: () => perRequest('bare', bare.pid, to),
        reel: () => perRequest('Reel', server.pid, call),
      },
      3,
    );
    const note = `server + PostgreSQL: ${notes.Reel}, bare ${notes.bare}`;
    lines.push({ what: `${what}: CPU`, ...used, unit: 'µs', aim: aims[2], note });
  }
  return lines;
}

async function anEntry({ sql, tenant }: BenchServer): Promise<string> {
  const { rows } = await sql.query(
    'select id from reel_log_entries where tenant_id = $1 order by id desc offset 20000 limit 1',
    [tenant.tenantId],
  );
  return rows[0].id as string;
}

/** Pages deep in the list, beside the first one. */
async function depths(server: BenchServer): Promise<Line[]> {
  const { sql, tenant } = server;
  const lines: Line[] = [];
  const first = logs(server, `first: ${SIZE}`);
  for (const share of [0.001, 0.5, 0.999]) {
    const page = Math.max(2, Math.floor((tenant.entries / SIZE) * share));
    const { rows } = await sql.query(
      'select entry_id from reel_log_sequence where tenant_id = $1 and seq = $2',
      [tenant.tenantId, tenant.entries - page * SIZE + 1],
    );
    const found = await rounds({
      bare: () => latency(() => send(first), SECONDS),
      cursor: () =>
        latency(() => send(logs(server, `first: ${SIZE}, after: "${rows[0].entry_id}"`)), SECONDS),
      number: () => latency(() => send(logs(server, `first: ${SIZE}, page: ${page}`)), SECONDS),
    });
    const of = `page ${page.toLocaleString('en')}`;
    lines.push(
      {
        what: `${of} by cursor (bare: the first)`,
        reel: found.cursor,
        bare: found.bare,
        unit: 'ms',
        aim: '1.2',
      },
      {
        what: `${of} by number (bare: the first)`,
        reel: found.number,
        bare: found.bare,
        unit: 'ms',
        aim: '1.5',
      },
    );
  }
  return lines;
}

/** Filters that match nothing, or one entry of many, on each field with an index; and some without. */
async function filters(server: BenchServer): Promise<Line[]> {
  const { rows } = await server.sql.query(
    `select id, module, request_id, resource_id, created_at::date::text as day from reel_log_entries
     where tenant_id = $1 and request_id is not null and resource_id is not null order by id desc offset 20000 limit 1`,
    [server.tenant.tenantId],
  );
  const some = rows[0] as Record<string, string>;
  const other = await server.sql.query(
    'select action from reel_log_entries where tenant_id = $1 and module <> $2 limit 1',
    [server.tenant.tenantId, some.module],
  );
  const lines: Line[] = [];
  for (const [what, line, aim] of [
    ['module that is nowhere', 'module:nowhere', 25],
    ['action that is nowhere', 'action:no.where', 25],
    ["module with another's action", `module:${some.module} action:${other.rows[0].action}`, 25],
    ['actor that is nowhere', `actor:${randomUUID()}`, 25],
    ['e-mail that is nowhere', 'actor:nobody@example.org', 25],
    ['resource that is nowhere', 'resource:invoice/none', 25],
    ['resource type that is nowhere', 'resource:nothing/*', 25],
    ['request of few', `request:${some.request_id}`, 25],
    ['client that is nowhere', `client:${randomUUID()}`, 25],
    ['address block that is nowhere', 'ip:240.0.2.0/24', 25],
    ['an id', `id:${some.id}`, 25],
    ['occurred long ago', 'occurred-until:2001-01-01', 25],
    ['severity that is rare, in a quiet hour', `severity:CRITICAL since:${some.day} until:${some.day}`, 25],
    ['data that is nowhere (walked)', 'data.nothing:here', 2_200],
  ] as const) {
    const call = graphql(
      server.url,
      server.viewer,
      `query ($q: String) { logs(first: ${SIZE}, filter: { query: $q })
      { nodes { id } pageInfo { searchedUntil } } }`,
      { q: line },
    );
    const times: number[] = [];
    let answer = '';
    const end = performance.now() + 8_000;
    while (times.length < ASKED && (times.length < 3 || performance.now() < end)) {
      const began = performance.now();
      answer = await send(call);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    const { nodes, pageInfo } = JSON.parse(answer).data.logs as {
      nodes: unknown[];
      pageInfo: { searchedUntil: string | null };
    };
    lines.push({
      what: `${what}: p95`,
      reel: times[Math.floor((times.length - 1) * 0.95)]!,
      unit: 'ms',
      aim: `<= ${aim} ms`,
      note: `${line}: ${nodes.length} found${pageInfo.searchedUntil ? ', looked in part' : ''}`,
    });
  }
  return lines;
}

async function totals(server: BenchServer): Promise<Line[]> {
  const { rows } = await server.sql.query(
    'select module from reel_log_counts where tenant_id = $1 and span = 23040 and severity = 3 group by 1 order by sum(count) desc limit 1',
    [server.tenant.tenantId],
  );
  const name = rows[0].module as string;
  const args = `first: ${SIZE}, filter: { modules: ["${name}"], severities: [ERROR] }`;
  const found = await rounds({
    graphql: () => latency(() => send(logs(server, args, 'totalCount { value precision }')), SECONDS),
    rest: () => latency(() => send(rest(server, `?module=${name}&severity=ERROR`)), SECONDS),
  });
  return [
    {
      what: 'module and severity with their exact total, GraphQL: p50',
      reel: found.graphql,
      unit: 'ms',
      aim: '<= 10 ms',
    },
    {
      what: 'module and severity with their exact total, REST: p50',
      reel: found.rest,
      unit: 'ms',
      aim: '<= 10 ms',
    },
  ];
}

interface Bare {
  url: string;
  pid: number;
  close(): void;
}

async function openBare({ runtimeUrl, tenant }: BenchServer): Promise<Bare> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'bare-reads.ts'), runtimeUrl, tenant.tenantId],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const port = await new Promise<string>((done) => child.stdout.setEncoding('utf8').once('data', done));
  return { url: `http://127.0.0.1:${port.trim()}`, pid: child.pid!, close: () => void child.kill() };
}
