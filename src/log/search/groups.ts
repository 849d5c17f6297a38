import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { insertion } from '../write/insertion.js';
import { Grams, integerArray } from './grams.js';

/** Sequences that a row of reel_log_search covers: from 1 to 16, from 17 to 32, and so on. */
export const GROUP_WIDTH = 16;
/** The first sequence of the group that contains this one. */
export const groupOf = (sequence: number): number => sequence - ((sequence - 1) % GROUP_WIDTH);

/** Groups that are read and written together; their grams take some 10 ms to compute. */
const BATCH = 32;

/** First key of the advisory locks that let one at a time write a tenant's rows; the second is the tenant's hash. */
const LOCK_CLASS = 7_237_535;

/** How far a tenant's index goes. */
export interface Filled {
  /** Everything up to this sequence is in it. */
  until: number;
  /** Whether there may be more to add. */
  isMore: boolean;
}

/**
 * Adds a tenant's next full groups to the index, in the caller's transaction. null if somebody else is writing its rows.
 * Whoever erases or removes entries takes the same lock before it commits, so that what was read here is still there.
 */
export async function fillGroups(execute: Execute, tenantId: string): Promise<Filled | null> {
  const [lock] = await execute<{ locked: boolean }>(
    sql`select pg_try_advisory_xact_lock(${LOCK_CLASS}::integer, hashtext(${tenantId})) as locked`,
  );
  if (!lock?.locked) return null;
  const [row] = await execute<{ last: string | null }>(
    sql`select max(first_seq) as last from reel_log_search where tenant_id = ${tenantId}::uuid`,
  );
  const after = row?.last == null ? 0 : Number(row.last) + GROUP_WIDTH - 1;
  const members = await readMembers(execute, tenantId, after + 1, after + BATCH * GROUP_WIDTH);
  const groups = Math.floor(((members.at(-1)?.sequence ?? after) - after) / GROUP_WIDTH);
  const firsts = Array.from({ length: groups }, (_, at) => after + 1 + at * GROUP_WIDTH);
  await insertGroups(execute, tenantId, firsts, members);
  return { until: after + groups * GROUP_WIDTH, isMore: groups === BATCH };
}

/** Waits for whoever is writing the tenant's rows, and keeps others from it until the transaction ends. */
const lockGroups = (execute: Execute, tenantId: string) =>
  execute(sql`select pg_advisory_xact_lock(${LOCK_CLASS}::integer, hashtext(${tenantId}))`);

/** Makes the index forget what erased entries no longer show, in the transaction that erases them; as the owner. */
export async function reindexEntries(
  execute: Execute,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  // First, since otherwise the next entries to be sequenced could be added before the transaction commits.
  await lockGroups(execute, tenantId);
  const rows = await execute<{ seq: string }>(sql`
    select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`);
  await reindexGroups(
    execute,
    tenantId,
    rows.map(({ seq }) => groupOf(Number(seq))),
  );
}

/** Sequences, both inclusive. */
export type SequenceRange = readonly [first: number, last: number];

/** Makes the index forget removed entries, in the transaction that removes them; as the owner. Rows stay, as sequences do. */
export async function reindexRemoved(
  execute: Execute,
  tenantId: string,
  ranges: readonly SequenceRange[],
): Promise<void> {
  await lockGroups(execute, tenantId);
  const partial: number[] = [];
  for (const [first, last] of ranges) {
    const from = groupOf(first + GROUP_WIDTH - 1);
    const until = groupOf(last + 1);
    if (from > first) partial.push(groupOf(first));
    if (until <= last) partial.push(until);
    if (from < until)
      await execute(sql`
        update reel_log_search set grams = '{}'
        where tenant_id = ${tenantId}::uuid and first_seq >= ${from} and first_seq < ${until} and grams <> '{}'`);
  }
  await reindexGroups(execute, tenantId, partial);
}

/** Computes the rows of those groups anew that the index has. */
async function reindexGroups(execute: Execute, tenantId: string, groups: readonly number[]): Promise<void> {
  const all = [...new Set(groups)];
  for (let at = 0; at < all.length; at += BATCH) {
    const rows = await execute<{ first_seq: string }>(sql`
      delete from reel_log_search
      where tenant_id = ${tenantId}::uuid and first_seq = any (${all.slice(at, at + BATCH)}::bigint[])
      returning first_seq`);
    const firsts = rows.map((row) => Number(row.first_seq));
    const members: Member[] = [];
    for (const first of firsts)
      members.push(...(await readMembers(execute, tenantId, first, first + GROUP_WIDTH - 1)));
    await insertGroups(execute, tenantId, firsts, members);
  }
}

interface Member {
  sequence: number;
  id: string;
}

async function readMembers(
  execute: Execute,
  tenantId: string,
  from: number,
  until: number,
): Promise<Member[]> {
  const rows = await execute<{ seq: string; entry_id: string }>(sql`
    select seq, entry_id from reel_log_sequence
    where tenant_id = ${tenantId}::uuid and seq >= ${from} and seq <= ${until} order by seq`);
  return rows.map(({ seq, entry_id }) => ({ sequence: Number(seq), id: entry_id }));
}

async function insertGroups(
  execute: Execute,
  tenantId: string,
  firsts: readonly number[],
  members: readonly Member[],
): Promise<void> {
  if (firsts.length === 0) return;
  const grams = await computeGrams(execute, tenantId, firsts, members);
  const rows = firsts.map((first, index) => [tenantId, first, integerArray(grams[index]!)]);
  await execute(insertion('reel_log_search', ['tenant_id', 'first_seq', 'grams'], rows));
}

/** The grams of the groups that begin at these sequences, in ascending order, from what their entries show now. */
export async function gramsOf(
  execute: Execute,
  tenantId: string,
  firsts: readonly number[],
): Promise<Int32Array[]> {
  const members = await readMembers(execute, tenantId, firsts[0]!, firsts.at(-1)! + GROUP_WIDTH - 1);
  return computeGrams(execute, tenantId, firsts, members);
}

async function computeGrams(
  execute: Execute,
  tenantId: string,
  firsts: readonly number[],
  members: readonly Member[],
): Promise<Int32Array[]> {
  const ids = members.map(({ id }) => id).sort();
  // The range of ids lets the planner skip all other months.
  const texts = await execute<{ id: string; search_text: string | null }>(sql`
    select id, search_text from reel_log_entries where tenant_id = ${tenantId}::uuid
      and id >= ${ids[0]}::uuid and id <= ${ids.at(-1)}::uuid and id = any (${ids}::uuid[])`);
  // A removed entry has none.
  const textOf = new Map(texts.map((row) => [row.id, row.search_text]));
  const byGroup = Map.groupBy(members, ({ sequence }) => groupOf(sequence));
  const grams = new Grams(tenantId);
  return firsts.map((first) => {
    for (const { id } of byGroup.get(first) ?? []) grams.add(textOf.get(id) ?? '');
    return grams.take();
  });
}
