import { get } from 'node:http';
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { graphql, median, send } from './load.ts';
import { type BenchServer, residentMib } from './server.ts';
import type { Line } from './table.ts';

/** Exports of a whole client beside a bare COPY TO, and the server's memory meanwhile. */
export async function exporting(server: BenchServer): Promise<Line[]> {
  const { url, exporter, sql, tenant, clientId, pid } = server;
  const { rows } = await sql.query(
    `select percentile_disc(0.9) within group (order by created_at) as since from reel_log_entries
     where tenant_id = $1 and client_id = $2`,
    [tenant.tenantId, clientId],
  );
  const tenth = `startDate: "${(rows[0].since as Date).toISOString()}"`;
  const prepare = async (format: string, filter = '') => {
    const response = await send(
      graphql(
        url,
        exporter,
        `mutation { exportLogs(input: { format: ${format}, filter: { ${filter} } }) { downloadUrl recordCount } }`,
      ),
    );
    return (JSON.parse(response) as { data: { exportLogs: { downloadUrl: string; recordCount: number } } })
      .data.exportLogs;
  };
  const lines: Line[] = [];
  const selected: number[] = [];
  for (const [format, filter] of [
    ['CSV', tenth],
    ['CSV', ''],
    ['NDJSON', ''],
    ['JSON', ''],
  ] as const) {
    const started = performance.now();
    const { downloadUrl, recordCount } = await prepare(format, filter);
    const asked = performance.now() - started;
    selected.push(await stream(server, filter === '' ? null : (rows[0].since as Date)));
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
        bare: recordCount / (filter === '' ? median(selected.slice(1)) : selected[0]!),
        unit: '/s',
        note: `${Math.round(bytes / 1e6)} MB`,
      },
      { what: `${what}, peak memory (bare: before)`, reel: peak, bare: before, unit: 'MiB', aim: 'flat' },
      { what: `${what}, asking for the link`, reel: asked, unit: 'ms' },
    );
  }
  return lines;
}

/** Seconds to read the same rows by one COPY, as text. */
async function stream({ runtimeUrl, tenant, clientId }: BenchServer, since: Date | null): Promise<number> {
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
          and created_at >= '${since?.toISOString() ?? '-infinity'}' order by id) to stdout`),
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
