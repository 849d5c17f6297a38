import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { Database, unreachable } from './database.js';
import { databaseOptions } from './options.js';

/** Connects as the runtime role, with at most `connections` each for reading and for writing. Errors: those of Database.fromPools, which `statementMs` goes to. */
export async function connect(
  url: string,
  connections = 10,
  statementMs: number | null = null,
): Promise<Database> {
  const { orm, ...pools } = await open(url, connections, statementMs).catch((error) => {
    throw unreachable(url, error);
  });
  return Database.fromPools(pools, url, () => orm.close(true), statementMs);
}

async function open(url: string, connections: number, statementMs: number | null) {
  const options = databaseOptions(url, { max: connections }, [], statementMs);
  const orm = await MikroORM.init(options);
  // First, since the ORM would try to create a missing database before it hands out its pools.
  await orm.em.getConnection('read').execute('select 1');
  return { orm, reading: await poolOf(orm, 'read'), writing: await poolOf(orm, 'write') };
}

async function poolOf(orm: MikroORM, type: 'read' | 'write'): Promise<Pool> {
  const connection = orm.em.getConnection(type) as unknown as { getNativeClient(): Promise<Pool> };
  return connection.getNativeClient();
}
