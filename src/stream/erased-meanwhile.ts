import { sql } from 'kysely';
import type { Execute } from '../database/execute.js';
import { eraseAnswers } from '../log/retention/erased-streams.js';
import type { BatchToSend } from './kinds/kind.js';

/** A status or an error's name. */
const SAYS_NOTHING = /^[0-9A-Z_]*$/;

/**
 * What a receiver said of a batch is not kept where an entry of it was erased while it was under way. To be called in the
 * transaction that keeps it, after that: of an erasure that ends later, the erasure itself takes it away.
 */
export async function forgetAnswersOfErased(
  execute: Execute,
  { tenantId, entries }: Pick<BatchToSend, 'tenantId' | 'entries'>,
  answers: readonly string[],
): Promise<void> {
  if (answers.every((answer) => SAYS_NOTHING.test(answer))) return;
  const ids = entries.filter(({ entry }) => !entry.erasedAt).map(({ entry }) => entry.id);
  const [erased] = await execute(sql`
    select 1 as erased from reel_log_entries
    where tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[]) and erased_at is not null limit 1`);
  if (erased) await eraseAnswers(execute, tenantId);
}
