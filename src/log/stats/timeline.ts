import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { matchCounts, narrowed } from '../counts/counts.js';
import { DAY, fromMicros, type Micros, QUARTER, toMicros, toTimestamp } from '../counts/time-spans.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import { whereAll } from '../filter/where.js';
import { type BucketCounts, countBuckets, SEVERITY_BASE } from './bucket-counts.js';
import type { Figure, Tally, TallyRow } from './figure.js';
import { StatsInterval, type TimeBucket } from './log-stats.js';
import { bucketBounds, bucketBoundsUpTo, MAX_BUCKETS } from './time-buckets.js';
import { severityCounts } from './totals.js';

/** In place of bucket and severity: n is when the oldest match of the stretch was stored. */
const OLDEST = -1;

/** Counts over time, in whole buckets. */
export class TimelineFigure implements Figure<TimeBucket[]> {
  /** Boundaries of the buckets, where `first` is not known more of them than are needed; none: no match. */
  #bounds: readonly Micros[] = [];
  #first: Micros | null = null;
  #last: Micros | null = null;
  #counts: BucketCounts = new Map();
  #oldest: Micros | null = null;
  #refusal: unknown = null;

  constructor(
    private readonly criteria: Criteria,
    private readonly interval: StatsInterval,
    private readonly timeZone: string,
  ) {}

  async prepare(execute: Execute): Promise<Tally | null> {
    const { criteria } = this;
    const countable = isCountable(criteria);
    const endOf = async (given: string | null, which: 'first' | 'last') =>
      given !== null ? toMicros(given) : countable ? endmost(execute, criteria, which) : null;
    this.#first = await endOf(criteria.start, 'first');
    this.#last = await endOf(criteria.end, 'last');
    if (countable && (this.#first === null || this.#last === null)) return null;
    if (this.#last === null) return this.#tally(criteria);
    this.#setBounds();
    if (this.#bounds.length === 0) return null;
    if (!countable || this.#first === null) return this.#tally(criteria);
    if (!this.#countsSuffice())
      return this.#tally({ ...criteria, ...narrowed(criteria, this.#first, this.#last + 1n) });
    this.#counts = await countBuckets(execute, criteria, this.#bounds);
    return null;
  }

  /** Entries are counted by the quarter of an hour; of shorter buckets they have to be read anyway. */
  #countsSuffice(): boolean {
    if (this.interval === StatsInterval.MINUTE) return false;
    return this.interval !== StatsInterval.HOUR || this.#bounds.every((bound) => bound % QUARTER === 0n);
  }

  /** None where there are too many; then the result is refused. */
  #setBounds(): void {
    const [first, last] = [this.#first, this.#last];
    if (last === null) return;
    try {
      if (first === null) this.#bounds = bucketBoundsUpTo(last, this.interval, this.timeZone);
      else if (first <= last) this.#bounds = bucketBounds(first, last, this.interval, this.timeZone);
    } catch (error) {
      this.#refusal = error;
    }
  }

  #tally(criteria: Criteria): Tally {
    const begin = (newest: Micros | null) => {
      // Of one millisecond, the ids and the times of entries may be in different orders.
      if (newest !== null) this.#last = newest - (newest % 1000n) + 999n;
      this.#setBounds();
    };
    return {
      criteria,
      columns: ['created_at', 'severity'],
      ...(this.#last === null && { begin }),
      rows: () => this.#select(),
      add: (row) => this.#add(row),
      isComplete: true,
    };
  }

  #select() {
    if (this.#bounds.length === 0) return null;
    const bounds = sql`${this.#bounds.map(toTimestamp)}::timestamptz[]`;
    const base = sql.lit(SEVERITY_BASE);
    const buckets = sql`
      select null::text as key, (width_bucket(created_at, ${bounds}) - 1) * ${base} + severity as detail, count(*) as n
      from matching where created_at >= ${toTimestamp(this.#bounds[0]!)}::timestamptz group by 2`;
    if (this.#first !== null) return buckets;
    return sql`${buckets} union all
      select null, ${sql.lit(OLDEST)}, (extract(epoch from min(created_at)) * 1000000)::bigint from matching having count(*) > 0`;
  }

  #add({ detail, n }: TallyRow): void {
    if (detail === OLDEST) {
      const at = BigInt(n);
      if (this.#oldest === null || at < this.#oldest) this.#oldest = at;
      return;
    }
    this.#counts.set(detail, (this.#counts.get(detail) ?? 0) + Number(n));
  }

  async result(): Promise<TimeBucket[]> {
    if (this.#refusal !== null) throw this.#refusal;
    const bounds = this.#bounds;
    const first = this.#first ?? this.#oldest;
    if (first === null || this.#last === null) return [];
    // Too many, since there are as many as may be without those before.
    if (bounds.length > 0 && first < bounds[0]!)
      bucketBounds(first, this.#last, this.interval, this.timeZone);
    const from = Math.max(
      0,
      bounds.findLastIndex((bound) => bound <= first),
    );
    if (bounds.length - 1 - from > MAX_BUCKETS) bucketBounds(first, this.#last, this.interval, this.timeZone);
    const instants = bounds.slice(from).map(fromMicros);
    return instants.slice(0, -1).map((start, index) => {
      const place = (from + index) * SEVERITY_BASE;
      const bySeverity = severityCounts((severity) => this.#counts.get(place + severity));
      const count = bySeverity.reduce((total, each) => total + each.count, 0);
      return { start, end: instants[index + 1]!, count, bySeverity };
    });
  }
}

/** When the first or last match was stored, of criteria that isCountable; null where none matches. Narrowed by the counts before any entry is read, unless any entry will do. */
async function endmost(
  execute: Execute,
  criteria: Criteria,
  which: 'first' | 'last',
): Promise<Micros | null> {
  const [extreme, direction] = which === 'first' ? [sql`min`, sql`asc`] : [sql`max`, sql`desc`];
  let range = criteria;
  const narrowing = [
    ['day', DAY],
    ['quarter', QUARTER],
  ] as const;
  const isAny = criteria.conditions.length === 0 && criteria.scope.clients === null;
  for (const [largest, unit] of isAny ? [] : narrowing) {
    const [row] = await execute<{ at: string | null }>(sql`
      select extract(epoch from date_bin(${`${unit / 1_000_000n} seconds`}::interval, ${extreme}(at), timestamptz 'epoch'))::bigint as at
      from ${matchCounts(range, { largest, bySeverity: true })} counts`);
    if (!row || row.at === null) return null;
    const from = BigInt(row.at) * 1_000_000n;
    range = { ...criteria, ...narrowed(criteria, from, from + unit) };
  }
  const [found] = await execute<{ at: string }>(sql`
    select (extract(epoch from created_at) * 1000000)::bigint as at
    from reel_log_entries where ${whereAll(range)} order by id ${direction} limit 1`);
  return found ? BigInt(found.at) : null;
}
