import { sql } from 'kysely';
import type { Execute, Row } from '../database/execute.js';

/** Until the transaction ends, nobody else changes what people set of the tenant's streams. */
export const lockStreams = (execute: Execute, tenantId: string): Promise<Row[]> =>
  execute(sql`select pg_advisory_xact_lock(hashtextextended(${`reel_streams/${tenantId}`}, 0))`);
