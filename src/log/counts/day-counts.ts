import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { everyTest, subjectOf } from '../filter/condition.js';
import { type Criteria, isCountableByDay } from '../filter/criteria.js';
import { whereInScope, whereMatches } from '../filter/where.js';
import { highs, lows, rangeOf, uncountedMatches } from './counts.js';
import { ACTOR_KEYS, ACTOR_OF, STORED_ACTION_COUNTS, STORED_ACTOR_COUNTS } from './stored-counts.js';
import {
  BLOCK,
  floorTo,
  SPAN_MINUTES,
  type Span,
  splitTime,
  type TimeRange,
  toTimestamp,
} from './time-spans.js';

const BY_DAY = { largest: 'block', smallest: 'day' } as const;

/** Rows that are read of the counts by action or actor, which may have as many as there are entries. */
const MAX_ROWS = 200_000;

export type ByDay = 'action' | 'actor';

/** How many entries have one value. */
export interface CountedValue {
  value: string | null;
  /** Of an actor: what its value is, as in ACTOR_KEYS. */
  kind: number;
  n: string;
}

const VALUES: Record<
  ByDay,
  {
    readonly stored: RawBuilder<unknown>;
    /** SQL over a stored row, and over an entry's columns. */
    readonly ofStored: RawBuilder<unknown>;
    readonly columns: readonly string[];
    readonly ofEntry: RawBuilder<unknown>;
  }
> = {
  action: {
    stored: STORED_ACTION_COUNTS,
    ofStored: sql`action as value, 0 as kind`,
    columns: ['action'],
    ofEntry: sql`action, 0`,
  },
  actor: {
    stored: STORED_ACTOR_COUNTS,
    ofStored: sql`case when kind = ${sql.lit(ACTOR_KEYS.none)} then null else value end as value, kind`,
    columns: ACTOR_OF.columns,
    ofEntry: sql`${ACTOR_OF.value} collate "C", ${ACTOR_OF.kind}`,
  },
};

/** Whether the counts by a field suffice for the conditions. */
export const isCountedBy = (field: ByDay, criteria: Criteria): boolean =>
  field === 'action'
    ? isCountableByDay(criteria)
    : criteria.conditions.every((condition) =>
        everyTest(condition, (test) => subjectOf(test) === 'clientId'),
      );

/**
 * How many matching entries have each value, if isCountedBy, the most frequent `most` of them; null where over `mostRows` stored
 * counts would have to be summed up.
 */
export async function countValues(
  execute: Execute,
  criteria: Criteria,
  field: ByDay,
  most: number,
  mostRows = MAX_ROWS,
): Promise<CountedValue[] | null> {
  const { stored, ofStored, columns, ofEntry } = VALUES[field];
  // The number of rows that were read is told even where none of them matches.
  const rows = await execute<{ value: string | null; kind: number; n: string | null; of: string }>(sql`
    with stored as materialized (${rowsOf(stored, criteria, wholeDays(criteria), mostRows)})
    select f.*, s.of from (select count(*) as of from stored) s left join (
      select value, min(kind) as kind, sum(n) as n from (
        select ${ofStored}, count as n from stored where ${whereMatches(criteria)}
        union all select ${ofEntry}, n from ${uncountedMatches(criteria, { ...BY_DAY, columns })} uncounted
      ) counted group by value having sum(n) > 0 order by n desc, value nulls last limit ${most}
    ) f on true order by f.n desc, f.value nulls last`);
  if (Number(rows[0]?.of) > mostRows) return null;
  return rows.flatMap(({ value, kind, n }) => (n === null ? [] : [{ value, kind, n }]));
}

/**
 * How many entries match, if isCountableByDay; null where the counts by action do not tell: of a time that begins or ends within
 * a day, or where they are over `mostRows`.
 */
export async function sumDays(
  execute: Execute,
  criteria: Criteria,
  mostRows = MAX_ROWS,
): Promise<number | null> {
  const { from, until } = rangeOf(criteria);
  const ranges = splitTime(from, until, [], BY_DAY.largest, BY_DAY.smallest);
  if (ranges.some(({ span }) => span === 'entry')) return null;
  const [row] = await execute<{ n: string; of: string }>(sql`
    with stored as materialized (${rowsOf(STORED_ACTION_COUNTS, criteria, ranges, mostRows)})
    select coalesce(sum(n), 0) as n, (select count(*) from stored) as of from (
      select count as n from stored where ${whereMatches(criteria)}
      union all select n from ${uncountedMatches(criteria, BY_DAY)} uncounted
    ) counted`);
  return Number(row?.of) > mostRows ? null : Number(row?.n);
}

/** In which days there are entries that may match, and where there are some that are not counted yet. */
export interface MatchingDays {
  /** Unix milliseconds at which they begin, in order. */
  readonly days: readonly number[];
  /** The lowest id; null if there is none. */
  readonly firstUncounted: string | null;
}

/** What the conditions on counted fields leave; null where there are none. */
export async function matchingDays(execute: Execute, criteria: Criteria): Promise<MatchingDays | null> {
  const conditions = criteria.conditions.filter((condition) =>
    isCountableByDay({ ...criteria, conditions: [condition] }),
  );
  if (conditions.length === 0) return null;
  const matches = whereMatches({ ...criteria, conditions });
  const { from, until } = rangeOf(criteria);
  const [row] = await execute<{ days: string[]; first: string | null }>(sql`
    with blocks as materialized (
      select distinct bucket from ${STORED_ACTION_COUNTS} stored
      where ${matches} and span = ${sql.lit(SPAN_MINUTES.block)}
        and bucket >= ${toTimestamp(floorTo(from, BLOCK))}::timestamptz and bucket < ${toTimestamp(until)}::timestamptz
    )
    select array(
      select distinct (extract(epoch from d.bucket) * 1000)::bigint as at from blocks b cross join lateral (
        select bucket from ${STORED_ACTION_COUNTS} stored
        where ${matches} and span = ${sql.lit(SPAN_MINUTES.day)} and bucket >= b.bucket
          and bucket < b.bucket + make_interval(mins => ${sql.lit(SPAN_MINUTES.block)})
        order by bucket offset 0
      ) d order by at
    )::text[] as days,
    (
      select entry_id from reel_log_inbox where ${whereInScope({ ...criteria.scope, clients: null })}
      order by entry_id limit 1
    ) as first`);
  return row ? { days: row.days.map(Number), firstUncounted: row.first } : null;
}

const wholeDays = (criteria: Criteria): TimeRange[] => {
  const { from, until } = rangeOf(criteria);
  return splitTime(from, until, [], BY_DAY.largest, BY_DAY.smallest).filter(({ span }) => span !== 'entry');
};

/** SQL for the tenant's stored counts of these ranges, or for one more than `most`. The OFFSET 0 has the planner walk the index. */
const rowsOf = (
  stored: RawBuilder<unknown>,
  { scope: { tenantId } }: Criteria,
  ranges: readonly TimeRange[],
  most: number,
): RawBuilder<unknown> => sql`
  select c.* from unnest(${ranges.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[], ${lows(ranges)}::timestamptz[],
    ${highs(ranges)}::timestamptz[]) r(minutes, low, high)
  cross join lateral (
    select * from ${stored} stored
    where ${whereInScope({ tenantId, clients: null })} and span = r.minutes and bucket >= r.low and bucket < r.high
    order by bucket offset 0
  ) c limit ${most + 1}`;
