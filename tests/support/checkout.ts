import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

export interface Deployed {
  code: number;
  stdout: string;
  stderr: string;
}

/** A copy of the project's working tree, built, in a repository of its own that tests may commit to and deploy from. */
export class Checkout {
  /** The directory of the checkout, and of hosts beside it. */
  readonly home = mkdtempSync(join(tmpdir(), 'reel-deploy-'));
  readonly root = join(this.home, 'reel');
  private readonly programs = join(this.home, 'programs');

  constructor() {
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    });
    for (const file of files.split('\0'))
      if (/^(src|web|docs)\/|^[^/]+$/.test(file)) cpSync(join(root, file), join(this.root, file));
    cpSync(join(root, 'dist'), join(this.root, 'dist'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(this.root, 'node_modules'));
    mkdirSync(this.programs);
    this.git('init', '--quiet');
    // .gitignore excludes only a directory of that name, and this is a link.
    writeFileSync(join(this.root, '.git', 'info', 'exclude'), 'node_modules\n');
    this.git('add', '--all');
    this.commit();
  }

  /** Returns the name of the new commit's release. */
  commit(): string {
    this.git('commit', '--quiet', '--allow-empty', '--message', 'A change');
    const now = new Date(Date.now() + 1_000);
    for (const name of readdirSync(join(this.root, 'dist')))
      if (name.startsWith('.built-')) utimesSync(join(this.root, 'dist', name), now, now);
    return `1.0.0-${this.git('rev-parse', '--short', 'HEAD').trim()}`;
  }

  /** A folder beside the checkout with these files. */
  host(name: string, files: Record<string, string> = {}): string {
    const directory = join(this.home, name);
    mkdirSync(directory, { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(resolve(directory, file, '..'), { recursive: true });
      writeFileSync(join(directory, file), text);
    }
    return directory;
  }

  /** Replaces a program by a shell script, in which "$real" is the original; null restores it. */
  async replace(program: string, script: string | null): Promise<void> {
    const path = join(this.programs, program);
    if (script === null) return rmSync(path);
    const real = execFileSync('which', [program], { encoding: 'utf8' }).trim();
    writeFileSync(path, `#!/usr/bin/env bash\nreal=${real}\n${script}\n`);
    await chmod(path, 0o755);
  }

  /** Runs ./deploy.sh from beside the checkout. */
  deploy(args: readonly string[], settings: Record<string, string> = {}): Promise<Deployed> {
    const others = Object.entries(process.env).filter(
      ([name]) => !/^(REEL|DEPLOY|npm)_|^NODE_ENV$/.test(name),
    );
    const env = { ...Object.fromEntries(others), ...settings };
    return new Promise((done) => {
      execFile(
        join(this.root, 'deploy.sh'),
        args,
        { cwd: this.home, env: { ...env, PATH: `${this.programs}:${process.env.PATH}` } },
        (error, stdout, stderr) => {
          const code = error ? ((error as { code?: number | null }).code ?? -1) : 0;
          done({ code, stdout, stderr });
        },
      );
    });
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }

  private git(...args: string[]): string {
    const me = ['-c', 'user.name=Reel', '-c', 'user.email=reel@example.com'];
    return execFileSync('git', [...me, ...args], { cwd: this.root, encoding: 'utf8' });
  }
}
