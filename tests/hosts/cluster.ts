import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

interface Embedded {
  superuserUrl: string;
  ownerUrl: string;
  runtimeUrl: string;
  stop(): Promise<void>;
}
const { startEmbedded } = (await import(
  // As it was built: Node itself runs this file.
  new URL('../../dist/database/embedded/embedded.js', import.meta.url).href
)) as { startEmbedded(directory: string): Promise<Embedded> };

export interface HostDatabase {
  ownerUrl: string;
  runtimeUrl: string;
}

/** A PostgreSQL of this run's own. */
export class Cluster {
  private readonly directory: string;
  private readonly embedded: Embedded;

  private constructor(directory: string, embedded: Embedded) {
    this.directory = directory;
    this.embedded = embedded;
  }

  /** In a folder of a run. */
  static async start(scratch: string): Promise<Cluster> {
    const directory = join(scratch, 'cluster');
    await mkdir(directory, { mode: 0o755 });
    return new Cluster(directory, await startEmbedded(directory));
  }

  /** One with nothing in it. */
  async createDatabase(): Promise<HostDatabase> {
    const name = `host_${randomBytes(6).toString('hex')}`;
    const client = new pg.Client({ connectionString: this.embedded.superuserUrl });
    await client.connect();
    await client.query(`create database ${name} template template0 owner reel_owner`);
    await client.end();
    const of = (url: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
    return { ownerUrl: of(this.embedded.ownerUrl), runtimeUrl: of(this.embedded.runtimeUrl) };
  }

  async stop(): Promise<void> {
    await this.embedded.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
