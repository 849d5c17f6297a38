import { type RawBuilder, sql } from 'kysely';
import type { Run } from '../../database/run.js';
import { personalColumns } from '../entry/fields.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { KEY_DIGEST } from '../write/key-digest.js';
import { isHeld, lockRetention } from './hold.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { Account, OwnerDatabase } from './own-entry.js';

/** Whose personal data goes: everything that a person did, or one entry. */
export type ErasureOf = { actorId: string } | { entryId: string };

export interface Erasure {
  tenantId: string;
  of: ErasureOf;
  reason: string;
  account: Account;
  /** Entries of one transaction. */
  batch?: number;
  /** Told after each transaction how many are erased so far. */
  onErased?: (sofar: number) => void;
}

export interface Erased {
  /** Entries erased now. */
  erased: number;
  erasedBefore: number;
  /** Left, since a hold covers them. */
  onHold: number;
  /** Left, since they are Reel's own account of holds, removals and erasures. */
  ownAccount: number;
  /** Entries that were made on behalf of the person by somebody else, whose identity they carry; left. */
  onBehalf: number;
}

const BATCH = 2_000;
const BLANKED = sql.raw(
  personalColumns()
    .map((column) => `${column} = null`)
    .join(', '),
);
const NIL = '00000000-0000-0000-0000-000000000000';

/** What verification goes by, and what shows that an erasure was by rights. */
const isOwnAccount = (entry: RawBuilder<unknown>) => sql<boolean>`
  (${entry}.module = ${OWN_MODULE} and ${entry}.action = any (${Object.values(OWN_ACTIONS)}::text[]))`;

const matches = (entry: RawBuilder<unknown>, tenantId: string, of: ErasureOf) => {
  const which =
    'actorId' in of ? sql`${entry}.actor_id = ${of.actorId}` : sql`${entry}.id = ${of.entryId}::uuid`;
  return sql<boolean>`${entry}.tenant_id = ${tenantId}::uuid and ${which}`;
};

/**
 * Blanks identity fields, data and salts of entries and leaves their digests, so that every proof still holds; in
 * batches, each in a transaction of its own together with an entry that says who, why and how many. What is on hold
 * stays. Done again it goes on where it was broken off, and does nothing where nothing is left.
 */
export async function eraseEntries(database: OwnerDatabase, erasure: Erasure): Promise<Erased> {
  await erasure.account.open(database);
  const { batch = BATCH } = erasure;
  let erased = 0;
  // The second time for what was committed meanwhile behind the first walk; not longer, since the person may go on acting.
  for (let walk = 0; walk < 2; walk += 1) {
    let ids: string[] = [];
    do {
      const after = ids.at(-1) ?? NIL;
      ids = await database.transact((run) => eraseBatch(run, erasure, { after, most: batch, sofar: erased }));
      erased += ids.length;
      if (ids.length > 0) erasure.onErased?.(erased);
    } while (ids.length === batch);
  }
  const left = await database.transact((run) => countLeft(run, erasure));
  return { erased, ...left, erasedBefore: left.erasedBefore - erased };
}

/** Answers the ids of what it erased, in order. */
async function eraseBatch(
  run: Run,
  { tenantId, of, reason, account }: Erasure,
  { after, most, sofar }: { after: string; most: number; sofar: number },
): Promise<string[]> {
  await lockRetention(run);
  const e = sql`e`;
  const rows = await run<{ id: string }>(sql`
    select e.id from reel_log_entries e
    where ${matches(e, tenantId, of)} and e.id > ${after}::uuid and e.erased_at is null and not ${isHeld(e)} and not ${isOwnAccount(e)}
    order by e.id limit ${most}`);
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const { at } = await account.write(run, {
    action: OWN_ACTIONS.erase,
    tenantId,
    resourceType: 'actorId' in of ? 'actor' : 'log',
    resourceId: 'actorId' in of ? of.actorId : of.entryId,
    data: (erasedAt) => ({ reason, erasedAt, entries: ids.length, entriesOfRun: sofar + ids.length }),
  });
  // The hash is of what was said, without a salt: who guesses that could tell. An empty one is like no content, so that
  // the same request sent again is refused and not stored anew.
  await run(sql`
    update reel_log_keys set content_hash = '' where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`);
  await run(sql`
    update reel_log_entries e set ${BLANKED}, erased_at = ${at}::timestamptz,
      key_digest = (select ${KEY_DIGEST} from reel_log_keys k where k.tenant_id = e.tenant_id and k.entry_id = e.id)
    where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
  return ids;
}

async function countLeft(run: Run, { tenantId, of }: Erasure): Promise<Omit<Erased, 'erased'>> {
  const e = sql`e`;
  const onBehalf =
    'actorId' in of
      ? sql`(select count(*) from reel_log_entries e where e.tenant_id = ${tenantId}::uuid
          and e.on_behalf_of_id = ${of.actorId} and e.actor_id is distinct from ${of.actorId}::text and e.erased_at is null)`
      : sql`0`;
  const [row] = await run<{
    erased_before: string;
    on_hold: string;
    own_account: string;
    on_behalf: string;
  }>(sql`
    select count(*) filter (where e.erased_at is not null) as erased_before,
      count(*) filter (where e.erased_at is null and ${isOwnAccount(e)}) as own_account,
      count(*) filter (where e.erased_at is null and not ${isOwnAccount(e)} and ${isHeld(e)}) as on_hold,
      ${onBehalf} as on_behalf
    from reel_log_entries e where ${matches(e, tenantId, of)}`);
  return {
    erasedBefore: Number(row?.erased_before ?? 0),
    onHold: Number(row?.on_hold ?? 0),
    ownAccount: Number(row?.own_account ?? 0),
    onBehalf: Number(row?.on_behalf ?? 0),
  };
}
