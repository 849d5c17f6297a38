import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { overloaded } from '../errors.js';
import { Database } from './database.js';
import { databaseOptions } from './options.js';
import { unreachable } from './start-check.js';
import { Turns } from './turns.js';

/** Reads of one tenant that may wait for a connection. */
const WAITING_READS = 200;
/** The longest that one may wait, in milliseconds, where statements are not bounded. */
const WAIT_MS = 15_000;

/**
 * Connects as the runtime role, with at most `connections` each for reading and for writing, of which one tenant reads on
 * half at once. Errors: those of Database.fromPools, which `statementMs` goes to.
 */
export async function connect(
  url: string,
  connections = 10,
  statementMs: number | null = null,
): Promise<Database> {
  const { orm, ...pools } = await open(url, connections, statementMs).catch((error) => {
    throw unreachable(url, error);
  });
  const turns = readTurns(connections, statementMs ?? WAIT_MS);
  return Database.fromPools(pools, url, () => orm.close(true), statementMs, turns);
}

/** How tenants share reading connections: one never has more than half of them, nor keeps others waiting by its own reads. */
export const readTurns = (connections: number, waitMs: number): Turns =>
  new Turns(
    {
      atOnce: connections,
      atOncePerKey: Math.max(1, Math.floor(connections / 2)),
      waitingPerKey: WAITING_READS,
      waitMs,
    },
    () => overloaded('Too many reads of this tenant are waiting'),
  );

async function open(url: string, connections: number, statementMs: number | null) {
  const options = databaseOptions(url, { max: connections }, [], statementMs);
  const pools: Pool[] = [];
  const onPoolCreated = (pool: Pool) => {
    // A connection that breaks while idle is reported by the next statement.
    pool.on('error', () => {});
    pools.push(pool);
  };
  const orm = await MikroORM.init({ ...options, driverOptions: { ...options.driverOptions, onPoolCreated } });
  // Each is made for its first statement, which does not try to create a missing database.
  for (const type of ['read', 'write'] as const) await orm.em.getConnection(type).execute('select 1');
  const [reading, writing] = pools;
  if (!reading || !writing || pools.length > 2)
    throw new Error(`expected MikroORM to make a pool for reading and one for writing, got ${pools.length}`);
  return { orm, reading, writing };
}
