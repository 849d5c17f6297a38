/**
 * `npm run bench -- [10m] [name…]`: each benchmark beside plain SQL or another baseline in the same run, in turns, medians.
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

const words = process.argv.slice(2);
const isLarge = words[0] === '10m';
const names = isLarge ? words.slice(1) : words;
for (const name of names)
  if (!(name in BENCHMARKS)) {
    process.stderr.write(
      `expected 10m first, or one of ${Object.keys(BENCHMARKS).join(', ')}, got ${name}\n`,
    );
    process.exit(2);
  }
const machine = `${availableParallelism()} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; server, database and callers on it together`;
const server = await startServer(isLarge ? '10m' : (process.env.REEL_BENCH_ENTRIES ?? '1m'));
try {
  for (const name of names.length === 0 ? Object.keys(BENCHMARKS) : names) {
    const started = performance.now();
    const lines = await BENCHMARKS[name]!(server);
    const { rows } = await server.sql.query("select current_setting('server_version') as version");
    const text = [
      `npm run bench -- ${isLarge ? '10m ' : ''}${name}`,
      `${new Date().toISOString().slice(0, 10)}, ${Math.round((performance.now() - started) / 1000)} s`,
      machine,
      `Node ${process.version}, PostgreSQL ${rows[0].version}; ${server.tenant.entries.toLocaleString('en')} entries in the tenant, more in another`,
      '',
      table(lines),
      '',
    ].join('\n');
    process.stdout.write(`${text}\n`);
    mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, 'results', `${name}${isLarge ? '-10m' : ''}.txt`), text);
  }
} finally {
  await server.close();
}
