import { type RawBuilder, sql } from 'kysely';
import { compile, type Execute } from '../../database/execute.js';
import { fromTemplate } from '../../database/template.js';
import { type Criteria, everything, isCountable, isEverything } from '../filter/criteria.js';
import { whereMatches } from '../filter/where.js';
import { highs, lows, rangeOf, storedCounts, uncountedMatches, waiting } from './counts.js';
import { EARLIEST, fromMicros, LATEST, QUARTER, SPAN_MINUTES, type Span, splitTime } from './time-spans.js';

/** Where to start reading a page: within these bounds, both inclusive, after `skip` entries. */
export interface PageStart {
  from?: string;
  until?: string;
  skip: number;
}

/** Up to this offset skipping entries costs less than reading counts. */
const MAX_SKIP = 1_000;

/**
 * Finds the quarter of an hour that holds the entry at `offset` (from 0) of the list, newest or oldest first, so that no more
 * than that is skipped for a deep page: which sixteen days, which day of them, and which quarter of that, in one statement.
 */
export async function locatePage(
  execute: Execute,
  criteria: Criteria,
  offset: number,
  newest: boolean,
): Promise<PageStart> {
  if (offset <= MAX_SKIP || !isCountable(criteria)) return { skip: offset };
  const { tenantId } = criteria.scope;
  const statement = isEverything(criteria)
    ? fromTemplate(`locate ${newest}`, { tenantId, offset }, (values) =>
        compile(locateSql(everything(values.tenantId), values.offset, newest)),
      )
    : locateSql(criteria, offset, newest);
  const [quarter] = await execute<{ at: string; skip: string }>(statement);
  if (!quarter)
    return newest ? { until: fromMicros(EARLIEST), skip: 0 } : { from: fromMicros(LATEST - 1n), skip: 0 };
  const at = BigInt(quarter.at) * 1_000_000n;
  const skip = Number(quarter.skip);
  return newest ? { until: fromMicros(at + QUARTER - 1n), skip } : { from: fromMicros(at), skip };
}

const locateSql = (criteria: Criteria, offset: number, newest: boolean): RawBuilder<unknown> => sql`
    with uncounted as materialized (select at, n from ${
      isEverything(criteria)
        ? waiting(criteria.scope.tenantId)
        : uncountedMatches(criteria, { largest: 'block' })
    } uncounted),
    whole as (select timestamptz '-infinity' as low, timestamptz 'infinity' as high, ${offset}::bigint as skip),
    block as (${spanWithin(criteria, 'block', 'whole', newest)}),
    day as (${spanWithin(criteria, 'day', 'block', newest)}),
    quarter as (${spanWithin(criteria, 'quarter', 'day', newest)})
    select extract(epoch from low)::bigint as at, skip from quarter`;

/** SQL for the span that holds the entry after the first `skip` of another, as rows (low, high, skip), the latter within it. */
function spanWithin(criteria: Criteria, unit: Span, within: string, newest: boolean): RawBuilder<unknown> {
  const { from, until } = rangeOf(criteria);
  const counted = splitTime(from, until, [], unit).filter(({ span }) => span !== 'entry');
  const direction = newest ? sql`desc` : sql`asc`;
  const length = sql`make_interval(mins => ${sql.lit(SPAN_MINUTES[unit])})`;
  const outer = sql.table(within);
  return sql`
    select start as low, start + ${length} as high, skip - (upto - n) as skip from (
      select start, n, sum(n) over (order by start ${direction}) as upto from (
        select date_bin(${length}, at, timestamptz 'epoch') as start, sum(n) as n from (
          select c.bucket as at, c.count as n
          from ${outer} o cross join unnest(${counted.map(({ span }) => SPAN_MINUTES[span as Span])}::smallint[],
            ${lows(counted)}::timestamptz[], ${highs(counted)}::timestamptz[]) r(minutes, low, high)
          cross join lateral (
            select bucket, count from ${storedCounts(criteria, true)} stored
            where ${whereMatches(criteria)} and span = r.minutes and bucket >= greatest(r.low, o.low) and bucket < least(r.high, o.high)
            order by bucket offset 0
          ) c
          union all select at, u.n from uncounted u cross join ${outer} o where at >= o.low and at < o.high
        ) counts group by 1
      ) spans
    ) summed cross join ${outer} o where upto > o.skip order by start ${direction} limit 1`;
}
