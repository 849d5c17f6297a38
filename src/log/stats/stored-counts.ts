import { sql } from 'kysely';

/** What reel_log_counts has for entries of no client, which would be null: no client's id is the nil UUID. */
const NONE = sql.raw(`'00000000-0000-0000-0000-000000000000'::uuid`);

/** SQL for the client_id that entries `e` are counted under. */
export const COUNTED_CLIENT = sql`coalesce(e.client_id, ${NONE})`;

/** SQL for the stored counts, as a sub-select in parentheses, with client_id as entries have it. */
export const STORED_COUNTS = sql`(
  select tenant_id, span, bucket, nullif(client_id, ${NONE}) as client_id, module, severity, count from reel_log_counts
)`;
