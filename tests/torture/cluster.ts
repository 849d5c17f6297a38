import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { makeDataDir, postmasterOf } from '../support/process.ts';
import { findProcessUser, findPrograms, runProgram, startEmbedded } from './built.ts';

export type Row = Record<string, unknown>;

const START_MS = 60_000;

/** A PostgreSQL of its own that keeps its port, so that servers find it again after it was killed. Durable: fsync is on. */
export class Cluster {
  readonly dataDir: string;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly runtimeUrl: string;
  private readonly connections = new Map<'owner' | 'superuser', pg.Client>();

  private constructor(dataDir: string, urls: { superuserUrl: string; ownerUrl: string; runtimeUrl: string }) {
    this.dataDir = dataDir;
    this.superuserUrl = urls.superuserUrl;
    this.ownerUrl = urls.ownerUrl;
    this.runtimeUrl = urls.runtimeUrl;
  }

  static async create(): Promise<Cluster> {
    const dataDir = await makeDataDir();
    return new Cluster(dataDir, await startEmbedded(dataDir));
  }

  private get files(): string {
    return join(this.dataDir, 'postgres', 'data');
  }

  /** Process id of the postmaster. Errors: where none was started. */
  async postmaster(): Promise<number> {
    const pid = await postmasterOf(this.dataDir);
    if (pid === null) throw new Error('expected a postmaster, found no postmaster.pid');
    return pid;
  }

  /** kill -9 of the postmaster; its other processes end by themselves when they notice. */
  async kill(): Promise<void> {
    process.kill(await this.postmaster(), 'SIGKILL');
  }

  /** Starts it again on its port, which its crash recovery may hold up; resolves when it accepts connections. */
  async start(): Promise<void> {
    const [programs, user] = await Promise.all([findPrograms(), findProcessUser()]);
    const settings = {
      listen_addresses: '127.0.0.1',
      port: new URL(this.ownerUrl).port,
      unix_socket_directories: '',
      max_connections: '200',
      timezone: 'UTC',
      log_timezone: 'UTC',
    };
    const flags = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
    const log = join(this.files, 'server.log');
    const options = ['start', '-w', '-t', '60', '-D', this.files, '-l', log, '-o', flags.join(' ')];
    for (const deadline = Date.now() + START_MS; ; await setTimeout(100)) {
      // Left by the killed one, whose last processes may still hold its shared memory.
      await rm(join(this.files, 'postmaster.pid'), { force: true });
      try {
        await runProgram(programs.pg_ctl, options, user);
        return;
      } catch (error) {
        if (Date.now() > deadline)
          throw new Error(`${error}: ${(await readFile(log, 'utf8')).slice(-2_000)}`);
      }
    }
  }

  /** Resolves when it accepts connections, as after the crash of one of its processes. */
  async ready(): Promise<void> {
    for (const deadline = Date.now() + START_MS; ; await setTimeout(50)) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** Process ids of what serves the connections of these roles. */
  async backends(role: 'reel' | 'reel_owner'): Promise<number[]> {
    const rows = await this.query('select pid from pg_stat_activity where usename = $1', [role], 'superuser');
    return rows.map(({ pid }) => pid as number);
  }

  /** As the owner, who sees every tenant. */
  async query(sql: string, parameters: unknown[] = [], as: 'owner' | 'superuser' = 'owner'): Promise<Row[]> {
    const client = await this.connect(as);
    try {
      return (await client.query(sql, parameters)).rows;
    } catch (error) {
      // Only what PostgreSQL says of a statement leaves a connection that can be used again.
      if (!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR') this.connections.delete(as);
      throw error;
    }
  }

  private async connect(as: 'owner' | 'superuser'): Promise<pg.Client> {
    const known = this.connections.get(as);
    if (known) return known;
    const client = new pg.Client({
      connectionString: as === 'owner' ? this.ownerUrl : this.superuserUrl,
      options: '-c timezone=UTC -c jit=off',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => this.connections.delete(as));
    await client.connect();
    this.connections.set(as, client);
    return client;
  }

  /** Ends it and removes its files, unless they are to be looked at. */
  async remove({ keepFiles }: { keepFiles: boolean }): Promise<void> {
    await Promise.all([...this.connections.values()].map((client) => client.end().catch(() => {})));
    const [programs, user] = await Promise.all([findPrograms(), findProcessUser()]);
    await runProgram(programs.pg_ctl, ['stop', '-w', '-m', 'fast', '-D', this.files], user).catch(() => {});
    if (!keepFiles) await rm(dirname(this.dataDir), { recursive: true, force: true });
  }
}
