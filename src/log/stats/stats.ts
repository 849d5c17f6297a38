import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { Execute } from '../../database/execute.js';
import { badInput } from '../../errors.js';
import { ORIGINS } from '../entry/origin.js';
import { OUTCOMES } from '../entry/outcome.js';
import { SEVERITIES } from '../entry/severity.js';
import {
  type Criteria,
  type FilterField,
  isCountable,
  type Subject,
  withoutConditionsOn,
} from '../filter/criteria.js';
import { readTimeZone } from '../filter/time-zone.js';
import { whereAll } from '../filter/where.js';
import { countBuckets } from './bucket-counts.js';
import { matchCounts, narrowed } from './counts.js';
import { ACTOR_KEYS, type ActorKey, actorLabels } from './labels.js';
import {
  type FacetCount,
  LogFacet,
  LogStats,
  type LogTotals,
  type StatsInterval,
  type TimeBucket,
} from './log-stats.js';
import { bucketBounds, startsOf } from './time-buckets.js';
import { DAY, fromMicros, type Micros, QUARTER, toMicros, toTimestamp } from './time-spans.js';

/** Values of one facet. */
export const MAX_FACET = 100;

/** How one facet is counted: by `key`, an expression that gives a text or null, out of `columns`. */
interface FacetSource {
  /** Conditions on these are left out. */
  readonly subjects: readonly Subject[];
  readonly columns: readonly string[];
  readonly key: RawBuilder<unknown>;
  /** Of an actor: what its key is, as in ACTOR_KEYS. */
  readonly kind?: RawBuilder<unknown>;
  /** Whether the stored counts have the column. */
  readonly counted: boolean;
}

const ofColumn = (field: FilterField, column: string, counted = false): FacetSource => ({
  subjects: [field],
  columns: [column],
  key: sql`${sql.ref(column)}::text`,
  counted,
});
const ofEnumeration = (field: FilterField, column: string, names: readonly string[], counted = false) => ({
  ...ofColumn(field, column, counted),
  key: sql`(${names}::text[])[${sql.ref(column)} + 1]`,
});

const FACETS: Record<LogFacet, FacetSource> = {
  MODULE: ofColumn('module', 'module', true),
  ACTION: ofColumn('action', 'action'),
  SEVERITY: ofEnumeration('severity', 'severity', SEVERITIES, true),
  ACTOR: {
    subjects: ['actor', 'actorId', 'actorEmail', 'actorName'],
    columns: ['actor_id', 'actor_email_folded', 'actor_name'],
    key: sql`coalesce(actor_id, actor_email_folded, actor_name)`,
    kind: sql`case when actor_id is not null then ${sql.lit(ACTOR_KEYS.id)} when actor_email_folded is not null
      then ${sql.lit(ACTOR_KEYS.email)} else ${sql.lit(ACTOR_KEYS.name)} end`,
    counted: false,
  },
  RESOURCE_TYPE: ofColumn('resourceType', 'resource_type'),
  CLIENT: ofColumn('clientId', 'client_id', true),
  OUTCOME: ofEnumeration('outcome', 'outcome', OUTCOMES),
  ORIGIN: ofEnumeration('origin', 'origin', ORIGINS),
};

/** Counts matching entries, exactly; the numbers of each part are of one snapshot. */
export class StatsService {
  constructor(private readonly database: Database) {}

  /**
   * Counts the totals at once, timeline and facets on demand. `now` decides which day is today. Errors: BAD_USER_INPUT for an
   * invalid time zone.
   */
  async stats(criteria: Criteria, timeZone: string, now: Date): Promise<LogStats> {
    const zone = readTimeZone(timeZone);
    const read = <T>(work: (execute: Execute) => Promise<T>) =>
      this.database.read(criteria.scope.tenantId, work);
    return new LogStats(
      await read((execute) => totals(execute, criteria, startsOf(toMicros(now.toISOString()), zone))),
      {
        timeline: (interval) => read((execute) => timeline(execute, criteria, interval, zone)),
        facet: async (field, first) => {
          if (!Number.isInteger(first) || first < 1 || first > MAX_FACET)
            throw badInput('first', `1 to ${MAX_FACET}`, first);
          return read((execute) => facet(execute, criteria, field, first));
        },
      },
    );
  }
}

async function totals(
  execute: Execute,
  criteria: Criteria,
  starts: { day: Micros; week: Micros },
): Promise<LogTotals> {
  const since = (start: Micros) =>
    sql`coalesce(sum(n) filter (where at >= ${toTimestamp(start)}::timestamptz), 0)`;
  const rows = await execute<{ module: string; severity: number; n: string; day: string; week: string }>(sql`
    select module, severity, sum(n) as n, ${since(starts.day)} as day, ${since(starts.week)} as week
    from ${matchCounts(criteria, { largest: 'block', cuts: [starts.week, starts.day] })} counts
    group by module, severity order by module`);
  const sum = (name: 'n' | 'day' | 'week') => rows.reduce((total, row) => total + Number(row[name]), 0);
  const modules = new Map<string, number>();
  for (const row of rows) modules.set(row.module, (modules.get(row.module) ?? 0) + Number(row.n));
  return {
    totalEntries: sum('n'),
    entriesBySeverity: bySeverity(rows),
    // The sort is stable: equal counts stay ordered by name.
    entriesByModule: [...modules]
      .map(([key, count]) => ({ key, label: null, count }))
      .sort((a, b) => b.count - a.count),
    entriesToday: sum('day'),
    entriesThisWeek: sum('week'),
  };
}

/** From mild to grave, only those that occur. */
function bySeverity(rows: readonly { severity: number; n: string | number }[]): FacetCount[] {
  const counts = SEVERITIES.map(() => 0);
  for (const row of rows) counts[row.severity] = (counts[row.severity] ?? 0) + Number(row.n);
  return SEVERITIES.map((key, index) => ({ key, label: null, count: counts[index]! })).filter(
    ({ count }) => count > 0,
  );
}

async function facet(execute: Execute, all: Criteria, name: LogFacet, first: number): Promise<FacetCount[]> {
  const { subjects, columns, key, kind, counted } = FACETS[name];
  const criteria = withoutConditionsOn(all, subjects);
  const source = counted
    ? matchCounts(criteria, { largest: 'block' })
    : sql`(select ${sql.join(columns.map((column) => sql.ref(column)))}, 1::bigint as n from reel_log_entries where ${whereAll(criteria)})`;
  const rows = await execute<{ key: string | null; kind: ActorKey; n: string }>(sql`
    select ${key} collate "C" as key, min(${kind ?? sql`0`}) as kind, sum(n) as n from ${source} counts
    group by 1 order by n desc, key nulls last limit ${first}`);
  const keys = new Map(rows.flatMap(({ key, kind }) => (key === null ? [] : [[key, kind] as const])));
  const labels =
    name === LogFacet.ACTOR
      ? await actorLabels(execute, criteria.scope, keys)
      : name === LogFacet.CLIENT
        ? criteria.scope.clientNames
        : undefined;
  return rows.map(({ key, n }) => ({
    key,
    label: (key === null ? null : labels?.get(key)) ?? null,
    count: Number(n),
  }));
}

async function timeline(
  execute: Execute,
  criteria: Criteria,
  interval: StatsInterval,
  zone: string,
): Promise<TimeBucket[]> {
  const first =
    criteria.start === null ? await endmost(execute, criteria, 'first') : toMicros(criteria.start);
  const last = criteria.end === null ? await endmost(execute, criteria, 'last') : toMicros(criteria.end);
  if (first === null || last === null || first > last) return [];
  const bounds = bucketBounds(first, last, interval, zone);
  const counts = await countBuckets(execute, criteria, bounds);
  return bounds.slice(0, -1).map((start, index) => {
    const found = bySeverity([...(counts.get(index) ?? [])].map(([severity, n]) => ({ severity, n })));
    const count = found.reduce((total, each) => total + each.count, 0);
    return { start: fromMicros(start), end: fromMicros(bounds[index + 1]!), count, bySeverity: found };
  });
}

/** When the first or last matching entry was stored; null where none matches. Narrowed by the counts before any entry is read. */
async function endmost(
  execute: Execute,
  criteria: Criteria,
  which: 'first' | 'last',
): Promise<Micros | null> {
  const [extreme, direction] = which === 'first' ? [sql`min`, sql`asc`] : [sql`max`, sql`desc`];
  let range = criteria;
  if (isCountable(criteria)) {
    for (const [largest, unit] of [
      ['day', DAY],
      ['quarter', QUARTER],
    ] as const) {
      const [row] = await execute<{ at: string | null }>(sql`
        select extract(epoch from date_bin(${`${unit / 1_000_000n} seconds`}::interval, ${extreme}(at), timestamptz 'epoch'))::bigint as at
        from ${matchCounts(range, { largest })} counts`);
      if (!row || row.at === null) return null;
      const from = BigInt(row.at) * 1_000_000n;
      range = { ...criteria, ...narrowed(criteria, from, from + unit) };
    }
  }
  const [found] = await execute<{ at: string }>(sql`
    select (extract(epoch from created_at) * 1000000)::bigint as at
    from reel_log_entries where ${whereAll(range)} order by id ${direction} limit 1`);
  return found ? BigInt(found.at) : null;
}
