import { sql } from 'kysely';
import pg from 'pg';
import { executorOn, readTenantSql, type Snapshot } from './execute.js';
import { sessionOptions } from './session.js';

/** A transaction's snapshot, for other connections to read from (SET TRANSACTION SNAPSHOT). */
export interface ExportedSnapshot {
  url: string;
  tenantId: string;
  id: string;
  searchPath: string;
}

/** Exports the snapshot of `execute`; it can be joined until that transaction ends. */
export async function exportSnapshot(
  execute: Snapshot,
  url: string,
  tenantId: string,
): Promise<ExportedSnapshot> {
  const [row] = await execute<{ id: string; search_path: string }>(
    sql`select pg_export_snapshot() as id, current_setting('search_path') as search_path`,
  );
  return { url, tenantId, id: row!.id, searchPath: row!.search_path };
}

/** Opens a connection that reads from an exported snapshot, until it is disposed of. */
export async function joinSnapshot({
  url,
  tenantId,
  id,
  searchPath,
}: ExportedSnapshot): Promise<{ execute: Snapshot } & AsyncDisposable> {
  const { connectionString, ...session } = sessionOptions(url);
  const client = new pg.Client({ connectionString, ...session });
  // A connection that breaks while idle is reported by the next statement.
  client.on('error', () => {});
  await client.connect();
  await client.query(
    `begin isolation level repeatable read read only; set transaction snapshot '${id}'; ${readTenantSql(tenantId)}`,
  );
  await client.query(`select set_config('search_path', $1, true)`, [searchPath]);
  return { execute: executorOn(client).execute, [Symbol.asyncDispose]: () => client.end() };
}
