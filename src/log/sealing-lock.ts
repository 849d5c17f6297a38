import { sql } from 'kysely';
import type { Execute } from '../database/execute.js';

/** First key of the advisory locks that admit one sequencer per tenant; the second is the tenant's hash. */
export const SEALING_LOCK = 7_237_534;

/** Waits for whoever seals the tenant's entries, and keeps others from it until the transaction ends. */
export async function lockSealing(execute: Execute, tenantId: string): Promise<void> {
  await execute(sql`select pg_advisory_xact_lock(${SEALING_LOCK}::integer, hashtext(${tenantId}))`);
}
