import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute, Row, Statement, TextRow } from '../../database/execute.js';
import { isTimeout } from '../../database/unavailable.js';
import { matchingDays } from '../counts/day-counts.js';
import type { Criteria } from '../filter/criteria.js';
import { whereAll } from '../filter/where.js';
import { searchCandidates } from '../search/candidates.js';
import type { Budget, LookingBounds } from './budget.js';
import {
  allOf,
  type CandidateSource,
  directionOf,
  nextCandidates,
  type Part,
  type Way,
  walkKey,
  whereOnWay,
} from './candidates.js';
import {
  distance,
  type IdRange,
  idsOfDays,
  idsWithin,
  intersect,
  isEmptyRange,
  newerThan,
  olderThan,
  partsOf,
  rangeOf,
  roundedBack,
} from './id-range.js';
import { allConditions, needlesOf, sourcesOf } from './sources.js';

export interface WalkOptions {
  /** Newest first. */
  descending: boolean;
  /** Only these ids. */
  within?: IdRange | undefined;
  budget: Budget;
  /** Milliseconds that one statement may take, whatever is left of the budget; null: what is left of it. */
  statementMs?: number | null;
}

/** SQL for the rows of one stretch that match, as a sub-select in parentheses with every column of reel_log_entries. */
export type Matching = RawBuilder<unknown>;

/** Candidates that are tested next. */
interface Stretch {
  readonly candidates: RawBuilder<unknown>;
  /** Within which their ids are. */
  readonly range: IdRange;
  readonly isEmpty: boolean;
  /** How many they are at most. */
  readonly count: number;
  /** Moves the walk past them; null where it is not known where they end, so that they serve only if they fill what is wanted. */
  readonly done: (() => void) | null;
}

/** What a walk that has not come anywhere yet may take past its budget for a few candidates before it tries fewer, in graceMs. */
const FORCED = 4;

/** One statement may take so much of what is left of the budget. */
const SHARES = 4;

/** A stretch may be so many times as long as the one before, where it is known how many candidates are needed, and where it is not. */
const [MOST_LONGER, MOST_LONGER_BLINDLY] = [16, 4];
/** So much more than what was found says, since matches are not spread evenly. */
const MARGIN = 1.25;

/** The next of 2, 3, 4, 6, 8, 12 and so on. */
function stepAbove(size: number): number {
  const power = Math.max(2, 2 ** Math.floor(Math.log2(size)));
  return [power, 1.5 * power].find((step) => step >= size) ?? 2 * power;
}

/** So many are gathered before the first stretch. */
const FIRST_GATHERED = 1_000;

/** A candidate that is looked up by its id costs so many times what one does on the way along the key. */
const LOOKUP_COST = 4;

/**
 * Looks at one tenant's entries in the order of their ids, stretch by stretch, until there are no more or the budget is
 * spent. A stretch takes so many candidates, from the index that seems to leave fewest or along the key, and tests them;
 * so no statement runs long, and none depends on statistics. Each is a transaction of its own.
 */
export class Walk {
  /** Whether everything has been looked at. */
  ended = false;
  /** The id up to which everything has been looked at; null at the beginning. It need not be an entry's. */
  reached: string | null = null;

  /** What is left of the part that is walked. */
  private range: IdRange;
  /** The parts after it, in the walk's order; between them nothing can match. */
  private rest: IdRange[] = [];
  private readonly whole: IdRange;
  private readonly sources: readonly CandidateSource[];
  private readonly matchesAll: boolean;
  /** null: along the key. */
  private source: CandidateSource | null = null;
  private pending: Part | null = null;
  /** The last of so many ids along the key, which choosing it has found. */
  private along: { most: number; until: string | null } | null = null;
  private size: number;
  private readonly started: number;
  private stretches = 0;
  /** Candidates, and matches among them. */
  private tested = 0;
  /** Whether the last stretch was to fill a page, and did not. */
  private hasMissed = false;
  /** Whether the first part has ended. */
  private hasMovedOn = false;
  private found = 0;
  /** Whether the search index was asked, and the counts. */
  private isSearched = false;
  private isNarrowed = false;

  constructor(
    private readonly database: ReadDatabase,
    private readonly criteria: Criteria,
    private readonly options: WalkOptions,
    private readonly bounds: LookingBounds,
  ) {
    const ofTime = idsWithin(criteria.start, criteria.end);
    this.whole = options.within ? intersect(ofTime, options.within) : ofTime;
    this.sources = sourcesOf(criteria);
    this.matchesAll = allConditions(criteria).length === 0;
    const parts =
      this.sources.length === 0 ? [this.whole] : partsOf(this.whole, options.descending, Date.now());
    this.range = parts[0] ?? this.whole;
    this.rest = parts.slice(1);
    this.size = bounds.candidates.first;
    this.started = bounds.clock();
    this.ended = isEmptyRange(this.whole);
  }

  /**
   * Runs a statement over the matching rows of one stretch after another, whose ids are within `range`. It must not depend on
   * stretches: they are as long as time allows. `wanted`: how many rows the caller still has use for, where the statement gives one, in the
   * walk's order, for each matching row up to that number. Stops where it has ended or the budget is spent, though never
   * before the first stretch, or has given so many rows. Errors: UNAVAILABLE where a statement takes too long for a single candidate.
   */
  async *read<R extends Row | TextRow>(
    select: (matching: Matching, range: IdRange) => Statement,
    wanted: () => number = () => Number.POSITIVE_INFINITY,
  ): AsyncGenerator<R[]> {
    const most = wanted();
    while (!this.ended && (this.stretches === 0 || !this.options.budget.isSpent)) {
      const left = wanted();
      const rows = await this.stretch<R>(select, most);
      if (rows === null) continue;
      yield rows;
      if (rows.length >= left) return;
    }
  }

  /** What its reader may be told of the place that was reached, which may be another client's entry. Null at the beginning. */
  async told(): Promise<string | null> {
    const way = { ...this.way(), range: this.whole };
    return this.reached && toldPlace(this.database, this.criteria.scope, way, this.reached);
  }

  /** Null where the statement took too long, and the next stretch is shorter, or where too few were found to know how far it came. */
  private async stretch<R extends Row | TextRow>(
    select: (matching: Matching, range: IdRange) => Statement,
    wanted: number,
  ): Promise<R[] | null> {
    const { clock, candidates } = this.bounds;
    if (this.stretches === 0 && this.options.budget.isSpent)
      this.size = Math.min(this.size, candidates.least);
    const started = clock();
    const { bound, isLast } = this.statementBound();
    const isLastPart = this.rest.length === 0;
    try {
      const { tenantId } = this.criteria.scope;
      const options = { statementMs: bound, inIndexOrder: true };
      const matchingOf = ({ candidates }: Stretch) =>
        sql`(select * from ${candidates} candidates where ${whereAll(this.criteria)})`;
      const test = async (execute: Execute) => {
        const taken = await this.take(execute, wanted);
        const found = taken.isEmpty ? [] : await execute<R>(select(matchingOf(taken), taken.range));
        return { rows: found, stretch: taken };
      };
      // For a page the texts are few, since sizes come in steps: they stay planned.
      const { rows, stretch } = Number.isFinite(wanted)
        ? await test((statement) => this.database.query(tenantId, statement, { ...options, isKept: true }))
        : await this.database.read(tenantId, test, options);
      this.hasMissed = stretch.done === null && this.found + rows.length < wanted;
      if (this.hasMissed) return null;
      stretch.done?.();
      this.tested += stretch.count;
      this.found += rows.length;
      // Where the first part has no candidate at all, the next is looked at before the walk may stop.
      if (this.stretches > 0 || isLastPart || !stretch.isEmpty) this.stretches += 1;
      this.adapt(clock() - started, wanted - this.found);
      return rows;
    } catch (error) {
      if (!isTimeout(error) || isLast) throw error;
      const fewer = Math.max(1, Math.floor(this.size / 4));
      this.size = this.options.budget.isSpent ? Math.min(candidates.least, fewer) : fewer;
      return null;
    }
  }

  /**
   * Milliseconds for each statement: a share of what is left, so that one which takes too long leaves time for fewer
   * candidates, or more where otherwise the walk would come nowhere.
   */
  private statementBound(): { bound: number; isLast: boolean } {
    const { budget, statementMs } = this.options;
    const { graceMs } = this.bounds;
    const longest = statementMs ?? this.bounds.statementMs;
    const isSingle = this.size === 1;
    const share = Math.max(graceMs, budget.left / SHARES);
    if (statementMs != null)
      return {
        bound: isSingle ? longest : Math.min(longest, share),
        isLast: isSingle || budget.isSpent,
      };
    if (this.stretches > 0 || !budget.isSpent)
      return { bound: Math.min(longest, budget.left + graceMs, share), isLast: false };
    // A lock that is held for long ends the whole walk after what one statement may take.
    const rest = Math.max(graceMs, longest - (this.bounds.clock() - this.started));
    return isSingle
      ? { bound: rest, isLast: true }
      : { bound: Math.min(longest, FORCED * graceMs), isLast: false };
  }

  /** More candidates next, as time allows: after the first stretch as many as `left` matches probably need. */
  private adapt(elapsed: number, left: number): void {
    const { candidates, stretchMs } = this.bounds;
    const aim = Math.min(stretchMs, this.options.budget.left);
    const needed = this.isEstimated(left)
      ? Math.max(this.size, stepAbove((MARGIN * left * this.tested) / this.found))
      : Number.POSITIVE_INFINITY;
    const most = Number.isFinite(needed) ? MOST_LONGER : MOST_LONGER_BLINDLY;
    const factor = Math.min(most, Math.max(1 / 4, aim / Math.max(elapsed, 0.1)));
    const least = Math.min(candidates.least, this.size);
    // In steps, so that statements whose text has the size are few.
    const longest = Math.floor(this.size * 2 ** Math.floor(Math.log2(factor)));
    this.size = Math.min(candidates.most, Math.max(least, Math.min(longest, needed)));
  }

  /** Whether what the first stretch found says how many candidates of the same way `left` matches need: a second that finds too few shows that it does not. */
  private isEstimated(left: number): boolean {
    return this.stretches === 1 && this.found > 0 && !this.hasMovedOn && left > 0 && Number.isFinite(left);
  }

  /** The next candidates. `done` moves the walk past them, once they have been tested. */
  private async take(execute: Execute, wanted: number): Promise<Stretch> {
    let part = this.pending;
    if (part === null) {
      // After the first stretch, which fills a page with a text that is frequent.
      if (this.stretches > 0 && !this.isSearched) part = await this.searched(execute);
      if (part === null && this.stretches > 0 && this.found === 0 && !this.isNarrowed) {
        await this.keepToDays(execute);
        if (this.ended)
          return { candidates: sql`(select)`, range: this.range, isEmpty: true, count: 0, done() {} };
      }
      // Now and then, since what is rare here may be frequent further on.
      if (part !== null) this.source = null;
      else if (this.sources.length > 0 && this.isChoosing(wanted)) part = await this.choose(execute, wanted);
      else if (this.source) part = await this.nextOf(execute, this.source, this.size);
    }
    return part === null ? this.takeFromKey(execute, wanted) : this.takeFrom(part);
  }

  /** For the first stretch, and again after 1, 2, 4 and so on, but not where the first has told how many candidates fill the page. */
  private isChoosing(wanted: number): boolean {
    if (this.isEstimated(wanted - this.found)) return false;
    return Number.isInteger(Math.log2(Math.max(1, this.stretches)));
  }

  /** Leaves out the days in which the counts have no match; asked once. */
  private async keepToDays(execute: Execute): Promise<void> {
    this.isNarrowed = true;
    const matching = await matchingDays(execute, this.criteria);
    if (!matching) return;
    const days = idsOfDays(matching.days, matching.firstUncounted);
    if (this.options.descending) days.reverse();
    this.rest = [this.range, ...this.rest].flatMap((part) => days.map((day) => intersect(part, day)));
    this.toNextPart();
  }

  /** All candidates, where the search index leaves few; asked once. */
  private async searched(execute: Execute): Promise<Part | null> {
    this.isSearched = true;
    const needles = needlesOf(this.criteria);
    if (needles.length === 0) return null;
    const found = await searchCandidates(execute, this.criteria.scope.tenantId, needles);
    return found === 'many' ? null : allOf(found.ids, this.way());
  }

  /** The first candidates of the source that leaves fewest; null where it is the key, whose `along` may be known then. */
  private async choose(execute: Execute, wanted: number): Promise<Part | null> {
    const [first] = this.sources;
    const { first: few } = this.bounds.candidates;
    const size = Math.min(this.size, few);
    this.source = null;
    if (first?.isExact && first.gatherings.length === 0) {
      this.source = first;
      return this.nextOf(execute, first, this.mostOf(wanted));
    }
    const parts: { source: CandidateSource; part: Part }[] = [];
    for (const source of this.sources) {
      const part = await this.nextOf(execute, source, size);
      if (part?.until === null && part.ids.length <= size) return part;
      if (part) parts.push({ source, part });
    }
    const key = await walkKey(execute, this.way(), size);
    const firstId = this.firstOf([key, ...parts.map(({ part }) => part)]);
    if (firstId === null) return { ids: [], until: null };
    let [best, least]: [Part | null, number] = [null, this.costOf(key, firstId)];
    for (const { source, part } of parts) {
      const cost = this.costOf(part, firstId) * LOOKUP_COST;
      if (cost >= least) continue;
      [best, least] = [part, cost];
      this.source = source;
    }
    if (best === null) this.along = { most: size, until: key.until };
    return best;
  }

  /** How many to take where every candidate matches. */
  private mostOf(wanted: number): number {
    return Number.isFinite(wanted) ? Math.min(wanted, this.bounds.candidates.most) : this.size;
  }

  private nextOf(execute: Execute, source: CandidateSource, most: number): Promise<Part | null> {
    // At first no more than are looked up at once: with more, what is frequent may fill a page before they are sorted.
    const gathered =
      this.stretches > 0 ? this.bounds.gathered : Math.min(this.bounds.gathered, FIRST_GATHERED);
    return nextCandidates(execute, source, this.way(), { most, gathered });
  }

  private firstOf(parts: readonly Part[]): string | null {
    const firsts = parts.flatMap(({ ids }) => ids[0] ?? []).sort();
    return (this.options.descending ? firsts.at(-1) : firsts[0]) ?? null;
  }

  /** Candidates for the same length of the key. One that has come to its end leaves no others. */
  private costOf({ ids, until }: Part, firstId: string): number {
    const end = until ?? (this.options.descending ? this.range.low : this.range.high);
    return ids.length / Math.max(1, distance(firstId, end));
  }

  private takeFrom({ ids, until }: Part): Stretch {
    const taken = ids.slice(0, this.size);
    const rest = ids.slice(this.size);
    const reached = rest.length > 0 ? taken.at(-1)! : until;
    return {
      candidates: entriesById(this.criteria.scope.tenantId, taken),
      range: this.range,
      isEmpty: taken.length === 0,
      count: taken.length,
      done: () => {
        this.pending = rest.length > 0 ? { ids: rest, until } : null;
        this.moveTo(reached);
      },
    };
  }

  private async takeFromKey(execute: Execute, wanted: number): Promise<Stretch> {
    const most = this.matchesAll ? this.mostOf(wanted) : this.size;
    const known = this.along?.most === most ? this.along : null;
    this.along = null;
    // As many as probably fill the page. Where they end cannot be looked up afterwards: meanwhile others may have come.
    if (!known && !this.hasMissed && this.isEstimated(wanted - this.found))
      return {
        candidates: this.alongKey(this.range, sql`limit ${sql.lit(most)}`),
        range: this.range,
        isEmpty: false,
        count: most,
        done: null,
      };
    const until = known ? known.until : await this.lastOf(execute, most);
    const taken = until === null ? this.range : intersect(this.range, this.upTo(until));
    return {
      candidates: this.alongKey(taken, sql`offset 0`),
      range: taken,
      isEmpty: false,
      count: most,
      done: () => this.moveTo(until),
    };
  }

  /** The last of so many ids along the key; null where there are fewer. */
  private async lastOf(execute: Execute, most: number): Promise<string | null> {
    const way = this.way();
    const [last] = await execute<{ id: string }>(sql`
      select id from reel_log_entries where ${whereOnWay(way)}
      order by id ${directionOf(way)} limit 1 offset ${sql.lit(most - 1)}`);
    return last?.id ?? null;
  }

  private way(): Way {
    const { descending } = this.options;
    return { tenantId: this.criteria.scope.tenantId, range: this.range, descending };
  }

  private upTo(id: string): IdRange {
    return this.options.descending ? { ...this.range, low: id } : { ...this.range, high: id };
  }

  /** In the walk's order, as an index has it. */
  private alongKey(range: IdRange, limit: RawBuilder<unknown>): RawBuilder<unknown> {
    const way = { ...this.way(), range };
    return sql`(select * from reel_log_entries where ${whereOnWay(way)} order by id ${directionOf(way)} ${limit})`;
  }

  /** Null: past all of this part. */
  private moveTo(until: string | null): void {
    const { descending } = this.options;
    if (until === null) {
      if (this.rest.length > 0) this.reached = descending ? this.range.low : this.range.high;
      this.toNextPart();
      return;
    }
    this.reached = until;
    this.range = intersect(this.range, descending ? olderThan(until) : newerThan(until));
    if (isEmptyRange(this.range)) this.toNextPart();
  }

  private toNextPart(): void {
    this.hasMovedOn = true;
    this.rest = this.rest.filter((part) => !isEmptyRange(part));
    const next = this.rest.shift();
    if (next) this.range = next;
    else this.ended = true;
  }
}

/**
 * What a reader is told of the place that a walk of `way` reached: to one who sees some clients only, a round one in front of
 * it, since the place itself may be another client's entry.
 */
export async function toldPlace(
  database: ReadDatabase,
  { clients }: Scope,
  way: Way,
  reached: string,
): Promise<string> {
  if (clients === null) return reached;
  const first = sql`select id from reel_log_entries where ${whereOnWay(way)} order by id ${directionOf(way)} limit 1`;
  const [began] = await database.read(way.tenantId, (execute) => execute<{ id: string }>(first), {
    inIndexOrder: true,
  });
  const isBehind = began && (way.descending ? began.id > reached : began.id < reached);
  return isBehind ? roundedBack(reached, began.id) : reached;
}

/** SQL for one tenant's entries by their ids, as a sub-select in parentheses: one look-up of the key for each, in no other months than theirs. */
export function entriesById(tenantId: string, ids: readonly string[]): RawBuilder<unknown> {
  const entries = sql`select * from reel_log_entries where ${whereOnWay({ tenantId, range: rangeOf(ids) })}`;
  if (ids.length === 1) return sql`(${entries} order by id limit 1)`;
  return sql`
    (select e.* from unnest(${ids}::uuid[]) wanted(id)
    cross join lateral (${entries} and id >= wanted.id and id <= wanted.id order by id limit 1) e)`;
}
