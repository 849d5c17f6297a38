import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedDatabase, startEmbedded } from '../../src/database/embedded/embedded.js';
import { migrate } from '../../src/log/migrate.js';

/** A PostgreSQL of a test's own, migrated, which it may stop, kill or fill. */
export class Cluster {
  private constructor(
    private readonly directory: string,
    public database: EmbeddedDatabase,
  ) {}

  static async start(): Promise<Cluster> {
    const directory = await mkdtemp(join(tmpdir(), 'reel-cluster-'));
    await chmod(directory, 0o755);
    const database = await startEmbedded(directory);
    const cluster = new Cluster(directory, database);
    await cluster.asSuperuser('alter system set fsync = off', 'select pg_reload_conf()');
    await migrate(database.ownerUrl, database.runtimeUrl);
    return cluster;
  }

  get port(): number {
    return Number(new URL(this.database.superuserUrl).port);
  }

  /** Starts it again after its processes are gone, on another port. */
  async startAgain(): Promise<void> {
    this.database = await startEmbedded(this.directory);
  }

  async asSuperuser(...statements: string[]): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.database.superuserUrl });
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await client.query(statement)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  async postmaster(): Promise<number> {
    const file = await readFile(join(this.directory, 'postgres', 'data', 'postmaster.pid'), 'utf8');
    return Number(file.split('\n')[0]);
  }

  /** The processes that serve connections of Reel's. */
  async backends(): Promise<number[]> {
    const rows = await this.asSuperuser(
      `select pid from pg_stat_activity where usename = 'reel' and backend_type = 'client backend'`,
    );
    return rows.map(({ pid }) => Number(pid));
  }

  /** The postmaster and all of its children. */
  async processes(): Promise<number[]> {
    const postmaster = await this.postmaster();
    const all = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
    const children = await Promise.all(
      all.map(async (pid) => {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === postmaster ? [pid] : [];
      }),
    );
    return [postmaster, ...children.flat()];
  }

  async stop(): Promise<void> {
    await this.database.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
};
