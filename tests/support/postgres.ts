import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

export interface TestDatabase {
  superuserUrl: string;
  ownerUrl: string;
  runtimeUrl: string;
  /** Runs statements as the owner, who sees every tenant; with a superuser's rights where asked. */
  query(
    sql: string,
    parameters?: unknown[],
    as?: 'owner' | 'superuser' | 'runtime',
  ): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** A database of its own on the run's PostgreSQL: migrated and empty, a copy of one that nobody is connected to, or, of `template0`, with nothing in it at all. */
export async function createDatabase(source?: TestDatabase | 'template0'): Promise<TestDatabase> {
  const original =
    typeof source === 'object' ? new URL(source.ownerUrl).pathname.slice(1) : (source ?? 'reel');
  const name = `reel_${randomBytes(6).toString('hex')}`;
  const template = inject('postgres');
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: withDatabase(template.superuserUrl, 'postgres') });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await admin(`create database ${name} template ${original} owner reel_owner`);
  const urls = {
    superuser: withDatabase(template.superuserUrl, name),
    owner: withDatabase(template.ownerUrl, name),
    runtime: withDatabase(template.runtimeUrl, name),
  };
  return {
    superuserUrl: urls.superuser,
    ownerUrl: urls.owner,
    runtimeUrl: urls.runtime,
    query: async (sql, parameters = [], as = 'owner') => {
      const client = new pg.Client({ connectionString: urls[as] });
      await client.connect();
      try {
        return (await client.query(sql, parameters)).rows;
      } finally {
        await client.end();
      }
    },
    drop: () => admin(`drop database if exists ${name} with (force)`),
  };
}

function withDatabase(url: string, database: string): string {
  const copy = new URL(url);
  copy.pathname = `/${database}`;
  return copy.toString();
}
