/**
 * `npm run test:hosts -- [--only TEXT]`: packs Reel, installs the tarball into fresh hosts, by npm and by pnpm, and tries each on a
 * real PostgreSQL. Prints a table, which goes into docs/embedding.md where all hosts were tried; exit code 1 where one fails.
 * Needs the registry.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Cluster } from './cluster.ts';
import { type Manager, makeHost } from './host.ts';
import { KINDS } from './kinds.ts';
import { openScratch, removeLeftBehind } from './left-behind.ts';
import { tryHost } from './try.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..', '..');
const MANAGERS: readonly Manager[] = ['npm', 'pnpm'];
const PAGE = join(root, 'docs', 'embedding.md');
const TABLE = /(<!-- npm run test:hosts -->\n)[\s\S]*?(?=\n<!-- end -->)/;

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const say = (line: string) => process.stdout.write(`${line}\n`);

for (const folder of await removeLeftBehind())
  say(`removed ${folder}, which a run that was killed left behind`);
const scratch = await openScratch();
const cluster = await Cluster.start(scratch);
const rows: string[] = [];
let failed = 0;
try {
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', scratch], { cwd: root });
  const tarball = join(scratch, 'reel-1.0.0.tgz');
  for (const kind of KINDS)
    for (const manager of MANAGERS) {
      const title = `${kind.name} by ${manager}`;
      if (!title.includes(options.only)) continue;
      const folder = await mkdtemp(join(scratch, 'host-'));
      try {
        const versions = await makeHost({ folder, kind, manager, tarball, cache: join(scratch, 'cache') });
        await tryHost(folder, kind, await cluster.createDatabase());
        rows.push(`| ${kind.name} | ${manager} | ${versions} |`);
        say(`ok ${title}: ${versions}`);
      } catch (error) {
        failed += 1;
        say(`FAILED ${title}: ${(error as Error).message.slice(0, 4_000)}`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
} finally {
  await cluster.stop();
  await rm(scratch, { recursive: true, force: true });
}
if (failed === 0 && options.only === '') {
  const table = ['| host | installed by | with |', '|---|---|---|', ...rows].join('\n');
  await writeFile(PAGE, (await readFile(PAGE, 'utf8')).replace(TABLE, `$1${table}`));
}
say(`${rows.length} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
