import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { CITUS_URL, createOnCitus } from './citus.js';

export type Role = 'owner' | 'superuser' | 'runtime';

export interface TestDatabase {
  superuserUrl: string;
  ownerUrl: string;
  runtimeUrl: string;
  /** Runs statements as the owner, who sees every tenant, or as another role, on connections that are kept. */
  query(sql: string, parameters?: unknown[], as?: Role): Promise<Record<string, unknown>[]>;
  /** Ends the connections that `query` keeps, as a database that is to be copied needs. */
  disconnect(): Promise<void>;
  drop(): Promise<void>;
}

/** A database of its own on the run's PostgreSQL, or on the Citus that is named: migrated and empty, a copy of one that nobody is connected to, or, of `template0`, with nothing in it at all. */
export async function createDatabase(source?: TestDatabase | 'template0'): Promise<TestDatabase> {
  if (CITUS_URL !== null && source === undefined) {
    const { drop, ...urls } = await createOnCitus(CITUS_URL);
    return testDatabase(urls, drop);
  }
  const original =
    typeof source === 'object' ? new URL(source.ownerUrl).pathname.slice(1) : (source ?? 'reel');
  const name = `reel_${randomBytes(6).toString('hex')}`;
  const template = inject('postgres');
  if (typeof source === 'object') await source.disconnect();
  await administer(`create database ${name} template ${original} owner reel_owner strategy file_copy`);
  const urls = {
    superuser: withDatabase(template.superuserUrl, name),
    owner: withDatabase(template.ownerUrl, name),
    runtime: withDatabase(template.runtimeUrl, name),
  };
  return testDatabase(urls, () => administer(`drop database if exists ${name} with (force)`));
}

/** Kept for the next database: to connect takes half as long as to create one. */
let administrators: pg.Pool | undefined;

async function administer(sql: string): Promise<void> {
  administrators ??= new pg.Pool({
    connectionString: withDatabase(inject('postgres').superuserUrl, 'postgres'),
    max: 4,
    allowExitOnIdle: true,
  }).on('error', () => {});
  await administrators.query(sql);
}

function testDatabase(urls: Record<Role, string>, drop: () => Promise<void>): TestDatabase {
  const pools = new Map<Role, pg.Pool>();
  const poolOf = (role: Role) => {
    const known = pools.get(role);
    if (known !== undefined) return known;
    const pool = new pg.Pool({
      connectionString: urls[role],
      max: 4,
      idleTimeoutMillis: 2_000,
      allowExitOnIdle: true,
    });
    // One whose database was stopped or dropped is made anew for the next query.
    pool.on('error', () => {});
    pools.set(role, pool);
    return pool;
  };
  const disconnect = async () => {
    const open = [...pools.values()];
    pools.clear();
    await Promise.all(open.map((pool) => pool.end()));
  };
  return {
    superuserUrl: urls.superuser,
    ownerUrl: urls.owner,
    runtimeUrl: urls.runtime,
    query: async (sql, parameters = [], as = 'owner') => {
      const client = await poolOf(as).connect();
      let isIdle = false;
      try {
        const { rows } = await client.query(sql, parameters);
        isIdle = client.getTransactionStatus() === 'I';
        // What a statement set, as a dump does, is not the next one's.
        if (isIdle) await client.query('discard all');
        return rows;
      } finally {
        // A transaction that a statement began, and did not end, ends with its connection.
        client.release(!isIdle);
      }
    },
    disconnect,
    drop: async () => {
      await disconnect();
      await drop();
    },
  };
}

function withDatabase(url: string, database: string): string {
  const copy = new URL(url);
  copy.pathname = `/${database}`;
  return copy.toString();
}

/** Locks tables against everybody, in a transaction that stays open. Sealing locks them in another order: who is chosen to end a deadlock tries again. */
export async function lockTables(client: pg.Client, ...tables: string[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(`begin; lock table ${tables.join(', ')} in access exclusive mode`);
      return;
    } catch (error) {
      await client.query('rollback');
      if ((error as { code?: string }).code !== '40P01' || attempt === 5) throw error;
    }
  }
}
