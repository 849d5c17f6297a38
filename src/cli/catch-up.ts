import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { StartError } from '../errors.js';
import { Sealer } from '../seal/sealer.js';
import { readLogEnd } from '../seal/sequence-batch.js';
import { Sequencer } from '../seal/sequencer.js';
import { publishKey } from '../seal/signing-keys.js';
import type { CommandContext } from './context.js';
import { commandSigner } from './signer.js';

/** How long a server may take to seal something before it is taken for not running. */
const SILENCE_MS = 10_000;
const POLL_MS = 100;

/**
 * Resolves when every entry of the tenant that is committed now is sealed; to the last sequence. A running server seals
 * them, or the command itself where it has the server's key. Errors: StartError where nobody does.
 */
export async function catchUp(
  database: Database,
  tenantId: string,
  config: Config,
  context: CommandContext,
): Promise<number> {
  const last = await newestWaiting(database, tenantId);
  if (last !== null) {
    if (hasServersKey(config)) {
      const signer = await commandSigner(config);
      await publishKey(database, signer);
      return new Sequencer(database, new Sealer(signer)).catchUp(tenantId);
    }
    await waitForServer(database, tenantId, last, context);
  }
  return (await database.read(tenantId, (execute) => readLogEnd(execute, tenantId))).size;
}

/** Not one that is made up here, which the server would not sign with. The embedded database's is the server's too. */
const hasServersKey = ({ signingKey, origin, databaseUrl }: Config): boolean =>
  (signingKey !== null && origin !== null) || databaseUrl === null;

async function waitForServer(
  database: Database,
  tenantId: string,
  last: string,
  context: CommandContext,
): Promise<void> {
  let waiting = await countWaiting(database, tenantId, last);
  let lastChange = performance.now();
  while (waiting > 0) {
    if (performance.now() - lastChange > SILENCE_MS)
      throw new StartError(
        `expected a running server, or REEL_SIGNING_KEY and REEL_ORIGIN, to seal the ${waiting} newest entries of tenant ${tenantId}, which no server sealed within ${SILENCE_MS / 1000} s`,
      );
    context.progress(`waiting for ${waiting} entries to be sealed`);
    await setTimeout(POLL_MS);
    const now = await countWaiting(database, tenantId, last);
    if (now < waiting) lastChange = performance.now();
    waiting = now;
  }
  context.progress('');
}

async function newestWaiting(database: Database, tenantId: string): Promise<string | null> {
  const [row] = await database.read(tenantId, (execute) =>
    execute<{ entry_id: string }>(sql`
      select entry_id from reel_log_inbox where tenant_id = ${tenantId}::uuid order by entry_id desc limit 1`),
  );
  return row?.entry_id ?? null;
}

async function countWaiting(database: Database, tenantId: string, last: string): Promise<number> {
  const [row] = await database.read(tenantId, (execute) =>
    execute<{ n: string }>(sql`
      select count(*) as n from reel_log_inbox where tenant_id = ${tenantId}::uuid and entry_id <= ${last}::uuid`),
  );
  return Number(row?.n ?? 0);
}
