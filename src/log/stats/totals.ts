import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { matchCounts } from '../counts/counts.js';
import { type Micros, toTimestamp } from '../counts/time-spans.js';
import { SEVERITIES } from '../entry/severity.js';
import { type Criteria, isCountable } from '../filter/criteria.js';
import type { Figure, Tally, TallyRow } from './figure.js';
import type { FacetCount, LogTotals } from './log-stats.js';
import { ValueCounts } from './value-counts.js';

/** Since when, beside since ever. */
const PERIODS = 3;
const [THIS_WEEK, TODAY] = [1, 2];

/** The totals: by module and by severity, today's and this week's. */
export class TotalsFigure implements Figure<LogTotals> {
  #modules = new ValueCounts();
  #severities = SEVERITIES.map(() => 0);
  #today = 0;
  #thisWeek = 0;

  constructor(
    private readonly criteria: Criteria,
    private readonly starts: { day: Micros; week: Micros },
  ) {}

  async prepare(execute: Execute): Promise<Tally | null> {
    const { criteria, starts } = this;
    const modules = new ValueCounts();
    this.#modules = modules;
    this.#severities = SEVERITIES.map(() => 0);
    this.#today = 0;
    this.#thisWeek = 0;
    const add = (row: TallyRow) => this.#add(row);
    if (!isCountable(criteria))
      return {
        criteria,
        columns: ['module', 'severity', 'created_at'],
        rows: () => this.#select(sql`created_at`, sql`count(*)`, sql`matching`),
        add,
        get isComplete() {
          return modules.isComplete;
        },
      };
    const source = matchCounts(criteria, { largest: 'block', cuts: [starts.week, starts.day] });
    const rows = await execute<TallyRow>(this.#select(sql`at`, sql`sum(n)`, sql`${source} counts`));
    rows.forEach(add);
    return null;
  }

  #select(at: ReturnType<typeof sql>, n: ReturnType<typeof sql>, source: ReturnType<typeof sql>) {
    const since = (start: Micros) => sql`${at} >= ${toTimestamp(start)}::timestamptz`;
    const period = sql`case when ${since(this.starts.day)} then ${sql.lit(TODAY)}
      when ${since(this.starts.week)} then ${sql.lit(THIS_WEEK)} else 0 end`;
    return sql`select module as key, severity * ${sql.lit(PERIODS)} + ${period} as detail, ${n} as n from ${source} group by 1, 2`;
  }

  #add({ key, detail, n }: TallyRow): void {
    const count = Number(n);
    const severity = Math.floor(detail / PERIODS);
    const period = detail % PERIODS;
    this.#modules.add(key, count);
    this.#severities[severity] = (this.#severities[severity] ?? 0) + count;
    if (period === TODAY) this.#today += count;
    if (period >= THIS_WEEK) this.#thisWeek += count;
  }

  async result(): Promise<LogTotals> {
    return {
      totalEntries: this.#severities.reduce((total, count) => total + count, 0),
      entriesBySeverity: severityCounts((index) => this.#severities[index]),
      entriesByModule: this.#modules
        .top(Number.POSITIVE_INFINITY)
        .map(({ key, count }) => ({ key, label: null, count })),
      entriesToday: this.#today,
      entriesThisWeek: this.#thisWeek,
    };
  }
}

/** From mild to grave, only those that occur. `countOf`: by index of SEVERITIES. */
export function severityCounts(countOf: (index: number) => number | undefined): FacetCount[] {
  const counts: FacetCount[] = [];
  for (const [index, key] of SEVERITIES.entries()) {
    const count = countOf(index) ?? 0;
    if (count > 0) counts.push({ key, label: null, count });
  }
  return counts;
}
