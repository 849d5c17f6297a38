/**
 * Builds what is out of date into dist: the server by tsc, each page by Vite. Run by Node itself, before anything is
 * compiled: `node src/development/build.ts [server | pages]`, both where none is named.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/** When the newest file under some paths was changed, in Unix milliseconds. */
function newest(paths: string[]): number {
  return Math.max(
    0,
    ...paths.filter(existsSync).map((path) => {
      const stat = statSync(path);
      return stat.isDirectory() ? newest(readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs;
    }),
  );
}

/** Runs the command unless its stamp is newer than all it reads; a failed command leaves no stamp. */
function build(name: string, sources: string[], command: string[]): void {
  const stamp = join(root, 'dist', `.built-${name}`);
  const inputs = [...sources, 'package-lock.json'].map((path) => join(root, path));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest(inputs)) return;
  const started = Date.now();
  const { status, stdout, stderr, error } = spawnSync(
    join(root, 'node_modules', '.bin', command[0]!),
    command.slice(1),
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  if (status !== 0) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\n`);
    process.exit(1);
  }
  writeFileSync(stamp, '');
  process.stderr.write(`built ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

/** Deletes what was compiled from files that no longer exist, so that it is neither run nor packaged. */
function clearStale(): void {
  for (const name of globSync('**/*.{js,js.map,d.ts}', {
    cwd: join(root, 'dist'),
    exclude: ['stage', 'playground', 'reel-client'],
  }))
    if (!existsSync(join(root, 'src', name.replace(/\.(js|js\.map|d\.ts)$/, '.ts'))))
      rmSync(join(root, 'dist', name));
}

const wanted = process.argv[2];
if (wanted !== 'pages') {
  build('server', ['src', 'tsconfig.json'], ['tsc', '-p', 'tsconfig.json']);
  clearStale();
  build(
    'client',
    ['src/client', 'src/development/pack-client.ts'],
    ['node', 'src/development/pack-client.ts'],
  );
}
if (wanted !== 'server')
  for (const page of ['playground', 'stage'])
    if (existsSync(join(root, 'web', page, 'vite.config.ts')))
      build(
        page,
        ['web', 'src/query-line'],
        ['vite', 'build', '--config', `web/${page}/vite.config.ts`, '--logLevel', 'error'],
      );
