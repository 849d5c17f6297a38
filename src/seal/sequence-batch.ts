import { CompiledQuery, sql } from 'kysely';
import { carryOut, collecting, type Execute } from '../database/execute.js';
import { addCounts } from '../log/counts/count-entries.js';
import { lockSealing, SEALING_LOCK } from '../log/sealing-lock.js';
import type { LogEnd, SealedBatch, Sealer } from './sealer.js';

/**
 * Entries per transaction. On a busy server each statement waits for its turn in the event loop, so large batches pay: with
 * a fifth of this, sealing fell behind writing at full speed.
 */
export const BATCH_SIZE = 10_000;

interface InboxRow {
  entry_id: string;
  leaf_hash: Buffer;
  [column: string]: unknown;
}

export interface SequencedBatch {
  entries: number;
  /** Null for no entries. */
  sealed: SealedBatch | null;
}

export interface BatchOptions {
  /** Entries at most; none: BATCH_SIZE. */
  most?: number;
  /** Whether to wait for a sequencer that holds the tenant's lock. */
  wait: boolean;
}

/**
 * Sequences and integrates the oldest entries of the tenant's inbox, in the caller's transaction, and counts them.
 * Returns null if another sequencer holds the tenant's lock. Errors: BrokenLog.
 */
export async function sequenceBatch(
  execute: Execute,
  tenantId: string,
  sealer: Sealer,
  { most = BATCH_SIZE, wait }: BatchOptions,
): Promise<SequencedBatch | null> {
  if (!(await lock(execute, tenantId, wait))) return null;
  const rows = await execute<InboxRow>(
    sql`select entry_id, leaf_hash from reel_log_inbox where tenant_id = ${tenantId}::uuid order by entry_id limit ${most}`,
  );
  if (rows.length === 0) return { entries: 0, sealed: null };
  const ids = rows.map((row) => row.entry_id);
  const end = await readLogEnd(execute, tenantId);
  const { store, stored } = collecting();
  await store(insertSequence(tenantId, end.size, rows));
  const leafHashes = rows.map((row) => row.leaf_hash);
  const [result] = await sealer.seal(execute, [{ tenantId, end, leafHashes }], store);
  if (!result || 'broken' in result) throw result?.broken;
  await addCounts(store, tenantId, ids, { apart: !execute.prepares });
  await store(
    sql`delete from reel_log_inbox where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`,
  );
  await carryOut(execute, stored);
  return { entries: ids.length, sealed: result.sealed };
}

export async function readLogEnd(execute: Execute, tenantId: string): Promise<LogEnd> {
  const [row] = await execute<{ seq: string; leaf_hash: Buffer }>(
    sql`select seq, leaf_hash from reel_log_sequence where tenant_id = ${tenantId}::uuid order by seq desc limit 1`,
  );
  return row ? { size: Number(row.seq), lastLeaf: row.leaf_hash } : { size: 0, lastLeaf: null };
}

async function lock(execute: Execute, tenantId: string, wait: boolean): Promise<boolean> {
  if (wait) {
    await lockSealing(execute, tenantId);
    return true;
  }
  const [row] = await execute<{ locked: boolean }>(
    sql`select pg_try_advisory_xact_lock(${SEALING_LOCK}::integer, hashtext(${tenantId})) as locked`,
  );
  return row?.locked ?? false;
}

/** A UUIDv7's time (RFC 9562, section 5.7). */
export const millisecondsOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

function insertSequence(tenantId: string, size: number, rows: readonly InboxRow[]): CompiledQuery {
  const values = rows.map((_, index) => `($1,$${3 * index + 2},$${3 * index + 3},$${3 * index + 4})`);
  return CompiledQuery.raw(
    `insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash) values ${values.join(',')}`,
    [tenantId, ...rows.flatMap((row, index) => [size + index + 1, row.entry_id, row.leaf_hash])],
  );
}
