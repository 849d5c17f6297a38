/**
 * `npm run bench -- [10m] [name…]`: each benchmark beside plain SQL or another baseline in the same run, in turns, medians.
 * Run by Node itself with the built server, so only with types that Node can strip.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { client } from './client.ts';
import { counting } from './counting.ts';
import { exporting } from './exporting.ts';
import { fairness } from './fairness.ts';
import { following } from './following.ts';
import { growth } from './growth.ts';
import { indexes } from './indexes.ts';
import { inserting } from './inserting.ts';
import { reading } from './reading.ts';
import { sealing } from './sealing.ts';
import { searching } from './searching.ts';
import { type BenchServer, startServer } from './server.ts';
import { streaming } from './streaming.ts';
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
  streaming,
  fairness,
  viewer,
};

/** Without that server: of several sizes, or of none. */
const ALONE: Record<string, () => Promise<string>> = {
  growth: () => growth(isLarge),
  client: async () => table(await client()),
};

const words = process.argv.slice(2);
const isLarge = words[0] === '10m';
const names = isLarge ? words.slice(1) : words;
for (const name of names)
  if (!(name in BENCHMARKS || name in ALONE)) {
    process.stderr.write(
      `expected 10m first, or some of ${[...Object.keys(BENCHMARKS), ...Object.keys(ALONE)].join(', ')}, got ${name}\n`,
    );
    process.exit(2);
  }
const machine = `${availableParallelism()} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; server, database and callers on it together`;
const results = join(import.meta.dirname, 'results');

/** Prints a result, and keeps it. */
function tell(name: string, started: number, { database, text }: { database: string; text: string }): void {
  const file = [
    `npm run bench -- ${isLarge ? '10m ' : ''}${name}`,
    `${new Date().toISOString().slice(0, 10)}, ${Math.round((performance.now() - started) / 1000)} s`,
    machine,
    `Node ${process.version}${database}`,
    '',
    text,
    '',
  ].join('\n');
  process.stdout.write(`${file}\n`);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}${isLarge ? '-10m' : ''}.txt`), file);
}

async function runAll(names: readonly string[]): Promise<void> {
  const server = await startServer(isLarge ? '10m' : (process.env.REEL_BENCH_ENTRIES ?? '1m'));
  try {
    for (const name of names) {
      const started = performance.now();
      const lines = await BENCHMARKS[name]!(server);
      const { rows } = await server.sql.query("select current_setting('server_version') as version");
      const entries = server.tenant.entries.toLocaleString('en');
      const database = `, PostgreSQL ${rows[0].version}; ${entries} entries in the tenant, more in another`;
      tell(name, started, { database, text: table(lines) });
    }
  } finally {
    await server.close();
  }
}

const all = names.length === 0 ? [...Object.keys(BENCHMARKS), ...Object.keys(ALONE)] : names;
const onServer = all.filter((name) => name in BENCHMARKS);
if (onServer.length > 0) await runAll(onServer);
for (const name of all) {
  if (!(name in ALONE)) continue;
  const started = performance.now();
  tell(name, started, { database: '', text: await ALONE[name]!() });
}
