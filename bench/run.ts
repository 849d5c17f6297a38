/**
 * `npm run bench -- [name]`: each benchmark beside plain SQL or another baseline in the same run, in turns, medians.
 * Run by Node itself with the built server, so only with types that Node can strip.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { counting } from './counting.ts';
import { cpu } from './cpu.ts';
import { exporting } from './exporting.ts';
import { fairness } from './fairness.ts';
import { following } from './following.ts';
import { indexes } from './indexes.ts';
import { inserting } from './inserting.ts';
import { reading } from './reading.ts';
import { sealing } from './sealing.ts';
import { searching } from './searching.ts';
import { type BenchServer, startServer } from './server.ts';
import { type Line, table } from './table.ts';
import { verifying } from './verifying.ts';
import { viewer } from './viewer.ts';
import { writing } from './writing.ts';

const BENCHMARKS: Record<string, (server: BenchServer) => Promise<Line[]>> = {
  reading,
  counting,
  writing,
  inserting,
  indexes,
  exporting,
  sealing,
  searching,
  verifying,
  following,
  fairness,
  cpu,
  viewer,
};

const wanted = process.argv[2];
if (wanted !== undefined && !(wanted in BENCHMARKS)) {
  process.stderr.write(`expected one of ${Object.keys(BENCHMARKS).join(', ')}, got ${wanted}\n`);
  process.exit(2);
}
const machine = `${availableParallelism()} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; server, database and callers on it together`;
const server = await startServer();
try {
  for (const name of wanted === undefined ? Object.keys(BENCHMARKS) : [wanted]) {
    const started = performance.now();
    const lines = await BENCHMARKS[name]!(server);
    const { rows } = await server.sql.query("select current_setting('server_version') as version");
    const text = [
      `npm run bench -- ${name}`,
      `${new Date().toISOString().slice(0, 10)}, ${Math.round((performance.now() - started) / 1000)} s`,
      machine,
      `Node ${process.version}, PostgreSQL ${rows[0].version}; ${server.tenant.entries.toLocaleString('en')} entries in the tenant, half as many in another`,
      '',
      table(lines),
      '',
    ].join('\n');
    process.stdout.write(`${text}\n`);
    mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, 'results', `${name}.txt`), text);
  }
} finally {
  await server.close();
}
