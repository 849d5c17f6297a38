import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Call, graphql, httpThroughput, rounds, send } from './load.ts';
import { type BenchServer, cpuSeconds } from './server.ts';
import type { Line } from './table.ts';

const SECONDS = 2;
const FIELDS = `id module action severity actorId actorEmail actorName tenantId clientId resourceType resourceId data
  ipAddress userAgent requestId createdAt`;

/** The server's CPU time for one list of 50 entries beside a bare HTTP server that answers the same bytes. */
export async function cpu({ url, viewer, pid }: BenchServer): Promise<Line[]> {
  const calls: Record<string, Call> = {
    GraphQL: graphql(url, viewer, `{ logs(first: 50) { nodes { ${FIELDS} } } }`),
    REST: { url: `${url}/api/v1/reel/logs`, headers: viewer },
    'REST, get by id': { url: '', headers: viewer },
  };
  const { items } = JSON.parse(await send(calls.REST!)) as { items: { id: string }[] };
  calls['REST, get by id']!.url = `${url}/api/v1/reel/logs/${items[0]!.id}`;
  const lines: Line[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'reel-bench-'));
  try {
    for (const [name, call] of Object.entries(calls)) {
      const file = join(directory, 'answer.json');
      writeFileSync(file, await send(call));
      const bare = await openBare(file);
      const found = await rounds(
        { bare: () => perRequest(bare.pid, { ...call, url: bare.url }), reel: () => perRequest(pid, call) },
        3,
      );
      bare.close();
      lines.push({ what: `CPU a request, ${name}`, reel: found.reel, bare: found.bare, unit: 'µs' });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return lines;
}

async function perRequest(pid: number, call: Call): Promise<number> {
  const before = cpuSeconds(pid);
  const perSecond = await httpThroughput(call, 8, SECONDS);
  return ((cpuSeconds(pid) - before) / (perSecond * SECONDS)) * 1e6;
}

async function openBare(file: string): Promise<{ url: string; pid: number; close(): void }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-http.ts'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((done) => child.stdout.setEncoding('utf8').once('data', done));
  return { url: `http://127.0.0.1:${port.trim()}/`, pid: child.pid!, close: () => void child.kill() };
}
