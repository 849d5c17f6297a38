import { type RawBuilder, sql } from 'kysely';
import type { Row, Run } from '../../database/run.js';
import { SPAN_MINUTES } from '../stats/time-spans.js';
import { OWN_ACTIONS } from './own-actions.js';
import type { Account } from './own-entry.js';

const SPANS = Object.values(SPAN_MINUTES);

export interface Gone {
  tenantId: string;
  entries: number;
}

interface GoneRow extends Row {
  tenant_id: string;
  n: string;
  first: string;
  last: string;
}

/**
 * Over the seq and entry_id of places, by the name `s`: what is gone can no longer tell whether its id was changed.
 * The first 64 bits of a SHA-256 each, put together by exclusive or, so that stretches join without being read again.
 */
export const PLACES_DIGEST: RawBuilder<string> = sql<string>`
  bit_xor(('x' || left(encode(sha256(convert_to(s.seq || ' ' || s.entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint)`;

/**
 * Takes the idempotency keys and counts of entries with them, and notes the places that they leave empty; `gone` yields
 * the entries. The counts are touched in the order in which the sequencer touches them, so that the two never wait for
 * each other in a circle.
 */
export async function settle(run: Run, gone: RawBuilder<unknown>): Promise<Gone[]> {
  const rows = await run<GoneRow>(sql`
    with gone as materialized (${gone}),
    keys as (
      delete from reel_log_keys k using gone where k.tenant_id = gone.tenant_id and k.entry_id = gone.id
    ),
    places as (
      insert into reel_log_removals (tenant_id, first_seq, last_seq, places_digest)
      select tenant_id, min(seq), max(seq), ${PLACES_DIGEST} from (
        select s.tenant_id, s.seq, s.entry_id, s.seq - row_number() over (partition by s.tenant_id order by s.seq) as stretch
        from gone join reel_log_sequence s on s.tenant_id = gone.tenant_id and s.entry_id = gone.id
      ) s group by tenant_id, stretch
      on conflict do nothing
    ),
    counted as (
      insert into reel_log_counts as counted (tenant_id, span, bucket, client_id, module, severity, count)
      select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
        e.client_id, e.module, e.severity, -count(*)
      from gone e cross join unnest(${SPANS}::smallint[]) s(span)
      group by e.tenant_id, s.span, bucket, e.client_id, e.module, e.severity
      order by e.tenant_id, s.span, bucket, e.client_id, e.module, e.severity
      on conflict (tenant_id, span, bucket, client_id, module, severity)
      do update set count = counted.count + excluded.count
    )
    select tenant_id, count(*) as n, min(created_at)::text as first, max(created_at)::text as last
    from gone group by tenant_id order by tenant_id`);
  const tenants = rows.map((row) => row.tenant_id);
  // A row of the counts also says that there is something to be found.
  await run(sql`
    delete from reel_log_counts c
    using unnest(${tenants}::uuid[], ${rows.map((row) => row.first)}::timestamptz[],
      ${rows.map((row) => row.last)}::timestamptz[]) g(tenant_id, first, last)
    where c.tenant_id = g.tenant_id and c.span = any (${SPANS}::smallint[]) and c.count = 0
      and c.bucket >= date_bin(make_interval(mins => c.span), g.first, timestamptz 'epoch') and c.bucket <= g.last`);
  await joinStretches(run, tenants);
  return rows.map((row) => ({ tenantId: row.tenant_id, entries: Number(row.n) }));
}

/** Makes one of ranges that touch, so that years of daily cleanups are a handful of rows. */
async function joinStretches(run: Run, tenants: readonly string[]): Promise<void> {
  await run(sql`
    with touching as (
      delete from reel_log_removals r where tenant_id = any (${tenants}::uuid[]) and (
        exists (select from reel_log_removals o where o.tenant_id = r.tenant_id and o.last_seq = r.first_seq - 1)
        or exists (select from reel_log_removals o where o.tenant_id = r.tenant_id and o.first_seq = r.last_seq + 1)
      ) returning tenant_id, first_seq, last_seq, places_digest
    ),
    edges as (
      select *, first_seq is distinct from 1 + lag(last_seq) over (partition by tenant_id order by first_seq) as is_first
      from touching
    ),
    stretches as (
      select *, count(*) filter (where is_first) over (partition by tenant_id order by first_seq) as stretch from edges
    )
    insert into reel_log_removals (tenant_id, first_seq, last_seq, places_digest)
    select tenant_id, min(first_seq), max(last_seq), bit_xor(places_digest) from stretches group by tenant_id, stretch`);
}

export interface RemovalReason {
  /** Entries created before this instant went. */
  before: Date;
  reason: string;
}

/** Writes into each tenant's trail how many of its entries this transaction removed. `sofar`: by tenant, how many the run removed before. */
export async function accountForRemoval(
  run: Run,
  account: Account,
  gone: readonly Gone[],
  sofar: ReadonlyMap<string, number>,
  { before, reason }: RemovalReason,
): Promise<void> {
  if (gone.length === 0) return;
  const rows = await run<{ tenant_id: string; places: string }>(sql`
    select tenant_id, sum(last_seq - first_seq + 1) as places from reel_log_removals
    where tenant_id = any (${gone.map(({ tenantId }) => tenantId)}::uuid[]) group by tenant_id`);
  const places = new Map(rows.map((row) => [row.tenant_id, Number(row.places)]));
  for (const { tenantId, entries } of gone)
    await account.write(run, {
      action: OWN_ACTIONS.cleanup,
      tenantId,
      resourceType: 'log',
      resourceId: null,
      data: () => ({
        reason,
        before: before.toISOString(),
        entries,
        entriesOfRun: entries + (sofar.get(tenantId) ?? 0),
        emptyPlaces: places.get(tenantId) ?? 0,
      }),
    });
}
