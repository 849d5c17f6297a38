import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { StartError } from '../../errors.js';
import { isUnavailable } from '../unavailable.js';
import { isRunning } from './lock.js';
import { findProcessUser, findPrograms, type ProcessUser, runProgram } from './programs.js';

/** URLs of the embedded database: as the owner of Reel's tables, and as the server's runtime role. */
export interface EmbeddedUrls {
  ownerUrl: string;
  runtimeUrl: string;
}

export interface EmbeddedDatabase extends EmbeddedUrls {
  /** For creating other databases, as the tests do. */
  superuserUrl: string;
  /**
   * From now on starts the database again where its processes are gone, on its port or, where that is taken, on another.
   * Until `stop`.
   */
  keepRunning(watch: EmbeddedWatch): void;
  /** Shuts the database down and its connections with it; resolves when its processes are gone. */
  stop(): Promise<void>;
}

export interface EmbeddedWatch {
  /** The database was gone and runs again, from now on at these URLs. */
  onStarted(urls: EmbeddedUrls): void;
  /** It could not be started; that is tried again. */
  onFault(error: unknown): void;
}

interface Passwords {
  superuser: string;
  owner: string;
  runtime: string;
}

const DATABASE = 'reel';
/** Milliseconds that a database may take to start, crash recovery included. */
const START_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 5;
const RETRY_DELAY_MS = 200;
/** How often it is looked whether the database still runs, and the pause after a start that failed. */
const LOOK_MS = 500;
const FAILED_START_MS = 3_000;

/**
 * Starts the PostgreSQL in the data directory, created first where there is none, or attaches to the one that kept running
 * there after its server was killed. Under root its processes run as `postgres` or `nobody`, since PostgreSQL refuses root.
 * It listens only on 127.0.0.1, on a free port. Errors: StartError.
 */
export async function startEmbedded(dataDir: string): Promise<EmbeddedDatabase> {
  const programs = await findPrograms();
  const user = await findProcessUser();
  if ((await findCluster(dataDir)) === null) await initialise(dataDir, programs.initdb, user);
  const cluster = (await findCluster(dataDir))!;
  const passwords = await readPasswords(cluster);
  const stopped = new AbortController();
  let keeping: Promise<void> = Promise.resolve();
  const stop = async () => {
    stopped.abort();
    await keeping;
    if ((await runningPort(cluster)) === null) return;
    await runProgram(programs.pg_ctl, ['stop', '-w', '-m', 'fast', '-D', join(cluster, 'data')], user);
  };
  // One that was found running may still be starting, or be stopping and have to be started again.
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await setTimeout(RETRY_DELAY_MS)) {
    try {
      const port = (await runningPort(cluster)) ?? (await launch(cluster, programs.pg_ctl, user));
      await ensureRoles(port, passwords);
      const keepRunning = ({ onStarted, onFault }: EmbeddedWatch) => {
        const start = (last: number) => launch(cluster, programs.pg_ctl, user, last);
        keeping = keepStarted(cluster, port, start, stopped.signal, {
          onStarted: (at) => onStarted(urlsOf(at, passwords)),
          onFault,
        });
      };
      return { ...urlsOf(port, passwords), keepRunning, stop };
    } catch (error) {
      if (isUnavailable(error) && Date.now() < deadline) continue;
      await stop().catch(() => {});
      throw error;
    }
  }
}

/** Ends when the signal aborts, after a start that is under way. */
async function keepStarted(
  cluster: string,
  firstPort: number,
  start: (lastPort: number) => Promise<number>,
  signal: AbortSignal,
  { onStarted, onFault }: { onStarted(port: number): void; onFault(error: unknown): void },
): Promise<void> {
  const pause = (ms: number) => setTimeout(ms, undefined, { signal, ref: false }).catch(() => {});
  let port = firstPort;
  while (!signal.aborted) {
    await pause(LOOK_MS);
    try {
      if (signal.aborted || (await runningPort(cluster)) !== null) continue;
      port = await start(port);
      onStarted(port);
    } catch (error) {
      onFault(error);
      await pause(FAILED_START_MS);
    }
  }
}

/** URLs of the embedded database that runs in the data directory; null where none runs. */
export async function embeddedUrls(dataDir: string): Promise<EmbeddedUrls | null> {
  const cluster = await findCluster(dataDir);
  if (cluster === null) return null;
  const port = await runningPort(cluster);
  return port === null ? null : urlsOf(port, await readPasswords(cluster));
}

/** Real path of the directory with the database and its passwords; null where there is none yet. */
async function findCluster(dataDir: string): Promise<string | null> {
  return realpath(resolve(dataDir, 'postgres')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
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

async function readPasswords(cluster: string): Promise<Passwords> {
  const file = join(cluster, 'passwords.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Passwords;
  } catch (error) {
    throw new StartError(`REEL_DATA_DIR: expected the database's passwords in ${file}: ${firstLine(error)}`);
  }
}

/** Creates the cluster under another name and renames it when complete, so that a partial one is never used. */
async function initialise(dataDir: string, initdb: string, user: ProcessUser): Promise<void> {
  const secret = () => randomBytes(24).toString('base64url');
  const passwords: Passwords = { superuser: secret(), owner: secret(), runtime: secret() };
  const draft = resolve(dataDir, 'postgres.unfinished');
  const [data, passwordFile] = [join(draft, 'data'), join(draft, 'initial-password')];
  try {
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true, mode: 0o711 });
    await mkdir(data, { mode: 0o700 });
    await writeFile(passwordFile, `${passwords.superuser}\n`, { mode: 0o600 });
    if (user.uid !== undefined && user.gid !== undefined)
      for (const path of [data, passwordFile]) await chown(path, user.uid, user.gid);
    const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--username=postgres'];
    await runProgram(initdb, ['-D', data, `--pwfile=${passwordFile}`, ...options], user);
    await rm(passwordFile);
    await writeFile(join(draft, 'passwords.json'), JSON.stringify(passwords), { mode: 0o600 });
    await rename(draft, resolve(dataDir, 'postgres'));
  } catch (error) {
    throw new StartError(
      `REEL_DATA_DIR: expected a directory that PostgreSQL can create its files in, got ${dataDir}: ${firstLine(error)}`,
    );
  }
}

/**
 * Starts the database on `lastPort` if that is free, else on any free port, which it returns. Retried, since another program
 * may take the port first, and after a kill -9 the old server's last processes may hold on to its shared memory for a moment.
 */
async function launch(cluster: string, pgCtl: string, user: ProcessUser, lastPort = 0): Promise<number> {
  const data = join(cluster, 'data');
  const log = join(data, 'server.log');
  for (let attempt = 1; ; attempt += 1) {
    // The process that it names does not belong to this cluster.
    await rm(join(data, 'postmaster.pid'), { force: true });
    const port = (await freePort(lastPort)) ?? (await freePort(0))!;
    try {
      const options = ['start', '-w', '-t', '60', '-D', data, '-l', log, '-o', flagsOf(port)];
      await runProgram(pgCtl, options, user);
      return port;
    } catch (error) {
      if (attempt === START_ATTEMPTS)
        throw new StartError(
          `the embedded PostgreSQL did not start: ${(await lastFatal(log)) ?? firstLine(error)} (see ${log})`,
        );
      await setTimeout(attempt * RETRY_DELAY_MS);
    }
  }
}

function flagsOf(port: number): string {
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
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}='${value}'`)
    .join(' ');
}

/** The last fatal message in the server's log. */
async function lastFatal(log: string): Promise<string | undefined> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n');
  return lines.findLast((line) => /FATAL|PANIC/.test(line));
}

/** Port of the cluster's running postmaster; null where none runs, even if a stale postmaster.pid is there. */
async function runningPort(cluster: string): Promise<number | null> {
  const data = join(cluster, 'data');
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 && (await isRunning(pid, data)) ? port : null;
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

/** `wanted`, or any port of 127.0.0.1 for 0, if it is free right now; else null. */
async function freePort(wanted: number): Promise<number | null> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(null));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : null));
    });
  });
}

const firstLine = (error: unknown) => (error as Error).message.split('\n')[0] ?? '';
