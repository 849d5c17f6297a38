import { get } from 'node:http';
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { graphql, median, send } from './load.ts';
import { type BenchServer, residentMib } from './server.ts';
import type { Line } from './table.ts';

/** Entries of the longest file. */
const MOST = 500_000;

/** Exports of a client beside a bare COPY TO, and the server's memory meanwhile. */
export async function exporting(server: BenchServer): Promise<Line[]> {
  const { url, exporter, pid } = server;
  const [tenth, whole] = await sinceWhen(server);
  const prepare = async (format: string, since: Date) => {
    const response = await send(
      graphql(
        url,
        exporter,
        `mutation { exportLogs(input: { format: ${format}, filter: { startDate: "${since.toISOString()}" } }) { downloadUrl recordCount } }`,
      ),
    );
    return (JSON.parse(response) as { data: { exportLogs: { downloadUrl: string; recordCount: number } } })
      .data.exportLogs;
  };
  const lines: Line[] = [];
  const selected: number[] = [];
  for (const [format, since] of [
    ['CSV', tenth],
    ['CSV', whole],
    ['NDJSON', whole],
    ['JSON', whole],
  ] as const) {
    const started = performance.now();
    const { downloadUrl, recordCount } = await prepare(format, since);
    const asked = performance.now() - started;
    selected.push(await stream(server, since));
    const before = residentMib(pid);
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMib(pid));
    }, 20);
    const from = performance.now();
    const bytes = await download(new URL(downloadUrl, url).href);
    const seconds = (performance.now() - from) / 1000;
    clearInterval(watch);
    const what = `${format}, ${recordCount.toLocaleString('en')} entries`;
    lines.push(
      {
        what: `${what} (bare: COPY TO)`,
        reel: recordCount / seconds,
        bare: recordCount / (since === tenth ? selected[0]! : median(selected.slice(1))),
        unit: '/s',
        note: `${Math.round(bytes / 1e6)} MB`,
      },
      { what: `${what}, peak memory (bare: before)`, reel: peak, bare: before, unit: 'MiB', aim: 'flat' },
      { what: `${what}, asking for the link`, reel: asked, unit: 'ms' },
    );
  }
  return lines;
}

/** Since when a tenth of the longest file's entries are, and since when all. */
export async function sinceWhen({ sql, tenant, clientId }: BenchServer): Promise<[Date, Date]> {
  const { rows } = await sql.query(
    `select percentile_disc(array[1 - 0.1 * share, 1 - share]) within group (order by created_at) as since
     from reel_log_entries cross join (
       select least(1, ${MOST}::float / sum(count)) as share from reel_log_counts
       where tenant_id = $1 and client_id = $2 and span = 23040
     ) counted where tenant_id = $1 and client_id = $2 group by share`,
    [tenant.tenantId, clientId],
  );
  return rows[0].since as [Date, Date];
}

/** Seconds to read the same rows by one COPY, as text. */
async function stream({ runtimeUrl, tenant, clientId }: BenchServer, since: Date): Promise<number> {
  const client = new pg.Client({
    connectionString: runtimeUrl,
    options: `-c reel.tenant_id=${tenant.tenantId} -c jit=off`,
  });
  await client.connect();
  try {
    const started = performance.now();
    const copied = client.query(
      to(`copy (
        select id, created_at, module, action, severity, actor_id, actor_email, actor_name, tenant_id, client_id, resource_type,
          resource_id, host(ip_address) as ip_address from reel_log_entries
        where tenant_id = '${tenant.tenantId}' and client_id = '${clientId}'
          and created_at >= '${since.toISOString()}' order by id) to stdout`),
    );
    for await (const _ of copied);
    return (performance.now() - started) / 1000;
  } finally {
    await client.end();
  }
}

function download(url: string): Promise<number> {
  return new Promise((done, fail) => {
    get(url, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () =>
        response.statusCode === 200 && response.complete
          ? done(bytes)
          : fail(new Error(`got ${response.statusCode}`)),
      );
      response.on('error', fail);
    }).on('error', fail);
  });
}
