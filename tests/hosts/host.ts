import { execFile } from 'node:child_process';
import { cp, readFile, realpath, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { HostKind } from './kinds.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..', '..');
export const NODE = join(root, 'node_modules', '.bin', 'node');

export type Manager = 'npm' | 'pnpm';
/** As large as Reel itself, so that it is fetched for this alone. */
const PNPM = 'pnpm@12.21.0';

/** What Reel and the host must have the same copy of. */
const PEERS = ['@mikro-orm/core', '@mikro-orm/postgresql', 'fastify', 'graphql', 'type-graphql'];

interface Plan {
  folder: string;
  kind: HostKind;
  manager: Manager;
  tarball: string;
  cache: string;
}

/** A fresh project with the tarball in it; returns the versions that it got, in words. Errors: what the manager says. */
export async function makeHost({ folder, kind, manager, tarball, cache }: Plan): Promise<string> {
  const manifest = {
    name: 'host',
    private: true,
    type: 'module',
    dependencies: { ...kind.packages, reel: `file:${tarball}` },
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await cp(join(root, 'tests', 'hosts'), folder, {
    recursive: true,
    filter: (file) => !file.endsWith('.ts'),
  });
  const environment = Object.entries(process.env).filter(([name]) => !/^(npm_|REEL_)/i.test(name));
  const options = { cwd: folder, env: Object.fromEntries(environment), maxBuffer: 1e8 };
  const [command, args] =
    manager === 'npm'
      ? ['npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund']]
      : [
          'npx',
          [
            '--yes',
            `--package=${PNPM}`,
            'pnpm',
            'install',
            '--ignore-scripts',
            '--store-dir',
            join(cache, 'pnpm'),
          ],
        ];
  await run(command as string, args as string[], options).catch(
    (error: Error & { stdout: string; stderr: string }) => {
      throw new Error(`${manager}: ${error.stdout.slice(-2_000)}${error.stderr.slice(-2_000)}`);
    },
  );
  await expectOneCopy(folder, kind);
  const names = Object.keys(kind.packages).filter((name) =>
    /^(fastify|graphql|express|@mikro-orm\/core|@nestjs\/core)$/.test(name),
  );
  const versions = await Promise.all(
    [...names].sort().map(async (name) => {
      const { version } = JSON.parse(
        await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8'),
      );
      return `${name} ${version}`;
    }),
  );
  return versions.join(', ');
}

/** Errors: one that names what there are two of. */
async function expectOneCopy(folder: string, { packages }: HostKind): Promise<void> {
  const host = createRequire(join(folder, 'package.json'));
  const reel = createRequire(join(await realpath(join(folder, 'node_modules', 'reel')), 'package.json'));
  for (const name of PEERS.filter((peer) => peer in packages)) {
    const [one, other] = [host.resolve(name), reel.resolve(name)];
    if ((await realpath(one)) !== (await realpath(other)))
      throw new Error(`expected one copy of ${name}, got ${one} and ${other}`);
  }
}
