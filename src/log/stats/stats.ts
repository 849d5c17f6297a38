import { setImmediate } from 'node:timers/promises';
import type { ReadDatabase } from '../../database/database.js';
import { badInput } from '../../errors.js';
import { toMicros } from '../counts/time-spans.js';
import type { Criteria } from '../filter/criteria.js';
import { readTimeZone } from '../filter/time-zone.js';
import { Budget, LOOKING_BOUNDS, type LookingBounds } from '../walk/budget.js';
import { FacetFigure, MAX_FACET } from './facet.js';
import type { Figure, Read, Tally } from './figure.js';
import type { FacetCount, LogFacet, LogTotals, Statistics, StatsInterval, TimeBucket } from './log-stats.js';
import { type Reach, sumUp } from './sum-up.js';
import { startsOf } from './time-buckets.js';
import { TimelineFigure } from './timeline.js';
import { TotalsFigure } from './totals.js';

/** Counts matching entries: from the stored counts where they suffice, and then exactly, else entry by entry within a budget. */
export class StatsService {
  private readonly bounds: LookingBounds;

  constructor(
    private readonly database: ReadDatabase,
    bounds: Partial<LookingBounds> = {},
  ) {
    this.bounds = { ...LOOKING_BOUNDS, ...bounds };
  }

  /** `now` decides which day is today. Errors: BAD_USER_INPUT for an invalid time zone. */
  stats(criteria: Criteria, timeZone: string, now: Date): Statistics {
    return new Look(this.database, criteria, readTimeZone(timeZone), now, this.bounds);
  }
}

/** What is counted together. */
interface Batch {
  readonly figures: Figure<unknown>[];
  readonly looked: Promise<Reach>;
}

/**
 * Counts whatever is asked for in the same tick together and within one budget, as GraphQL asks for all fields of one
 * object; so its reach is known to be that of all.
 */
class Look implements Statistics {
  #batch: Batch | null = null;
  #totals: Promise<LogTotals> | null = null;
  readonly #timelines = new Map<StatsInterval, Promise<TimeBucket[]>>();
  readonly #facets = new Map<LogFacet, { figure: FacetFigure; values: Promise<FacetCount[]> }>();

  constructor(
    private readonly database: ReadDatabase,
    private readonly criteria: Criteria,
    private readonly zone: string,
    private readonly now: Date,
    private readonly bounds: LookingBounds,
  ) {}

  totals(): Promise<LogTotals> {
    const starts = startsOf(toMicros(this.now.toISOString()), this.zone);
    this.#totals ??= this.#count(new TotalsFigure(this.criteria, starts));
    return this.#totals;
  }

  timeline(interval: StatsInterval): Promise<TimeBucket[]> {
    const asked = this.#timelines.get(interval);
    if (asked) return asked;
    const buckets = this.#count(new TimelineFigure(this.criteria, interval, this.zone));
    this.#timelines.set(interval, buckets);
    return buckets;
  }

  async facet(field: LogFacet, first: number): Promise<FacetCount[]> {
    if (!Number.isInteger(first) || first < 1 || first > MAX_FACET)
      throw badInput('first', `1 to ${MAX_FACET}`, first);
    let asked = this.#facets.get(field);
    if (!asked) {
      const figure = new FacetFigure(this.criteria, field);
      asked = { figure, values: this.#count(figure) };
      this.#facets.set(field, asked);
    }
    asked.figure.most = Math.max(asked.figure.most, first);
    return (await asked.values).slice(0, first);
  }

  reach(): Promise<Reach> {
    this.#batch ??= this.#open();
    return this.#batch.looked;
  }

  #count<T>(figure: Figure<T>): Promise<T> {
    this.#batch ??= this.#open();
    this.#batch.figures.push(figure);
    return this.#batch.looked.then(() => figure.result(this.#read));
  }

  #open(): Batch {
    const figures: Figure<unknown>[] = [];
    const looked = setImmediate().then(() => {
      // Alone, the reach is that of the totals.
      if (figures.length === 0) void this.totals();
      this.#batch = null;
      return this.#look(figures);
    });
    return { figures, looked };
  }

  async #look(figures: readonly Figure<unknown>[]): Promise<Reach> {
    const budget = new Budget(this.bounds.searchMs, this.bounds.clock);
    const tallies = await this.#read(async (execute) => {
      const found: Tally[] = [];
      for (const figure of figures) {
        const tally = await figure.prepare(execute);
        if (tally) found.push(tally);
      }
      return found;
    });
    return sumUp(this.database, tallies, budget, this.bounds);
  }

  readonly #read: Read = (work) =>
    this.database.read(this.criteria.scope.tenantId, work, { inIndexOrder: true, isKept: true });
}
