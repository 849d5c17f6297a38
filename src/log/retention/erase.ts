import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { changeActors } from '../counts/stored-counts.js';
import { foldEmail } from '../entry/email.js';
import { personalColumns } from '../entry/fields.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { lockSealing } from '../sealing-lock.js';
import { eraseFromSearch } from '../search/erased.js';
import { hashKeptContent, KEPT_COLUMNS, readKeptContent } from '../write/kept-content.js';
import { KEY_DIGEST } from '../write/key-digest.js';
import { eraseAnswers, eraseFromStreams } from './erased-streams.js';
import { ErasedValues } from './erased-values.js';
import { eraseFromViews, eraseViewsOf } from './erased-views.js';
import { addValuesOf, type ErasureTarget, isActor, isTarget, targetResource } from './erasure-target.js';
import { isHeld, lockRetention } from './hold.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { OwnEntries, OwnerDatabase } from './own-entries.js';
import { readRecordsNaming } from './read-records.js';

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
  /** Entries of the target that were erased now, and in how many of them the person acted, and was acted for. */
  erased: number;
  asActor: number;
  onBehalf: number;
  /** Records of reading that were erased since they name what was erased. */
  records: number;
  /** By an earlier run; unknown, and 0, of an e-mail address. */
  erasedBefore: number;
  /** Not erased, since a hold covers them. */
  onHold: number;
  /** Not erased, since in them Reel records holds, removals and erasures. */
  ownAccount: number;
  /** Ids of streams whose settings name what was erased, which stay as they are. */
  streams: string[];
}

const BATCH = 2_000;
const PAGE = 500;
/** Values that are looked for at once. */
const MAX_VALUES = 100_000;
const BLANKED = sql.raw(
  personalColumns()
    .map((column) => `${column} = null`)
    .join(', '),
);
const NIL = '00000000-0000-0000-0000-000000000000';

/** Verification relies on them, and they are the evidence of who erased what. */
const isOwnRecord = (entry: RawBuilder<unknown>) => sql<boolean>`
  (${entry}.module = ${OWN_MODULE} and ${entry}.action = any (${Object.values(OWN_ACTIONS)}::text[]))`;

const isErasable = (entry: RawBuilder<unknown>, tenantId: string) => sql<boolean>`
  (${entry}.erased_at is null and not ${isHeld(entry, sql`${tenantId}::uuid`)} and not ${isOwnRecord(entry)})`;

/** A row of reel_log_entries. */
const e = sql`e`;

/**
 * Blanks identity fields, data and salts of entries and leaves their digests, so that every proof still holds; in
 * batches, each in a transaction of its own together with an entry that records who, why and how many. Records of reading
 * that name what is erased go first: an interrupted run could not tell them any more. Entries on hold are left. Run again,
 * it continues where it was interrupted, and does nothing if nothing is left.
 */
export async function eraseEntries(database: OwnerDatabase, erasure: Erasure): Promise<Erased> {
  await erasure.ownEntries.ensureMonth(database);
  const run = new ErasureRun(database, erasure);
  // The second pass is for entries committed behind the first one; no third, since the person may go on acting.
  for (let pass = 0; pass < 2; pass += 1) {
    await run.eraseRecords();
    await run.eraseTarget();
  }
  return run.result();
}

class ErasureRun {
  private asActor = 0;
  private onBehalf = 0;
  private records = 0;
  private readonly heldRecords = new Set<string>();
  private readonly namingStreams = new Set<string>();

  constructor(
    private readonly database: OwnerDatabase,
    private readonly erasure: Erasure,
  ) {}

  private get erased(): number {
    return this.asActor + this.onBehalf;
  }

  /** Erases the records of reading, streams and views that name what the target's entries hold, and takes it out of streams and views. */
  async eraseRecords(): Promise<void> {
    const { tenantId, target } = this.erasure;
    let values = new ErasedValues();
    if ('email' in target) values.addIdentity(target.email);
    let after: string | null = NIL;
    while (after !== null) {
      after = await this.database.transact((execute) =>
        addValuesOf(execute, values, this.erasure, {
          where: isErasable(e, tenantId),
          after: after!,
          limit: PAGE,
        }),
      );
      if (after !== null && values.size < MAX_VALUES) continue;
      if (values.size > 0) await this.eraseRecordsNaming(values);
      values = new ErasedValues();
    }
  }

  private async eraseRecordsNaming(values: ErasedValues): Promise<void> {
    const { tenantId, batch = BATCH } = this.erasure;
    const naming = await this.database.transact((execute) => eraseFromStreams(execute, tenantId, values));
    for (const id of naming) this.namingStreams.add(id);
    await this.database.transact((execute) => eraseFromViews(execute, tenantId, values));
    let after: string | null = NIL;
    while (after !== null) {
      after = await this.database.transact(async (execute) => {
        await lockRetention(execute);
        const page = await readRecordsNaming(execute, tenantId, values, { after: after!, limit: batch });
        if (page.named.length === 0) return page.last;
        const rows = await execute<{ id: string }>(sql`
          select e.id from reel_log_entries e
          where e.tenant_id = ${tenantId}::uuid and e.id = any (${page.named}::uuid[]) and ${isErasable(e, tenantId)} order by e.id`);
        const ids = rows.map(({ id }) => id);
        for (const id of page.named) if (!ids.includes(id)) this.heldRecords.add(id);
        await this.blank(execute, ids);
        this.records += ids.length;
        return page.last;
      });
      this.erasure.onErased?.(this.erased + this.records);
    }
  }

  /** Erases the target's entries, and the views that are theirs alone. */
  async eraseTarget(): Promise<void> {
    const { tenantId, target, batch = BATCH } = this.erasure;
    await this.database.transact((execute) => eraseViewsOf(execute, tenantId, target));
    let after: string | null = NIL;
    while (after !== null) {
      const rows = await this.database.transact(async (execute) => {
        await lockRetention(execute);
        const found = await execute<{ id: string; is_actor: boolean }>(sql`
          select e.id, ${isActor(e, target)} as is_actor from reel_log_entries e
          where ${isTarget(e, tenantId, target)} and e.id > ${after}::uuid and ${isErasable(e, tenantId)}
          order by e.id limit ${batch}`);
        await this.blank(
          execute,
          found.map(({ id }) => id),
        );
        return found;
      });
      for (const { is_actor } of rows)
        if (is_actor) this.asActor += 1;
        else this.onBehalf += 1;
      if (rows.length > 0) this.erasure.onErased?.(this.erased + this.records);
      after = rows.length < batch ? null : rows.at(-1)!.id;
    }
  }

  private async blank(execute: Execute, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { tenantId, target, reason, ownEntries } = this.erasure;
    const entriesOfRun = this.erased + this.records + ids.length;
    const { at } = await ownEntries.write(execute, {
      action: OWN_ACTIONS.erase,
      tenantId,
      ...targetResource(target),
      data: (erasedAt) => ({ reason, erasedAt, entries: ids.length, entriesOfRun }),
    });
    await replaceContentHashes(execute, tenantId, ids);
    // Else the sequencer may count what the entries show until now.
    await lockSealing(execute, tenantId);
    await countActors(execute, tenantId, ids, -1);
    await execute(sql`
      update reel_log_entries e set ${BLANKED}, erased_at = ${at}::timestamptz,
        key_digest = (select ${KEY_DIGEST} from reel_log_keys k where k.tenant_id = ${tenantId}::uuid and k.entry_id = e.id)
      where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])`);
    await countActors(execute, tenantId, ids, 1);
    await eraseFromSearch(execute, tenantId, ids);
    await eraseAnswers(execute, tenantId);
  }

  async result(): Promise<Erased> {
    const { asActor, onBehalf, records, erased } = this;
    const left = await this.database.transact((execute) => countLeft(execute, this.erasure));
    return {
      erased,
      asActor,
      onBehalf,
      records,
      erasedBefore: Math.max(0, left.erasedBefore - erased),
      onHold: left.onHold + this.heldRecords.size,
      ownAccount: left.ownAccount,
      streams: [...this.namingStreams],
    };
  }
}

/** Adds to the counts by actor what the entries show now, or subtracts it; those of the inbox are not counted yet. */
async function countActors(execute: Execute, tenantId: string, ids: readonly string[], by: 1 | -1) {
  const entries = sql`(
    select * from reel_log_entries e where e.tenant_id = ${tenantId}::uuid and e.id = any (${ids}::uuid[])
      and not exists (select from reel_log_inbox i where i.tenant_id = ${tenantId}::uuid and i.entry_id = e.id)
  )`;
  await execute(changeActors(entries, by));
  if (by < 0)
    await execute(sql`
      delete from reel_log_actor_counts where tenant_id = ${tenantId}::uuid and count = 0`);
}

/** The hash with a key is of what was said, without a salt: who guesses that could tell. */
async function replaceContentHashes(execute: Execute, tenantId: string, ids: readonly string[]) {
  const keys = await execute<{ entry_id: string }>(sql`
    select entry_id from reel_log_keys where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`);
  if (keys.length === 0) return;
  const rows = await execute(sql`
    select ${sql.raw(KEPT_COLUMNS)} from reel_log_entries
    where tenant_id = ${tenantId}::uuid and id = any (${keys.map((key) => key.entry_id)}::uuid[])`);
  const entries = rows.map(readKeptContent);
  await execute(sql`
    update reel_log_keys k set content_hash = kept.hash
    from unnest(${entries.map(({ id }) => id)}::uuid[], ${entries.map(hashKeptContent)}::bytea[]) kept(id, hash)
    where k.tenant_id = ${tenantId}::uuid and k.entry_id = kept.id`);
}

type Left = Pick<Erased, 'erasedBefore' | 'onHold' | 'ownAccount'>;

async function countLeft(execute: Execute, { tenantId, target }: Erasure): Promise<Left> {
  const [row] = await execute<{ erased_before: string; on_hold: string; own_account: string }>(sql`
    select count(*) filter (where e.erased_at is not null) as erased_before,
      count(*) filter (where e.erased_at is null and ${isOwnRecord(e)}) as own_account,
      count(*) filter (where e.erased_at is null and not ${isOwnRecord(e)} and ${isHeld(e, sql`${tenantId}::uuid`)}) as on_hold
    from reel_log_entries e where ${isTarget(e, tenantId, target)}`);
  const naming = 'email' in target ? await countNaming(execute, tenantId, target.email) : 0;
  return {
    erasedBefore: Number(row?.erased_before ?? 0),
    onHold: Number(row?.on_hold ?? 0),
    ownAccount: Number(row?.own_account ?? 0) + naming,
  };
}

/** Reel's own records of holds, removals and erasures in whose words the address stands. */
async function countNaming(execute: Execute, tenantId: string, email: string): Promise<number> {
  const [row] = await execute<{ naming: string }>(sql`
    select count(*) as naming from reel_log_entries e
    where e.tenant_id = ${tenantId}::uuid and ${isOwnRecord(e)} and strpos(lower(e.data::text), ${foldEmail(email)}) > 0`);
  return Number(row?.naming ?? 0);
}
