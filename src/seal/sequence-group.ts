import { sql } from 'kysely';
import { carryOut, collecting, type Execute, type Row } from '../database/execute.js';
import { addCountsOfTenants } from '../log/counts/count-entries.js';
import { SEALING_LOCK } from '../log/sealing-lock.js';
import { insertion } from '../log/write/insertion.js';
import type { BrokenLog, LogEnd, NewLeaves, SealedBatch, Sealer } from './sealer.js';
import type { Take } from './sealing-order.js';

/** What became of one tenant's turn. */
export interface SequencedLog {
  take: Take;
  entries: number;
  sealed: SealedBatch;
}

export interface SequencedGroup {
  logs: SequencedLog[];
  broken: { tenantId: string; error: BrokenLog }[];
}

interface InboxRow extends Row {
  tenant_id: string;
  entry_id: string;
  leaf_hash: Buffer;
  /** Where the row is: no other transaction touches it while the tenant is locked. */
  ctid: string;
}

/**
 * As sequenceBatch for many tenants with few entries each, in one transaction of Database.sealTogether. Those that another
 * sequencer has locked, or that have nothing to seal, are left out; a broken log is no fault of the others'.
 */
export async function sequenceGroup(
  execute: Execute,
  takes: readonly Take[],
  sealer: Sealer,
): Promise<SequencedGroup> {
  const locked = await lockEach(execute, takes);
  const waiting = Map.groupBy(await oldestEntries(execute, locked), (row) => row.tenant_id);
  if (waiting.size === 0) return { logs: [], broken: [] };
  const ends = await readLogEnds(execute, [...waiting.keys()]);
  const leaves = [...waiting].map(
    ([tenantId, rows]): NewLeaves => ({
      tenantId,
      end: ends.get(tenantId) ?? { size: 0, lastLeaf: null },
      leafHashes: rows.map((row) => row.leaf_hash),
    }),
  );
  const { store, stored } = collecting();
  const results = await sealer.seal(execute, leaves, store);
  const group: SequencedGroup = { logs: [], broken: [] };
  const sequenced: { rows: readonly InboxRow[]; size: number }[] = [];
  for (const [index, result] of results.entries()) {
    const { tenantId, end } = leaves[index]!;
    if ('broken' in result) {
      group.broken.push({ tenantId, error: result.broken });
      continue;
    }
    const rows = waiting.get(tenantId)!;
    sequenced.push({ rows, size: end.size });
    const take = takes.find((each) => each.tenantId === tenantId)!;
    group.logs.push({ take, entries: rows.length, sealed: result.sealed });
  }
  if (sequenced.length > 0) await storeSequenced(store, sequenced);
  await carryOut(execute, stored);
  return group;
}

/** Gives entries the sequences after `size`, counts them, and takes them out of the inbox. */
async function storeSequenced(
  execute: Execute,
  logs: readonly { rows: readonly InboxRow[]; size: number }[],
): Promise<void> {
  const columns = ['tenant_id', 'seq', 'entry_id', 'leaf_hash'];
  const values = logs.flatMap(({ rows, size }) =>
    rows.map((row, index) => [row.tenant_id, size + index + 1, row.entry_id, row.leaf_hash]),
  );
  await execute(insertion('reel_log_sequence', columns, values));
  const rows = logs.flatMap((log) => log.rows);
  await addCountsOfTenants(
    execute,
    rows.map((row) => row.tenant_id),
    rows.map((row) => row.entry_id),
  );
  await execute(sql`delete from reel_log_inbox where ctid = any (${rows.map((row) => row.ctid)}::tid[])`);
}

async function lockEach(execute: Execute, takes: readonly Take[]): Promise<Take[]> {
  const rows = await execute<{ nr: string; locked: boolean }>(sql`
    select nr, pg_try_advisory_xact_lock(${SEALING_LOCK}::integer, hashtext(tenant_id)) as locked
    from unnest(${takes.map((take) => take.tenantId)}::text[]) with ordinality wanted(tenant_id, nr)`);
  return rows.filter(({ locked }) => locked).map(({ nr }) => takes[Number(nr) - 1]!);
}

/** The tenants' oldest entries, each tenant's in order. */
async function oldestEntries(execute: Execute, takes: readonly Take[]): Promise<InboxRow[]> {
  if (takes.length === 0) return [];
  return execute<InboxRow>(sql`
    select i.* from unnest(
      ${takes.map((take) => take.tenantId)}::uuid[], ${takes.map((take) => take.most)}::integer[]
    ) wanted(tenant_id, most) cross join lateral (
      select tenant_id, entry_id, leaf_hash, ctid::text as ctid from reel_log_inbox
      where tenant_id = wanted.tenant_id order by entry_id limit wanted.most
    ) i`);
}

async function readLogEnds(execute: Execute, tenantIds: readonly string[]): Promise<Map<string, LogEnd>> {
  const rows = await execute<{ tenant_id: string; seq: string; leaf_hash: Buffer }>(sql`
    select s.* from unnest(${tenantIds}::uuid[]) wanted(tenant_id) cross join lateral (
      select tenant_id, seq, leaf_hash from reel_log_sequence
      where tenant_id = wanted.tenant_id order by seq desc limit 1
    ) s`);
  return new Map(
    rows.map((row) => [row.tenant_id, { size: Number(row.seq), lastLeaf: row.leaf_hash }] as const),
  );
}
