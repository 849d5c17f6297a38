import type { ClientBase, Pool } from 'pg';

/** The statements that begin a transaction and say whose rows it sees, one each. */
export type Opening = readonly string[];

export interface Dialect {
  /**
   * Whether the tables are distributed by Citus. Then what a transaction sees is set by SET LOCAL alone, which reaches the nodes that
   * have the rows, as set_config does not; each such statement goes by itself, since Citus sends on the whole text that it came in; and
   * nothing that does not work so is used.
   */
  readonly isDistributed: boolean;
}

/** Asked once for a pool. */
export async function dialectOf(pool: Pool): Promise<Dialect> {
  const { rows } = await pool.query<{ citus: boolean }>(CITUS_SQL);
  return { isDistributed: rows[0]!.citus };
}

export const CITUS_SQL = `select exists (select from pg_catalog.pg_extension where extname = 'citus') as citus`;

/** Begins a transaction: in one message, or in one for each statement. */
export async function open(client: ClientBase, opening: Opening, { isDistributed }: Dialect): Promise<void> {
  if (isDistributed) for (const statement of opening) await client.query(statement);
  else await client.query(opening.join('; '));
}
