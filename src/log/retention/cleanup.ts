import { type RawBuilder, sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { idFloor } from '../filter/where.js';
import { isHeld, lockRetention } from './hold.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { Account, OwnerDatabase } from './own-entry.js';
import { accountForRemoval, type Gone, type RemovalReason, settle } from './removal.js';

export interface RemovalRange {
  /** Entries created before this instant go. */
  before: Date;
  /** null: every tenant's. */
  tenantId: string | null;
}

export interface Retention extends RemovalRange, RemovalReason {
  /** Who accounts for it in the tenants' trails. */
  account: Account;
  /** Entries of one transaction. */
  batch?: number;
  /** Told after each transaction how many are gone so far. */
  onRemoved?: (sofar: number) => void;
}

/** How many entries of each tenant, by tenant id; none that has nothing. */
export type Removed = Map<string, number>;

const BATCH = 5_000;

/** Entries in the inbox, whose place and count are still to come. */
const isWaiting = (entry: RawBuilder<unknown>) => sql<boolean>`
  exists (select from reel_log_inbox i where i.tenant_id = ${entry}.tenant_id and i.entry_id = ${entry}.id)`;

/**
 * Reel's own account of something that is still there: a hold, released or not, or entries that were erased. Without it
 * verification could not tell whether that was changed since.
 */
const isAccountOfKept = (entry: RawBuilder<unknown>) => sql<boolean>`
  (${entry}.module = ${OWN_MODULE} and (
    ${entry}.action = any (${[OWN_ACTIONS.hold, OWN_ACTIONS.release]}::text[]) and exists (
      select from reel_log_holds h where h.tenant_id = ${entry}.tenant_id and h.id::text = ${entry}.resource_id)
    or ${entry}.action = ${OWN_ACTIONS.erase} and exists (
      select from reel_log_entries erased
      where erased.tenant_id = ${entry}.tenant_id and erased.erased_at is not null and erased.erased_at = ${entry}.created_at)))`;

/** What keeps an entry, however old. The one place for it. */
const KEEPERS = [isWaiting, isHeld, isAccountOfKept];

const mayGo = (entry: RawBuilder<unknown>) =>
  sql<boolean>`${sql.join(
    KEEPERS.map((keeps) => sql`not ${keeps(entry)}`),
    sql` and `,
  )}`;

/** How many `removeEntries` would remove now. */
export async function countRemovable(
  database: OwnerDatabase,
  { before, tenantId }: RemovalRange,
): Promise<Removed> {
  const rows = await database.transact((run) =>
    run<{ tenant_id: string; n: string }>(sql`
      select tenant_id, count(*) as n from reel_log_entries e
      where id < ${idFloor(before.toISOString())}::uuid and (${tenantId}::uuid is null or tenant_id = ${tenantId}::uuid)
        and ${mayGo(sql`e`)}
      group by tenant_id order by tenant_id`),
  );
  return new Map(rows.map((row) => [row.tenant_id, Number(row.n)]));
}

/**
 * Removes entries, their idempotency keys and their counts: months that are past as a whole at once, everything else in
 * batches, each in a transaction of its own together with an entry that accounts for it, so that one that is broken off
 * leaves nothing half done and the next run goes on. Places in the order and leaf hashes stay: proofs still hold.
 */
export async function removeEntries(database: OwnerDatabase, retention: Retention): Promise<Removed> {
  const removed: Removed = new Map();
  let sofar = 0;
  await retention.account.open(database);
  const settled = async (run: Run, entries: RawBuilder<unknown>) => {
    const gone = await settle(run, entries);
    await accountForRemoval(run, retention.account, gone, removed, retention);
    return gone;
  };
  const note = (rows: readonly Gone[]) => {
    for (const { tenantId, entries } of rows) removed.set(tenantId, (removed.get(tenantId) ?? 0) + entries);
    sofar += rows.reduce((sum, { entries }) => sum + entries, 0);
    retention.onRemoved?.(sofar);
  };
  if (retention.tenantId === null)
    for (const month of await pastMonths(database, retention.before)) {
      const gone = await tryOrLeave(database, (run) => emptyMonth(run, month, settled));
      if (gone === null) continue;
      note(gone);
      await tryOrLeave(database, (run) => dropEmptyMonth(run, month));
    }
  for (const tenantId of await tenantsBefore(database, retention)) {
    let after: string | null = idFloor(new Date(0).toISOString());
    while (after !== null) {
      const batch: Batch = await database.transact((run) =>
        removeBatch(run, tenantId, after!, retention, settled),
      );
      note(batch.gone);
      after = batch.last;
    }
  }
  return removed;
}

async function tenantsBefore(database: OwnerDatabase, { before, tenantId }: Retention): Promise<string[]> {
  if (tenantId !== null) return [tenantId];
  // Whatever may be removed has been counted.
  const rows = await database.transact((run) =>
    run<{ tenant_id: string }>(sql`
      select distinct tenant_id from reel_log_counts
      where span = 1440 and bucket < ${before.toISOString()}::timestamptz order by tenant_id`),
  );
  return rows.map((row) => row.tenant_id);
}

interface Batch {
  gone: Gone[];
  /** The last entry looked at; null where there is none beyond. */
  last: string | null;
}

/** Does everything else that entries' going means, `entries` yielding them. */
type Settle = (run: Run, entries: RawBuilder<unknown>) => Promise<Gone[]>;

async function removeBatch(
  run: Run,
  tenantId: string,
  after: string,
  { before, batch: most = BATCH }: Retention,
  settled: Settle,
): Promise<Batch> {
  await lockRetention(run);
  const old = await run<{ id: string }>(sql`
    select id from reel_log_entries e
    where tenant_id = ${tenantId}::uuid and id > ${after}::uuid and id < ${idFloor(before.toISOString())}::uuid
      and ${mayGo(sql`e`)}
    order by id limit ${most}`);
  const ids = old.map((row) => row.id);
  if (ids.length === 0) return { gone: [], last: null };
  const gone = await settled(
    run,
    sql`delete from reel_log_entries where tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[])
      returning tenant_id, id, created_at, client_id, module, severity`,
  );
  return { gone, last: ids.length < most ? null : ids.at(-1)! };
}

/** A month's partition by name; reel_ensure_month made it. */
type Month = `reel_log_entries_${string}`;

async function pastMonths(database: OwnerDatabase, before: Date): Promise<Month[]> {
  const rows = await database.transact((run) =>
    run<{ name: Month }>(sql`
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'reel_log_entries'::regclass and c.relname ~ '^reel_log_entries_[0-9]{6}$'
        and (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'UTC' <= ${before.toISOString()}::timestamptz
      order by c.relname`),
  );
  return rows.map((row) => row.name);
}

/** null, and nothing done, where something in it stays. */
async function emptyMonth(run: Run, month: Month, settled: Settle): Promise<Gone[] | null> {
  const table = sql.table(month);
  await run(sql`set local lock_timeout = '2s'`);
  await lockRetention(run);
  await run(sql`lock table ${table} in share row exclusive mode`);
  for (const keeps of KEEPERS) {
    const [kept] = await run(sql`select from ${table} e where ${keeps(sql`e`)} limit 1`);
    if (kept) return null;
  }
  const gone = await settled(
    run,
    sql`select tenant_id, id, created_at, client_id, module, severity from ${table}`,
  );
  await run(sql`truncate ${table}`);
  return gone;
}

/** An empty partition costs every query that names no dates a little. The parent is locked first, as whoever writes does. */
async function dropEmptyMonth(run: Run, month: Month): Promise<void> {
  const table = sql.table(month);
  await run(sql`set local lock_timeout = '200ms'`);
  await run(sql`lock table only reel_log_entries in access exclusive mode`);
  const [row] = await run(sql`select from ${table} limit 1`);
  if (!row) await run(sql`drop table ${table}`);
}

/** SQLSTATE of a lock that others hold: lock_not_available, deadlock_detected; and of a month dropped meanwhile, undefined_table. */
const IN_USE = new Set(['55P03', '40P01', '42P01']);

/** null where others use the month; batches do what is left. */
async function tryOrLeave<T>(database: OwnerDatabase, work: (run: Run) => Promise<T>): Promise<T | null> {
  try {
    return await database.transact(work);
  } catch (error) {
    if (IN_USE.has((error as { code?: string }).code ?? '')) return null;
    throw error;
  }
}
