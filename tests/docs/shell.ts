import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { root } from './pages.js';

const run = promisify(execFile);

/** A folder in which the shell blocks of the docs run as they stand, with `reel`, `npm run -s reel` and `curl` in front of PATH. */
export interface Shell {
  directory: string;
  /** What commands see of the environment; PATH is in it. */
  env: Record<string, string>;
  run(commands: string): Promise<{ stdout: string; stderr: string }>;
  close(): Promise<void>;
}

export async function openShell(): Promise<Shell> {
  const directory = await mkdtemp(join(tmpdir(), 'reel-docs-'));
  const command = (name: string, text: string) =>
    writeFile(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await command('reel', `exec "${process.execPath}" "${root}/dist/cli/reel.js" "$@"`);
  await command('npm', '[ "$1 $2 $3 $4" = "run -s reel --" ] || exit 1\nshift 4\nexec reel "$@"');
  await command('curl', `exec "${process.execPath}" "${import.meta.dirname}/curl.mjs" "$@"`);
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const env = {
    PATH: `${directory}:${resolve(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`,
    REEL_DATA_DIR: directory,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
  };
  return {
    directory,
    env,
    run: (commands) => run('sh', ['-euc', commands], { cwd: directory, env }),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
