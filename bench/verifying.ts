import { hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { insertColumns } from './built.ts';

const COLUMNS = insertColumns();

import { type CommandRun, runReel } from './command.ts';
import { sinceWhen } from './exporting.ts';
import { graphql, median, send } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 3);

/** `reel verify` of the stored million beside reading the rows alone, and of an export beside parsing its lines. */
export async function verifying(server: BenchServer): Promise<Line[]> {
  return [...(await ofStored(server)), ...(await ofExport(server))];
}

async function ofStored(server: BenchServer): Promise<Line[]> {
  const { tenantId } = server.tenant;
  const runs: CommandRun[] = [];
  const [copied, hashed]: [number[], Reading[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    copied.push((await readRows(server, null)).seconds);
    hashed.push(await readRows(server, hashThree));
    runs.push(await runReel(server, 'verify', '--tenant', tenantId));
  }
  const entries = sizeOf(runs[0]!);
  const other = await otherTenant(server);
  const smaller = await runReel(server, 'verify', '--tenant', other);
  const what = `verify, ${entries.toLocaleString('en')} entries`;
  const hashing = `${what} (bare: COPY and three SHA-256)`;
  return [
    {
      what: `${what} (bare: COPY alone)`,
      reel: entries / median(runs.map(({ seconds }) => seconds)),
      bare: entries / median(copied),
      unit: '/s',
    },
    {
      what: hashing,
      reel: entries / median(runs.map(({ seconds }) => seconds)),
      bare: entries / median(hashed.map(({ seconds }) => seconds)),
      unit: '/s',
    },
    {
      what: `${hashing}, a second of its CPU`,
      reel: entries / median(runs.map(({ cpuSeconds }) => cpuSeconds)),
      bare: entries / median(hashed.map(({ cpuSeconds }) => cpuSeconds)),
      unit: '/s',
      aim: '100,000/s',
    },
    {
      what: `${what}, peak memory (bare: of ${sizeOf(smaller).toLocaleString('en')})`,
      reel: median(runs.map(({ peakMib }) => peakMib)),
      bare: smaller.peakMib,
      unit: 'MiB',
      aim: 'flat',
    },
  ];
}

/** The size that `reel verify` prints. */
const sizeOf = ({ output }: CommandRun) => Number(/^ok tenant .* size (\d+) /m.exec(output)![1]);

async function otherTenant({ owner, tenant }: BenchServer): Promise<string> {
  const { rows } = await owner.query(
    `select tenant_id from reel_log_counts where span = 1440 and client_id is not null and tenant_id <> $1
     group by 1 order by sum(count) desc limit 1`,
    [tenant.tenantId],
  );
  return rows[0].tenant_id as string;
}

interface Reading {
  seconds: number;
  cpuSeconds: number;
}

/** Reads the columns that verify reads by COPY, and discards each row or passes it to `work`. */
async function readRows(
  { runtimeUrl, tenant }: BenchServer,
  work: ((row: string) => void) | null,
): Promise<Reading> {
  const client = new pg.Client({
    connectionString: runtimeUrl,
    options: `-c timezone=UTC -c jit=off -c reel.tenant_id=${tenant.tenantId}`,
  });
  await client.connect();
  try {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const stream = client.query(
      to(
        `copy (select ${COLUMNS.join(',')} from reel_log_entries where tenant_id = '${tenant.tenantId}') to stdout`,
      ),
    );
    if (work) for await (const row of linesOf(stream)) work(row);
    else for await (const _ of stream);
    const { user, system } = process.cpuUsage(cpu);
    return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 };
  } finally {
    await client.end();
  }
}

const DATA = COLUMNS.indexOf('data');

/** As many digests as a leaf, of about as much text. */
function hashThree(row: string): void {
  const columns = row.split('\t');
  const identity = hash('sha256', columns.slice(0, DATA).join('\t'));
  const data = hash('sha256', columns[DATA]!);
  hash('sha256', `${identity}${data}`);
}

async function ofExport(server: BenchServer): Promise<Line[]> {
  const directory = await mkdtemp(join(tmpdir(), 'reel-bench-'));
  try {
    const file = join(directory, 'export.ndjson');
    const key = join(directory, 'keys.json');
    const { lines, bytes, seconds } = await exportWithProofs(server, file);
    await writeFile(key, await (await fetch(`${server.url}/.well-known/reel-keys`)).text());
    const runs: CommandRun[] = [];
    const parsed: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const started = performance.now();
      for await (const line of linesOf(createReadStream(file, { highWaterMark: 1024 * 1024 })))
        JSON.parse(line);
      parsed.push((performance.now() - started) / 1000);
      runs.push(await runReel(server, 'verify', '--export', file, '--key', key));
    }
    const what = `verify --export, ${lines.toLocaleString('en')} lines`;
    return [
      {
        what: `${what} (bare: JSON.parse)`,
        reel: lines / median(runs.map(({ seconds }) => seconds)),
        bare: lines / median(parsed),
        unit: '/s',
        note: `${Math.round(bytes / 1e6).toLocaleString('en')} MB, exported in ${Math.round(seconds)} s`,
      },
      {
        what: `${what}, a second of its CPU`,
        reel: lines / median(runs.map(({ cpuSeconds }) => cpuSeconds)),
        unit: '/s',
        aim: '100,000/s',
      },
      {
        what: `${what}, peak memory`,
        reel: median(runs.map(({ peakMib }) => peakMib)),
        unit: 'MiB',
        aim: 'flat',
      },
    ];
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The newest entries of the client with the most, into a file. */
async function exportWithProofs(
  server: BenchServer,
  file: string,
): Promise<{ lines: number; bytes: number; seconds: number }> {
  const { url, exporter } = server;
  const [, since] = await sinceWhen(server);
  const response = await send(
    graphql(
      url,
      exporter,
      `mutation { exportLogs(input: { format: NDJSON, includeProofs: true, filter: { startDate: "${since.toISOString()}" } }) { downloadUrl recordCount } }`,
    ),
  );
  const { downloadUrl, recordCount } = (
    JSON.parse(response) as { data: { exportLogs: { downloadUrl: string; recordCount: number } } }
  ).data.exportLogs;
  const started = performance.now();
  const target = createWriteStream(file);
  await new Promise<void>((done, fail) => {
    get(new URL(downloadUrl, url), (source) => {
      if (source.statusCode === 200) pipeline(source, target).then(done, fail);
      else fail(new Error(`expected 200 from the link, got ${source.statusCode}`));
    }).on('error', fail);
  });
  return {
    lines: recordCount,
    bytes: target.bytesWritten,
    seconds: (performance.now() - started) / 1000,
  };
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start) as Buffer<ArrayBuffer>;
  }
}
