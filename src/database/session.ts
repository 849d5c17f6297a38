import pg from 'pg';
import { Database } from './database.js';
import { RowClient } from './row-client.js';

const TIMESTAMPTZ = 1184;

/** As the ORM reads them, too: a Date has no microseconds. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: unknown) =>
    oid === TIMESTAMPTZ && format !== 'binary'
      ? (text: string) => text
      : pg.types.getTypeParser(oid, format as 'text'),
};

/** To connect, or to have a turn at one of a pool's connections. */
const CONNECT_MS = 5_000;
/** A transaction that nobody goes on with, since its connection is dead, must not keep its locks. */
const IDLE_IN_TRANSACTION_MS = 8_000;

/**
 * The driver's options for a session at `url`, in UTC, so that timestamps are read as stored. `statementMs`: the longest
 * that a statement may run, where it says nothing else.
 */
export const sessionOptions = (url: string, statementMs: number | null = null) => ({
  connectionString: splitUrl(url).clientUrl,
  connectionTimeoutMillis: CONNECT_MS,
  application_name: 'reel',
  types,
  // Of a pool.
  Client: RowClient,
  options: [
    '-c timezone=UTC -c datestyle=ISO -c jit=off',
    ...(statementMs === null
      ? []
      : [
          `-c statement_timeout=${statementMs}`,
          `-c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_MS}`,
        ]),
  ].join(' '),
});

/** Separates the `schema` parameter, which MikroORM knows and the driver does not. */
export function splitUrl(url: string): { clientUrl: string; schema: string | null } {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema');
  parsed.searchParams.delete('schema');
  return { clientUrl: parsed.toString(), schema };
}

/**
 * Connects as the runtime role through the driver's pool, with at most `connections`: for commands, where loading the ORM
 * would take longer than most of what they do. Errors: those of Database.fromPools.
 */
export function connectPool(url: string, connections: number): Promise<Database> {
  const pool = new pg.Pool({ ...sessionOptions(url), max: connections });
  // A connection that breaks while idle is reported by the next statement.
  pool.on('error', () => {});
  return Database.fromPools({ reading: pool, writing: pool }, url, () => pool.end());
}
