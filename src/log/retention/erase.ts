import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { personalColumns } from '../entry/fields.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { eraseFromSearch } from '../search/erased.js';
import { KEY_DIGEST } from '../write/key-digest.js';
import { isHeld, lockRetention } from './hold.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { OwnEntries, OwnerDatabase } from './own-entries.js';

/** What to erase: all entries of which a person is the actor, or one entry. */
export type ErasureTarget = { actorId: string } | { entryId: string };

export interface Erasure {
  tenantId: string;
  target: ErasureTarget;
  reason: string;
  ownEntries: OwnEntries;
  /** Entries per transaction. */
  batch?: number;
  /** Called after each transaction with the number of entries erased so far. */
  onErased?: (total: number) => void;
}

export interface Erased {
  /** Entries erased now. */
  erased: number;
  erasedBefore: number;
  /** Not erased, since a hold covers them. */
  onHold: number;
  /** Not erased, since in them Reel records holds, removals and erasures. */
  ownAccount: number;
  /** Entries that somebody else made on behalf of the person, and whose identity fields are the other's; not erased. */
  onBehalf: number;
}

const BATCH = 2_000;
const BLANKED = sql.raw(
  personalColumns()
    .map((column) => `${column} = null`)
    .join(', '),
);
const NIL = '00000000-0000-0000-0000-000000000000';

/** Verification relies on them, and they are the evidence of who erased what. */
const isOwnRecord = (entry: RawBuilder<unknown>) => sql<boolean>`
  (${entry}.module = ${OWN_MODULE} and ${entry}.action = any (${Object.values(OWN_ACTIONS)}::text[]))`;

const matches = (entry: RawBuilder<unknown>, tenantId: string, target: ErasureTarget) => {
  const which =
    'actorId' in target
      ? sql`${entry}.actor_id = ${target.actorId}`
      : sql`${entry}.id = ${target.entryId}::uuid`;
  return sql<boolean>`${entry}.tenant_id = ${tenantId}::uuid and ${which}`;
};

/**
 * Blanks identity fields, data and salts of entries and leaves their digests, so that every proof still holds; in
 * batches, each in a transaction of its own together with an entry that records who, why and how many. Entries on hold are
 * left. Run again, it continues where it was interrupted, and does nothing if nothing is left.
 */
export async function eraseEntries(database: OwnerDatabase, erasure: Erasure): Promise<Erased> {
  await erasure.ownEntries.ensureMonth(database);
  const { batch = BATCH } = erasure;
  let erased = 0;
  // The second pass is for entries committed behind the first one; no third, since the person may go on acting.
  for (let pass = 0; pass < 2; pass += 1) {
    let ids: string[] = [];
    do {
      const after = ids.at(-1) ?? NIL;
      ids = await database.transact((execute) =>
        eraseBatch(execute, erasure, { after, limit: batch, erased }),
      );
      erased += ids.length;
      if (ids.length > 0) erasure.onErased?.(erased);
    } while (ids.length === batch);
  }
  const left = await database.transact((execute) => countLeft(execute, erasure));
  return { erased, ...left, erasedBefore: left.erasedBefore - erased };
}

/** Returns the ids of the entries that it erased, in order. `erased`: how many the run erased before. */
async function eraseBatch(
  execute: Execute,
  { tenantId, target, reason, ownEntries }: Erasure,
  { after, limit, erased }: { after: string; limit: number; erased: number },
): Promise<string[]> {
  await lockRetention(execute);
  const e = sql`e`;
  const rows = await execute<{ id: string }>(sql`
    select e.id from reel_log_entries e
    where ${matches(e, tenantId, target)} and e.id > ${after}::uuid and e.erased_at is null and not ${isHeld(e)} and not ${isOwnRecord(e)}
    order by e.id limit ${limit}`);
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const { at } = await ownEntries.write(execute, {
    action: OWN_ACTIONS.erase,
    tenantId,
    resourceType: 'actorId' in target ? 'actor' : 'log',
    resourceId: 'actorId' in target ? target.actorId : target.entryId,
    data: (erasedAt) => ({ reason, erasedAt, entries: ids.length, entriesOfRun: erased + ids.length }),
  });
  // The hash is of what was said, without a salt: who guesses that could tell. An empty one is like no content, so that
  // the same request sent again is refused and not stored anew.
  await execute(sql`
    update reel_log_keys set content_hash = '' where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`);
  await execute(sql`
    update reel_log_entries e set ${BLANKED}, erased_at = ${at}::timestamptz,
      key_digest = (select ${KEY_DIGEST} from reel_log_keys k where k.tenant_id = e.tenant_id and k.entry_id = e.id)
    where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
  await eraseFromSearch(execute, tenantId, ids);
  return ids;
}

async function countLeft(execute: Execute, { tenantId, target }: Erasure): Promise<Omit<Erased, 'erased'>> {
  const e = sql`e`;
  const onBehalf =
    'actorId' in target
      ? sql`(select count(*) from reel_log_entries e where e.tenant_id = ${tenantId}::uuid
          and e.on_behalf_of_id = ${target.actorId} and e.actor_id is distinct from ${target.actorId}::text and e.erased_at is null)`
      : sql`0`;
  const [row] = await execute<{
    erased_before: string;
    on_hold: string;
    own_account: string;
    on_behalf: string;
  }>(sql`
    select count(*) filter (where e.erased_at is not null) as erased_before,
      count(*) filter (where e.erased_at is null and ${isOwnRecord(e)}) as own_account,
      count(*) filter (where e.erased_at is null and not ${isOwnRecord(e)} and ${isHeld(e)}) as on_hold,
      ${onBehalf} as on_behalf
    from reel_log_entries e where ${matches(e, tenantId, target)}`);
  return {
    erasedBefore: Number(row?.erased_before ?? 0),
    onHold: Number(row?.on_hold ?? 0),
    ownAccount: Number(row?.own_account ?? 0),
    onBehalf: Number(row?.on_behalf ?? 0),
  };
}
