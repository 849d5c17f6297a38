import { type RawBuilder, sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import {
  ACTOR_OF,
  STORED_ACTION_COUNTS,
  STORED_ACTOR_COUNTS,
  STORED_COUNTS,
} from '../../log/counts/stored-counts.js';
import { SPAN_MINUTES } from '../../log/counts/time-spans.js';
import { instant } from '../../log/entry/instant.js';
import { SEVERITIES } from '../../log/entry/severity.js';
import { idFloor } from '../../log/filter/where.js';
import { millisecondsOf } from '../../seal/sequence-batch.js';
import type { Report } from '../fault.js';
import { sequenceAfter } from './sequence-rows.js';

/** Reported entries by which wrong counts are explained. */
const MAX_REPORTED = 10_000;

/** Marks the row with the number of all entries. */
const TOTAL = -1;

/** Within the range of date_bin: a changed created_at may be anything. */
const CREATED = sql`least(greatest(e.created_at, timestamptz '0001-01-01 00:00:00Z'), timestamptz '9999-12-31 23:59:59Z')`;

export interface WrongCount extends Row {
  /** In minutes. */
  span: number;
  bucket: string;
  /** What the entries of the count have in common, as it is told. */
  of: string;
  stored: string;
  expected: string;
  /** Of what the entries of a row of reel_log_counts are counted by beside it. */
  is_derived: boolean;
}

export interface CheckedCounts {
  wrong: WrongCount[];
  /** How many entries there are outside the inbox. */
  entries: number;
}

/** Entries outside the inbox, but for `extra`, which were never sequenced. */
const counted = (tenantId: string, extra: readonly string[]) => sql`
  e.tenant_id = ${tenantId}::uuid and not (e.id = any (${extra}::uuid[]))
  and not exists (select from reel_log_inbox i where i.tenant_id = ${tenantId}::uuid and i.entry_id = e.id)`;

const bin = (minutes: number, at: RawBuilder<unknown>) =>
  sql`date_bin(make_interval(mins => ${sql.lit(minutes)}), ${at}, timestamptz 'epoch')`;

/** The rows of one kind of counts: what is stored, and what the finest spans say, summed up for the coarser ones. */
const bothSides = (
  columns: string,
  { stored, finest, spans }: { stored: RawBuilder<unknown>; finest: string; spans: readonly number[] },
) => {
  const [first, ...coarser] = spans;
  const names = sql.raw(columns);
  const from = sql.table(finest);
  return sql`
    select span, bucket, ${names}, sum(stored) as stored, sum(expected) as expected from (
      select span, bucket, ${names}, count::bigint as stored, 0 as expected from ${stored}
      union all select ${sql.lit(first)}, bucket, ${names}, 0, sum(n) from ${from} summed group by bucket, ${names}
      ${sql.join(
        coarser.map(
          (minutes) => sql`
            union all select ${sql.lit(minutes)}, ${bin(minutes, sql`bucket`)} as coarse, ${names}, 0, sum(n)
            from ${from} summed group by coarse, ${names}`,
        ),
        sql` `,
      )}
    ) both_sides group by span, bucket, ${names} having sum(stored) <> sum(expected)`;
};

/** The name of a severity; a changed one may be any number. */
const SEVERITY = sql`coalesce((${SEVERITIES}::text[])[severity + 1], severity::text)`;
const CLIENT = sql`', client ' || coalesce(client_id::text, 'none')`;
/** What the entries of one count have in common, as it is told. */
const OF_MODULE = sql`'module ' || module || ', severity ' || ${SEVERITY} || ${CLIENT}`;
const OF_SEVERITY = sql`'severity ' || ${SEVERITY}`;
const OF_ACTION = sql`'action ' || action || ' of ' || ${OF_MODULE}`;
const OF_ACTOR = (value: RawBuilder<unknown>) => sql`'actor ' || ${value} || ${CLIENT}`;

/** Compares all counts with the entries outside the inbox, but for `extra`, which were never sequenced. */
export async function readCounts(
  execute: Execute,
  tenantId: string,
  extra: readonly string[] = [],
): Promise<CheckedCounts> {
  const stored = (table: RawBuilder<unknown>) => sql`${table} stored where tenant_id = ${tenantId}::uuid`;
  const spans = Object.values(SPAN_MINUTES);
  const rows = await execute<WrongCount>(sql`
    with quarters as materialized (
      select ${bin(SPAN_MINUTES.quarter, CREATED)} as bucket, e.client_id, e.module, e.severity, count(*) as n
      from reel_log_entries e where ${counted(tenantId, extra)} group by 1, 2, 3, 4
    )
    select span, bucket::text as bucket, ${OF_MODULE} as of, stored, expected, false as is_derived
    from (${bothSides('client_id, module, severity', { stored: stored(STORED_COUNTS), finest: 'quarters', spans })}) wrong
    union all
    select span, bucket::text, ${OF_SEVERITY}, stored, expected, true
    from (${bothSides('severity', { stored: stored(sql`reel_log_severity_counts`), finest: 'quarters', spans })}) wrong
    union all select ${TOTAL}, null, '', 0, coalesce(sum(n), 0), false from quarters
    order by bucket, span, of`);
  const longSpans = [SPAN_MINUTES.day, SPAN_MINUTES.block];
  const actions = await execute<WrongCount>(sql`
    with days as materialized (
      select ${bin(SPAN_MINUTES.day, CREATED)} as bucket, e.client_id, e.module, e.action, e.severity, count(*) as n
      from reel_log_entries e where ${counted(tenantId, extra)} group by 1, 2, 3, 4, 5
    )
    select span, bucket::text as bucket, ${OF_ACTION} as of, stored, expected, true as is_derived
    from (${bothSides('client_id, module, action, severity', {
      stored: stored(STORED_ACTION_COUNTS),
      finest: 'days',
      spans: longSpans,
    })}) wrong order by bucket, span, of`);
  const actors = await execute<WrongCount>(sql`
    with days as materialized (
      select ${bin(SPAN_MINUTES.day, CREATED)} as bucket, e.client_id, v.value, v.kind, count(*) as n
      from reel_log_entries e cross join lateral (select coalesce(${ACTOR_OF.value}, '') as value, ${ACTOR_OF.kind} as kind) v
      where ${counted(tenantId, extra)} group by 1, 2, 3, 4
    )
    select span, bucket::text as bucket, ${OF_ACTOR(sql`value`)} as of, stored, expected, true as is_derived
    from (${bothSides('client_id, value, kind', {
      stored: stored(STORED_ACTOR_COUNTS),
      finest: 'days',
      spans: longSpans,
    })}) wrong order by bucket, span, of`);
  return {
    wrong: [...rows.filter(({ span }) => span !== TOTAL), ...actions, ...actors],
    entries: Number(rows.find(({ span }) => span === TOTAL)?.expected),
  };
}

/**
 * `reported`: sequences of entries that were reported themselves. What follows from such an entry for the counts that are
 * derived from it, of its own span, is not told again.
 */
export async function reportCounts(
  execute: Execute,
  tenantId: string,
  rows: readonly WrongCount[],
  { size, reported, report }: { size: number; reported: readonly number[]; report: Report },
): Promise<void> {
  const times = rows.length === 0 ? [] : await timesOf(execute, tenantId, reported.slice(0, MAX_REPORTED));
  for (const row of rows) {
    const bucket = instant(row.bucket);
    const from = Date.parse(bucket);
    if (row.is_derived && times.some((at) => at >= from && at < from + row.span * 60_000)) continue;
    report({
      kind: 'count',
      sequence: await sequenceOf(execute, tenantId, row, bucket, size),
      detail:
        `${row.span === 15 ? 'the quarter of an hour' : row.span === 1440 ? 'the day' : `the ${row.span} minutes`}` +
        ` from ${bucket}, ${row.of}: expected ${row.expected}, got ${row.stored}`,
    });
  }
}

/** Unix milliseconds of entries by their ids, which a changed row still has in its place. */
async function timesOf(execute: Execute, tenantId: string, sequences: readonly number[]): Promise<number[]> {
  const rows = await execute<{ entry_id: string }>(sql`
    select entry_id from reel_log_sequence where tenant_id = ${tenantId}::uuid and seq = any (${sequences}::bigint[])`);
  return rows.map(({ entry_id }) => millisecondsOf(entry_id));
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
    select s.seq from reel_log_entries e join reel_log_sequence s on s.tenant_id = ${tenantId}::uuid and s.entry_id = e.id
    where e.tenant_id = ${tenantId}::uuid and e.id >= ${from}::uuid and e.id < ${until}::uuid
      and ${row.of} in (${OF_MODULE}, ${OF_SEVERITY}, ${OF_ACTION}, ${OF_ACTOR(sql`coalesce(${ACTOR_OF.value}, '')`)})
    order by e.id limit 1`);
  return found ? Number(found.seq) : sequenceAfter(execute, tenantId, from, size);
}
