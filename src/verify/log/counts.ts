import { sql } from 'kysely';
import type { Row, Run } from '../../database/run.js';
import { instant } from '../../log/entry/instant.js';
import { SEVERITIES } from '../../log/entry/severity.js';
import { idFloor } from '../../log/filter/where.js';
import { SPAN_MINUTES } from '../../log/stats/time-spans.js';
import type { Report } from '../fault.js';
import { placeBefore } from './stored-order.js';

const COARSER = [SPAN_MINUTES.day, SPAN_MINUTES.block];

/** What the row of all entries has for a span. */
const ALL = -1;

/** The quarters of an hour put together. */
const ofSpan = (minutes: number) => sql`
  select ${sql.lit(minutes)} as span, date_bin(make_interval(mins => ${sql.lit(minutes)}), bucket, timestamptz 'epoch') as bucket,
    client_id, module, severity, sum(n) as n
  from quarters group by 1, 2, 3, 4, 5`;

/** Somebody may have put an entry further off than intervals reach. */
const CREATED = sql`least(greatest(e.created_at, timestamptz '0001-01-01 00:00:00Z'), timestamptz '9999-12-31 23:59:59Z')`;

export interface WrongCount extends Row {
  span: number;
  bucket: string;
  client_id: string | null;
  module: string;
  severity: number;
  kept: string;
  real: string;
}

export interface CheckedCounts {
  /** Counts that are others than those of the entries. */
  wrong: WrongCount[];
  /** How many entries there are that do not wait for their place. */
  entries: number;
}

/** Compares the counts with the entries that do not wait for their place, without `extras`, which have none by rights. */
export async function readCounts(
  run: Run,
  tenantId: string,
  extras: readonly string[] = [],
): Promise<CheckedCounts> {
  const rows = await run<WrongCount>(sql`
    with quarters as materialized (
      select date_bin('15 minutes', ${CREATED}, timestamptz 'epoch') as bucket, e.client_id, e.module, e.severity,
        count(*) as n
      from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and not (e.id = any (${extras}::uuid[]))
        and not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4
    ), coarser as (
      ${sql.join(
        COARSER.map((minutes) => ofSpan(minutes)),
        sql` union all `,
      )}
    )
    select span, bucket::text as bucket, client_id, module, severity, sum(kept) as kept, sum(real) as real from (
      select span, bucket, client_id, module, severity, count::bigint as kept, 0 as real from reel_log_counts
      where tenant_id = ${tenantId}::uuid
      union all select ${SPAN_MINUTES.quarter}, bucket, client_id, module, severity, 0, n from quarters
      union all select span, bucket, client_id, module, severity, 0, n from coarser
    ) both_sides
    group by span, bucket, client_id, module, severity having sum(kept) <> sum(real)
    union all select ${ALL}, null, null, null, null, 0, coalesce(sum(n), 0) from quarters
    order by bucket, span, client_id, module, severity`);
  return {
    wrong: rows.filter(({ span }) => span !== ALL),
    entries: Number(rows.find(({ span }) => span === ALL)?.real),
  };
}

export async function tellCounts(
  run: Run,
  tenantId: string,
  rows: readonly WrongCount[],
  size: number,
  report: Report,
): Promise<void> {
  for (const row of rows) {
    const bucket = instant(row.bucket);
    report({
      kind: 'count',
      sequence: await placeOf(run, tenantId, row, bucket, size),
      detail:
        `${row.span === 15 ? 'the quarter of an hour' : row.span === 1440 ? 'the day' : `the ${row.span} minutes`}` +
        ` from ${bucket}, module ${row.module}, severity ${SEVERITIES[row.severity] ?? row.severity}, ` +
        `client ${row.client_id ?? 'none'}: expected ${row.real}, got ${row.kept}`,
    });
  }
}

/** The first entry that is counted there or, where there is none, that is newer. */
async function placeOf(
  run: Run,
  tenantId: string,
  row: WrongCount,
  bucket: string,
  size: number,
): Promise<number> {
  // Somebody may have put a bucket where no entry can be.
  if (Number.isNaN(Date.parse(bucket))) return size;
  const from = idFloor(bucket);
  const until = idFloor(bucket, row.span * 60_000);
  const [found] = await run<{ seq: string }>(sql`
    select s.seq from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
    where e.tenant_id = ${tenantId}::uuid and e.id >= ${from}::uuid and e.id < ${until}::uuid
      and e.module = ${row.module} and e.severity = ${row.severity} and e.client_id is not distinct from ${row.client_id}::uuid
    order by e.id limit 1`);
  return found ? Number(found.seq) : placeBefore(run, tenantId, from, size);
}
