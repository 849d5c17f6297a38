import { type RawBuilder, sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { COUNT_TABLES, COUNTED_COLUMNS, changeCounts, countChanges } from '../counts/stored-counts.js';
import { SPAN_MINUTES } from '../counts/time-spans.js';
import { reindexRemoved, type SequenceRange } from '../search/groups.js';
import { insertion } from '../write/insertion.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { OwnEntries } from './own-entries.js';

const SPANS = Object.values(SPAN_MINUTES);

/** How many entries of one tenant were removed. */
export interface TenantRemoval {
  tenantId: string;
  entries: number;
}

interface RemovalRow extends Row {
  tenant_id: string;
  n: string;
  first: string;
  last: string;
  ranges: SequenceRange[] | null;
}

/**
 * Aggregate over seq and entry_id of positions, the rows named `s`, since a removed entry no longer shows whether its id was
 * changed. XOR of the first 64 bits of a SHA-256 of each, so that adjacent ranges join without being read again.
 */
export const POSITIONS_DIGEST: RawBuilder<string> = sql<string>`
  bit_xor(('x' || left(encode(sha256(convert_to(s.seq || ' ' || s.entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint)`;

/**
 * Deletes the idempotency keys of removed entries, subtracts the entries from the counts and the search index, and records
 * the positions that they leave empty; `removed` selects them. The counts are updated in the sequencer's order, so that the two cannot deadlock.
 */
export async function applyRemoval(execute: Execute, removed: RawBuilder<unknown>): Promise<TenantRemoval[]> {
  const rows = await execute<RemovalRow>(sql`
    with removed as materialized (${removed}),
    keys as (
      delete from reel_log_keys k using removed where k.tenant_id = removed.tenant_id and k.entry_id = removed.id
    ),
    positions as (
      insert into reel_log_removals (tenant_id, first_seq, last_seq, places_digest)
      select tenant_id, min(seq), max(seq), ${POSITIONS_DIGEST} from (
        select s.tenant_id, s.seq, s.entry_id, s.seq - row_number() over (partition by s.tenant_id order by s.seq) as island
        from removed join reel_log_sequence s on s.tenant_id = removed.tenant_id and s.entry_id = removed.id
      ) s group by tenant_id, island
      on conflict do nothing returning tenant_id, first_seq, last_seq
    ),
    ${changeCounts(sql`removed`, -1)}
    select tenant_id, count(*) as n, min(created_at)::text as first, max(created_at)::text as last,
      (select json_agg(json_build_array(p.first_seq, p.last_seq)) from positions p where p.tenant_id = removed.tenant_id) as ranges
    from removed group by tenant_id order by tenant_id`);
  const tenants = rows.map((row) => row.tenant_id);
  // A row of the counts also means that there is something to find.
  for (const table of COUNT_TABLES)
    await execute(sql`
      delete from ${sql.table(table)} c
      using unnest(${tenants}::uuid[], ${rows.map((row) => row.first)}::timestamptz[],
        ${rows.map((row) => row.last)}::timestamptz[]) g(tenant_id, first, last)
      where c.tenant_id = g.tenant_id and c.span = any (${SPANS}::smallint[]) and c.count = 0
        and c.bucket >= date_bin(make_interval(mins => c.span), g.first, timestamptz 'epoch') and c.bucket <= g.last`);
  await joinRanges(execute, tenants);
  for (const row of rows) await reindexRemoved(execute, row.tenant_id, row.ranges ?? []);
  return rows.map((row) => ({ tenantId: row.tenant_id, entries: Number(row.n) }));
}

/**
 * Removes one tenant's entries, and does what applyRemoval does, in statements that concern this tenant and change one table each; they may
 * not be waiting to be sealed.
 */
export async function removeApart(
  execute: Execute,
  tenantId: string,
  ids: readonly string[],
): Promise<TenantRemoval[]> {
  const ofThese = sql`tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[])`;
  const entries = sql`(select ${COUNTED_COLUMNS} from reel_log_entries where ${ofThese})`;
  const [found] = await execute<{ n: string; first: string; last: string }>(sql`
    select count(*) as n, min(created_at)::text as first, max(created_at)::text as last from ${entries} e`);
  if (!found || Number(found.n) === 0) return [];
  const ranges = await execute<{ first_seq: string; last_seq: string }>(sql`
    insert into reel_log_removals (tenant_id, first_seq, last_seq, places_digest)
    select s.tenant_id, min(s.seq), max(s.seq), ${POSITIONS_DIGEST} from (
      select tenant_id, seq, entry_id, seq - row_number() over (order by seq) as island from reel_log_sequence
      where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])
    ) s group by s.tenant_id, s.island
    on conflict do nothing returning first_seq, last_seq`);
  await execute(sql`
    delete from reel_log_keys where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`);
  for (const statement of countChanges(entries, -1)) await execute(statement);
  await execute(sql`delete from reel_log_entries where ${ofThese}`);
  for (const table of COUNT_TABLES)
    for (const span of SPANS)
      await execute(sql`
        delete from ${sql.table(table)} where tenant_id = ${tenantId}::uuid and span = ${span} and count = 0
          and bucket >= ${found.first}::timestamptz - make_interval(mins => ${span}) and bucket <= ${found.last}::timestamptz`);
  await joinRangesOf(execute, tenantId);
  await reindexRemoved(
    execute,
    tenantId,
    ranges.map(({ first_seq, last_seq }) => [Number(first_seq), Number(last_seq)]),
  );
  return [{ tenantId, entries: Number(found.n) }];
}

interface RangeRow extends Row {
  first_seq: string;
  last_seq: string;
  places_digest: string;
}

/** As joinRanges for one tenant. */
async function joinRangesOf(execute: Execute, tenantId: string): Promise<void> {
  const adjacent = await execute<RangeRow>(sql`
    delete from reel_log_removals r where r.tenant_id = ${tenantId}::uuid and (
      exists (select from reel_log_removals o where o.tenant_id = ${tenantId}::uuid and o.last_seq = r.first_seq - 1)
      or exists (select from reel_log_removals o where o.tenant_id = ${tenantId}::uuid and o.first_seq = r.last_seq + 1)
    ) returning first_seq, last_seq, places_digest`);
  const joined: { first: number; last: number; digest: bigint }[] = [];
  for (const row of adjacent.toSorted((a, b) => Number(a.first_seq) - Number(b.first_seq))) {
    const [first, last] = [Number(row.first_seq), Number(row.last_seq)];
    const before = joined.at(-1);
    if (before && before.last + 1 === first) {
      before.last = last;
      before.digest ^= BigInt(row.places_digest);
    } else joined.push({ first, last, digest: BigInt(row.places_digest) });
  }
  if (joined.length > 0)
    await execute(
      insertion(
        'reel_log_removals',
        ['tenant_id', 'first_seq', 'last_seq', 'places_digest'],
        joined.map(({ first, last, digest }) => [tenantId, first, last, String(digest)]),
      ),
    );
}

/** Joins adjacent ranges, so that years of daily cleanups are a handful of rows. */
async function joinRanges(execute: Execute, tenants: readonly string[]): Promise<void> {
  await execute(sql`
    with adjacent as (
      delete from reel_log_removals r where tenant_id = any (${tenants}::uuid[]) and (
        exists (select from reel_log_removals o where o.tenant_id = r.tenant_id and o.last_seq = r.first_seq - 1)
        or exists (select from reel_log_removals o where o.tenant_id = r.tenant_id and o.first_seq = r.last_seq + 1)
      ) returning tenant_id, first_seq, last_seq, places_digest
    ),
    edges as (
      select *, first_seq is distinct from 1 + lag(last_seq) over (partition by tenant_id order by first_seq) as is_first
      from adjacent
    ),
    joined as (
      select *, count(*) filter (where is_first) over (partition by tenant_id order by first_seq) as island from edges
    )
    insert into reel_log_removals (tenant_id, first_seq, last_seq, places_digest)
    select tenant_id, min(first_seq), max(last_seq), bit_xor(places_digest) from joined group by tenant_id, island`);
}

export interface RemovalReason {
  /** Entries created before this instant were removed. */
  before: Date;
  reason: string;
}

/** Records in each tenant's trail how many of its entries this transaction removed. `earlier`: by tenant, how many the run removed before. */
export async function recordRemoval(
  execute: Execute,
  ownEntries: OwnEntries,
  removals: readonly TenantRemoval[],
  earlier: ReadonlyMap<string, number>,
  { before, reason }: RemovalReason,
): Promise<void> {
  for (const { tenantId, entries } of removals) {
    const [row] = await execute<{ positions: string | null }>(sql`
      select sum(last_seq - first_seq + 1) as positions from reel_log_removals where tenant_id = ${tenantId}::uuid`);
    await ownEntries.write(execute, {
      action: OWN_ACTIONS.cleanup,
      tenantId,
      resourceType: 'log',
      resourceId: null,
      data: () => ({
        reason,
        before: before.toISOString(),
        entries,
        entriesOfRun: entries + (earlier.get(tenantId) ?? 0),
        emptyPlaces: Number(row?.positions ?? 0),
      }),
    });
  }
}
