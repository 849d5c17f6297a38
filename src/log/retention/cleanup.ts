import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { COUNTED_COLUMNS } from '../counts/stored-counts.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { idFloor } from '../filter/where.js';
import { isHeld, lockRetention } from './hold.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { OwnEntries, OwnerDatabase } from './own-entries.js';
import {
  applyRemoval,
  type RemovalReason,
  recordRemoval,
  removeApart,
  type TenantRemoval,
} from './removal.js';

export interface RemovalRange {
  /** Entries created before this instant are removed. */
  before: Date;
  /** null: every tenant's. */
  tenantId: string | null;
}

export interface Retention extends RemovalRange, RemovalReason {
  /** Records it in the tenants' trails. */
  ownEntries: OwnEntries;
  /** Entries per transaction. */
  batch?: number;
  /** Called after each transaction with the number of entries removed so far. */
  onRemoved?: (total: number) => void;
}

/** Numbers of entries by tenant id, without tenants that have none. */
export type EntriesByTenant = Map<string, number>;

const BATCH = 5_000;

/** Entries in the inbox, not yet sequenced and counted. */
const isWaiting = (entry: RawBuilder<unknown>, tenant: RawBuilder<unknown>) => sql<boolean>`
  exists (select from reel_log_inbox i where i.tenant_id = ${tenant} and i.entry_id = ${entry}.id)`;

/**
 * Reel's own record of a hold, released or not, or of erased entries, that still exist. Without it verification could not
 * tell whether they were changed since.
 */
const isNeededRecord = (entry: RawBuilder<unknown>, tenant: RawBuilder<unknown>) => sql<boolean>`
  (${entry}.module = ${OWN_MODULE} and (
    ${entry}.action = any (${[OWN_ACTIONS.hold, OWN_ACTIONS.release]}::text[]) and exists (
      select from reel_log_holds h where h.tenant_id = ${tenant} and h.id::text = ${entry}.resource_id)
    or ${entry}.action = ${OWN_ACTIONS.erase} and exists (
      select from reel_log_entries erased
      where erased.tenant_id = ${tenant} and erased.erased_at is not null and erased.erased_at = ${entry}.created_at)))`;

/** Of entries of all tenants, each one's own. */
const EVERY = sql`e.tenant_id`;

/** Entries that stay, however old. */
const EXEMPTIONS = [isWaiting, isHeld, isNeededRecord];

const isRemovable = (entry: RawBuilder<unknown>, tenant: RawBuilder<unknown>) =>
  sql<boolean>`${sql.join(
    EXEMPTIONS.map((isExempt) => sql`not ${isExempt(entry, tenant)}`),
    sql` and `,
  )}`;

/** How many `removeEntries` would remove now. */
export async function countRemovable(
  database: OwnerDatabase,
  { before, tenantId }: RemovalRange,
): Promise<EntriesByTenant> {
  const rows = await database.transact((execute) =>
    execute<{ tenant_id: string; n: string }>(sql`
      select tenant_id, count(*) as n from reel_log_entries e
      where id < ${idFloor(before.toISOString())}::uuid and (${tenantId}::uuid is null or tenant_id = ${tenantId}::uuid)
        and ${isRemovable(sql`e`, tenantId === null ? EVERY : sql`${tenantId}::uuid`)}
      group by tenant_id order by tenant_id`),
  );
  return new Map(rows.map((row) => [row.tenant_id, Number(row.n)]));
}

/**
 * Removes entries, their idempotency keys and their counts: whole past months at once, everything else in batches, each in
 * a transaction of its own together with the entry that records it, so that an interrupted run leaves nothing half done
 * and the next one continues. Sequence numbers and leaf hashes stay: proofs still hold.
 */
export async function removeEntries(database: OwnerDatabase, retention: Retention): Promise<EntriesByTenant> {
  const removed: EntriesByTenant = new Map();
  let total = 0;
  await retention.ownEntries.ensureMonth(database);
  const record = async (execute: Execute, removals: TenantRemoval[]) => {
    await recordRemoval(execute, retention.ownEntries, removals, removed, retention);
    return removals;
  };
  const apply = async (execute: Execute, entries: RawBuilder<unknown>) =>
    record(execute, await applyRemoval(execute, entries));
  const remove = async (execute: Execute, tenantId: string, ids: readonly string[]) =>
    database.isDistributed
      ? record(execute, await removeApart(execute, tenantId, ids))
      : apply(
          execute,
          sql`delete from reel_log_entries where tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[])
            returning ${COUNTED_COLUMNS}`,
        );
  const add = (removals: readonly TenantRemoval[]) => {
    for (const { tenantId, entries } of removals)
      removed.set(tenantId, (removed.get(tenantId) ?? 0) + entries);
    total += removals.reduce((sum, { entries }) => sum + entries, 0);
    retention.onRemoved?.(total);
  };
  if (retention.tenantId === null && !database.isDistributed)
    for (const month of await pastMonths(database, retention.before)) {
      const removals = await unlessInUse(database, (execute) => emptyMonth(execute, month, apply));
      if (removals === null) continue;
      add(removals);
      await unlessInUse(database, (execute) => dropEmptyMonth(execute, month));
    }
  for (const tenantId of await tenantsBefore(database, retention)) {
    let after: string | null = idFloor(new Date(0).toISOString());
    while (after !== null) {
      const batch: Batch = await database.transact((execute) =>
        removeBatch(execute, tenantId, after!, retention, remove),
      );
      add(batch.removals);
      after = batch.last;
    }
  }
  if (retention.tenantId === null && database.isDistributed)
    for (const month of await pastMonths(database, retention.before))
      await unlessInUse(database, (execute) => dropEmptyMonth(execute, month));
  return removed;
}

async function tenantsBefore(database: OwnerDatabase, { before, tenantId }: Retention): Promise<string[]> {
  if (tenantId !== null) return [tenantId];
  // Every removable entry has been counted.
  const rows = await database.transact((execute) =>
    execute<{ tenant_id: string }>(sql`
      select distinct tenant_id from reel_log_counts
      where span = 1440 and bucket < ${before.toISOString()}::timestamptz order by tenant_id`),
  );
  return rows.map((row) => row.tenant_id);
}

interface Batch {
  removals: TenantRemoval[];
  /** Id of the last entry removed; null if none is left after it. */
  last: string | null;
}

/** Does all that comes with removing the entries that `entries` selects. */
type ApplyRemoval = (execute: Execute, entries: RawBuilder<unknown>) => Promise<TenantRemoval[]>;

async function removeBatch(
  execute: Execute,
  tenantId: string,
  after: string,
  { before, batch: limit = BATCH }: Retention,
  remove: (execute: Execute, tenantId: string, ids: readonly string[]) => Promise<TenantRemoval[]>,
): Promise<Batch> {
  await lockRetention(execute);
  const old = await execute<{ id: string }>(sql`
    select id from reel_log_entries e
    where tenant_id = ${tenantId}::uuid and id > ${after}::uuid and id < ${idFloor(before.toISOString())}::uuid
      and ${isRemovable(sql`e`, sql`${tenantId}::uuid`)}
    order by id limit ${limit}`);
  const ids = old.map((row) => row.id);
  if (ids.length === 0) return { removals: [], last: null };
  const removals = await remove(execute, tenantId, ids);
  return { removals, last: ids.length < limit ? null : ids.at(-1)! };
}

/** Name of a month's partition, which reel_ensure_month created. */
type Month = `reel_log_entries_${string}`;

async function pastMonths(database: OwnerDatabase, before: Date): Promise<Month[]> {
  const rows = await database.transact((execute) =>
    execute<{ name: Month }>(sql`
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'reel_log_entries'::regclass and c.relname ~ '^reel_log_entries_[0-9]{6}$'
        and (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'UTC' <= ${before.toISOString()}::timestamptz
      order by c.relname`),
  );
  return rows.map((row) => row.name);
}

/** null, and nothing done, if an entry of the month stays. */
async function emptyMonth(
  execute: Execute,
  month: Month,
  apply: ApplyRemoval,
): Promise<TenantRemoval[] | null> {
  const table = sql.table(month);
  await execute(sql`set local lock_timeout = '2s'`);
  await lockRetention(execute);
  await execute(sql`lock table ${table} in share row exclusive mode`);
  for (const isExempt of EXEMPTIONS) {
    const [exempt] = await execute(sql`select from ${table} e where ${isExempt(sql`e`, EVERY)} limit 1`);
    if (exempt) return null;
  }
  const removals = await apply(execute, sql`select ${COUNTED_COLUMNS} from ${table}`);
  await execute(sql`truncate ${table}`);
  return removals;
}

/** An empty partition slows every query without dates a little. The parent is locked first, as writers do. */
async function dropEmptyMonth(execute: Execute, month: Month): Promise<void> {
  const table = sql.table(month);
  await execute(sql`set local lock_timeout = '200ms'`);
  await execute(sql`lock table only reel_log_entries in access exclusive mode`);
  const [row] = await execute(sql`select 1 from ${table} limit 1`);
  if (!row) await execute(sql`drop table ${table}`);
}

/** SQLSTATE lock_not_available and deadlock_detected, since others use the table, and undefined_table, since it was dropped meanwhile. */
const IN_USE = new Set(['55P03', '40P01', '42P01']);

/** null if others use the month; batches then remove what is left. */
async function unlessInUse<T>(
  database: OwnerDatabase,
  work: (execute: Execute) => Promise<T>,
): Promise<T | null> {
  try {
    return await database.transact(work);
  } catch (error) {
    if (IN_USE.has((error as { code?: string }).code ?? '')) return null;
    throw error;
  }
}
