import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { type EmbeddedDatabase, startEmbedded } from '../../src/database/embedded/embedded.js';
import { migrate } from '../../src/log/migrate.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The template that every test's database is copied from: as its superuser, owner and runtime role. */
    postgres: { superuserUrl: string; ownerUrl: string; runtimeUrl: string };
  }
}

/** One real PostgreSQL for the whole run, its database `reel` migrated; each test file takes a copy of that. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(await fastFolder(), 'reel-tests-'));
  await chmod(directory, 0o755);
  const postgres = await startEmbedded(directory);
  await turnOffDurability(postgres.superuserUrl);
  await makeConnectingCheap(postgres);
  await migrate(postgres.ownerUrl, postgres.runtimeUrl);
  await keepFewMonths(postgres.ownerUrl);
  const { superuserUrl, ownerUrl, runtimeUrl } = postgres;
  project.provide('postgres', { superuserUrl, ownerUrl, runtimeUrl });
  return async () => {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

/**
 * In memory where there is room: half the cost of a test's database was that of creating and removing its files. The room
 * is several times what a whole run takes.
 */
async function fastFolder(): Promise<string> {
  const memory = '/dev/shm';
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize > 6 * 2 ** 30 ? memory : tmpdir();
}

/** The data is discarded after the run, so nothing has to wait for the disk; dropping databases did. */
async function turnOffDurability(superuserUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  for (const name of ['fsync', 'full_page_writes', 'autovacuum'])
    await client.query(`alter system set ${name} = off`);
  await client.query('select pg_reload_conf()');
  await client.end();
}

/** Whoever connects, as tests do by the thousand, derives a key from the password by as many rounds as it was stored with: 4,096. */
async function makeConnectingCheap({ superuserUrl, ownerUrl, runtimeUrl }: EmbeddedDatabase): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  await client.query('set scram_iterations = 1');
  for (const url of [superuserUrl, ownerUrl, runtimeUrl]) {
    const { username, password } = new URL(url);
    await client.query(
      `alter role ${client.escapeIdentifier(username)} password ${client.escapeLiteral(password)}`,
    );
  }
  await client.end();
}

/**
 * Drops the months that tests do not reach. Every new connection reads the catalogue of all months before its first query,
 * and tests open connections by the thousand.
 */
async function keepFewMonths(ownerUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  const { rows } = await client.query(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = 'reel_log_entries'::regclass and inhrelid::regclass::text ~ '[0-9]{6}$' order by 1 offset 2`,
  );
  for (const { name } of rows) await client.query(`drop table ${name}`);
  await client.end();
}
