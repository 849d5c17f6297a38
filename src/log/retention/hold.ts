import { type RawBuilder, sql } from 'kysely';
import { v7 } from 'uuid';
import type { Execute, Row } from '../../database/execute.js';
import { instant } from '../entry/instant.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { OwnEntries, OwnerDatabase } from './own-entries.js';

/** What a legal hold covers: a tenant's entries, those created within the times and of the actor where these are named. */
export interface HoldTerms {
  tenantId: string;
  reason: string;
  /** `…Z` with six digits, both inclusive; null: open. */
  from: string | null;
  to: string | null;
  /** Who acted or was acted for. */
  actorId: string | null;
}

export interface Hold extends HoldTerms {
  id: string;
  createdAt: string;
  /** null: in force. */
  releasedAt: string | null;
}

/** An arbitrary key of the advisory lock that serializes removals, erasures and new holds. */
const RETENTION_LOCK = 7_237_535;

/**
 * To be called first in every transaction that removes, erases or adds a hold, so that a removal or erasure sees every hold
 * that was there when it began. Waits for other such transactions.
 */
export async function lockRetention(execute: Execute): Promise<void> {
  await execute(sql`select pg_advisory_xact_lock(${RETENTION_LOCK})`);
}

/** Whether a hold covers the entry, `entry` being its row and `tenant` its tenant. */
export const isHeld = (
  entry: RawBuilder<unknown>,
  tenant: RawBuilder<unknown>,
): RawBuilder<boolean> => sql<boolean>`
  exists (select from reel_log_holds h where h.tenant_id = ${tenant} and h.released_at is null
    and (h.from_at is null or ${entry}.created_at >= h.from_at) and (h.to_at is null or ${entry}.created_at <= h.to_at)
    and (h.actor_id is null or h.actor_id = ${entry}.actor_id or h.actor_id = ${entry}.on_behalf_of_id))`;

export async function addHold(
  database: OwnerDatabase,
  ownEntries: OwnEntries,
  terms: HoldTerms,
): Promise<Hold> {
  await ownEntries.ensureMonth(database);
  return database.transact(async (execute) => {
    await lockRetention(execute);
    const id = v7();
    const { tenantId, reason, from, to, actorId } = terms;
    const { at } = await ownEntries.write(execute, {
      action: OWN_ACTIONS.hold,
      tenantId,
      resourceType: 'hold',
      resourceId: id,
      data: () => ({ reason, from, to, actorId }),
    });
    await execute(sql`
      insert into reel_log_holds (tenant_id, id, reason, from_at, to_at, actor_id, created_at)
      values (${tenantId}::uuid, ${id}::uuid, ${reason}, ${from}::timestamptz, ${to}::timestamptz, ${actorId}, ${at}::timestamptz)`);
    return { id, ...terms, createdAt: at, releasedAt: null };
  });
}

/** Oldest first; of every tenant if none is named. */
export async function listHolds(
  database: OwnerDatabase,
  { tenantId = null, released = false }: { tenantId?: string | null; released?: boolean } = {},
): Promise<Hold[]> {
  const rows = await database.transact((execute) =>
    execute<HoldRow>(sql`
      select ${COLUMNS} from reel_log_holds
      where (${tenantId}::uuid is null or tenant_id = ${tenantId}::uuid) and (${released} or released_at is null)
      order by created_at, id`),
  );
  return rows.map(toHold);
}

/** A tenant's holds, released ones included, oldest first. */
export async function readHolds(execute: Execute, tenantId: string): Promise<Hold[]> {
  const rows = await execute<HoldRow>(sql`
    select ${COLUMNS} from reel_log_holds where tenant_id = ${tenantId}::uuid order by created_at, id`);
  return rows.map(toHold);
}

/** null if there is no such hold; `isNew` is false if it had already been released. */
export async function releaseHold(
  database: OwnerDatabase,
  ownEntries: OwnEntries,
  id: string,
): Promise<{ hold: Hold; isNew: boolean } | null> {
  await ownEntries.ensureMonth(database);
  return database.transact(async (execute) => {
    const [tenant] = await execute<{ tenant_id: string }>(
      sql`select tenant_id from reel_log_holds where id = ${id}::uuid`,
    );
    if (!tenant) return null;
    const [row] = await execute<HoldRow>(
      sql`select ${COLUMNS} from reel_log_holds where tenant_id = ${tenant.tenant_id}::uuid and id = ${id}::uuid for update`,
    );
    if (!row) return null;
    const hold = toHold(row);
    if (hold.releasedAt !== null) return { hold, isNew: false };
    const { tenantId, reason, from, to, actorId } = hold;
    const { at } = await ownEntries.write(execute, {
      action: OWN_ACTIONS.release,
      tenantId,
      resourceType: 'hold',
      resourceId: id,
      data: () => ({ reason, from, to, actorId, addedAt: hold.createdAt }),
    });
    await execute(
      sql`update reel_log_holds set released_at = ${at}::timestamptz where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`,
    );
    return { hold: { ...hold, releasedAt: at }, isNew: true };
  });
}

const COLUMNS = sql.raw(
  'id, tenant_id, reason, from_at::text as from_at, to_at::text as to_at, actor_id, created_at::text as created_at, released_at::text as released_at',
);

interface HoldRow extends Row {
  id: string;
  tenant_id: string;
  reason: string;
  from_at: string | null;
  to_at: string | null;
  actor_id: string | null;
  created_at: string;
  released_at: string | null;
}

const toHold = (row: HoldRow): Hold => ({
  id: row.id,
  tenantId: row.tenant_id,
  reason: row.reason,
  from: row.from_at && instant(row.from_at),
  to: row.to_at && instant(row.to_at),
  actorId: row.actor_id,
  createdAt: instant(row.created_at),
  releasedAt: row.released_at && instant(row.released_at),
});
