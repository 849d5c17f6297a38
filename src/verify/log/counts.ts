import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { instant } from '../../log/entry/instant.js';
import { SEVERITIES } from '../../log/entry/severity.js';
import { idFloor } from '../../log/filter/where.js';
import { STORED_COUNTS } from '../../log/stats/stored-counts.js';
import { SPAN_MINUTES } from '../../log/stats/time-spans.js';
import type { Report } from '../fault.js';
import { sequenceAfter } from './sequence-rows.js';

const COARSER = [SPAN_MINUTES.day, SPAN_MINUTES.block];

/** Marks the row with the number of all entries. */
const TOTAL = -1;

/** The quarters of an hour, summed up. */
const ofSpan = (minutes: number) => sql`
  select ${sql.lit(minutes)} as span, date_bin(make_interval(mins => ${sql.lit(minutes)}), bucket, timestamptz 'epoch') as bucket,
    client_id, module, severity, sum(n) as n
  from quarters group by 1, 2, 3, 4, 5`;

/** Within the range of date_bin: a changed created_at may be anything. */
const CREATED = sql`least(greatest(e.created_at, timestamptz '0001-01-01 00:00:00Z'), timestamptz '9999-12-31 23:59:59Z')`;

export interface WrongCount extends Row {
  span: number;
  bucket: string;
  client_id: string | null;
  module: string;
  severity: number;
  stored: string;
  expected: string;
}

export interface CheckedCounts {
  wrong: WrongCount[];
  /** How many entries there are outside the inbox. */
  entries: number;
}

/** Compares the counts with the entries outside the inbox, but for `extra`, which were never sequenced. */
export async function readCounts(
  execute: Execute,
  tenantId: string,
  extra: readonly string[] = [],
): Promise<CheckedCounts> {
  const rows = await execute<WrongCount>(sql`
    with quarters as materialized (
      select date_bin('15 minutes', ${CREATED}, timestamptz 'epoch') as bucket, e.client_id, e.module, e.severity,
        count(*) as n
      from reel_log_entries e
      where e.tenant_id = ${tenantId}::uuid and not (e.id = any (${extra}::uuid[]))
        and not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4
    ), coarser as (
      ${sql.join(
        COARSER.map((minutes) => ofSpan(minutes)),
        sql` union all `,
      )}
    )
    select span, bucket::text as bucket, client_id, module, severity, sum(stored) as stored, sum(expected) as expected from (
      select span, bucket, client_id, module, severity, count::bigint as stored, 0 as expected from ${STORED_COUNTS} stored
      where tenant_id = ${tenantId}::uuid
      union all select ${SPAN_MINUTES.quarter}, bucket, client_id, module, severity, 0, n from quarters
      union all select span, bucket, client_id, module, severity, 0, n from coarser
    ) both_sides
    group by span, bucket, client_id, module, severity having sum(stored) <> sum(expected)
    union all select ${TOTAL}, null, null, null, null, 0, coalesce(sum(n), 0) from quarters
    order by bucket, span, client_id, module, severity`);
  return {
    wrong: rows.filter(({ span }) => span !== TOTAL),
    entries: Number(rows.find(({ span }) => span === TOTAL)?.expected),
  };
}

export async function reportCounts(
  execute: Execute,
  tenantId: string,
  rows: readonly WrongCount[],
  size: number,
  report: Report,
): Promise<void> {
  for (const row of rows) {
    const bucket = instant(row.bucket);
    report({
      kind: 'count',
      sequence: await sequenceOf(execute, tenantId, row, bucket, size),
      detail:
        `${row.span === 15 ? 'the quarter of an hour' : row.span === 1440 ? 'the day' : `the ${row.span} minutes`}` +
        ` from ${bucket}, module ${row.module}, severity ${SEVERITIES[row.severity] ?? row.severity}, ` +
        `client ${row.client_id ?? 'none'}: expected ${row.expected}, got ${row.stored}`,
    });
  }
}

/** Of the first entry that is counted there or, if there is none, that is newer. */
async function sequenceOf(
  execute: Execute,
  tenantId: string,
  row: WrongCount,
  bucket: string,
  size: number,
): Promise<number> {
  // A changed bucket may be one that no entry can have.
  if (Number.isNaN(Date.parse(bucket))) return size;
  const from = idFloor(bucket);
  const until = idFloor(bucket, row.span * 60_000);
  const [found] = await execute<{ seq: string }>(sql`
    select s.seq from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
    where e.tenant_id = ${tenantId}::uuid and e.id >= ${from}::uuid and e.id < ${until}::uuid
      and e.module = ${row.module} and e.severity = ${row.severity} and e.client_id is not distinct from ${row.client_id}::uuid
    order by e.id limit 1`);
  return found ? Number(found.seq) : sequenceAfter(execute, tenantId, from, size);
}
