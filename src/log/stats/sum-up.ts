import { sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import { CountPrecision } from '../counts/log-count.js';
import type { Criteria } from '../filter/criteria.js';
import type { Budget, LookingBounds } from '../walk/budget.js';
import { type IdRange, idsWithin, olderOrSame, timeReached } from '../walk/id-range.js';
import { type Matching, toldPlace, Walk } from '../walk/walk.js';
import { columnList, type Tally, type TallyRow } from './figure.js';

/** How far looking came. */
export interface Reach {
  readonly precision: CountPrecision;
  /** Where it stopped at its budget: everything from this time on has been looked at; else null. */
  readonly searchedUntil: string | null;
}

/** The state of one walk. */
type Position = Pick<Walk, 'reached' | 'ended'>;
type OpenWalk = (within?: IdRange) => Walk;

/**
 * Sums up all tallies from the newest entry on, those of the same criteria in one walk, within one budget. The walk that
 * is least far goes next, so that the tallies of a stopped sum cover about the same time.
 */
export async function sumUp(
  database: ReadDatabase,
  tallies: readonly Tally[],
  budget: Budget,
  bounds: LookingBounds,
): Promise<Reach> {
  const walks = [...Map.groupBy(tallies, ({ criteria }) => JSON.stringify(criteria)).values()].map(
    (group) => {
      const open: OpenWalk = (within) =>
        new Walk(
          database,
          group[0]!.criteria,
          { descending: true, budget, ...(within && { within }) },
          bounds,
        );
      const position: Position = { reached: null, ended: false };
      return { steps: stretches(group, open), position, isOver: false };
    },
  );
  for (;;) {
    const [next] = walks.filter(({ isOver }) => !isOver).sort((a, b) => leastFar(a.position, b.position));
    if (!next) break;
    const { value, done = false } = await next.steps.next();
    next.position = { reached: value.reached, ended: value.ended };
    next.isOver = done;
  }
  const stopped = walks.map(({ position }) => position).filter(({ ended }) => !ended);
  const reached = stopped.sort(leastFar)[0]?.reached;
  const isExact = stopped.length === 0 && tallies.every(({ isComplete }) => isComplete);
  return {
    precision: isExact ? CountPrecision.EXACT : CountPrecision.AT_LEAST,
    searchedUntil: reached ? timeReached(await toldTo(database, tallies[0]!.criteria, reached), true) : null,
  };
}

function toldTo(database: ReadDatabase, criteria: Criteria, reached: string): Promise<string> {
  const { scope, start, end } = criteria;
  const way = { tenantId: scope.tenantId, range: idsWithin(start, end), descending: true };
  return toldPlace(database, scope, way, reached);
}

/** Orders walks from new to old by the ids that they have reached, first those that have not begun. */
function leastFar({ reached: one }: Position, { reached: other }: Position): number {
  if (one === null || other === null) return one === other ? 0 : one === null ? -1 : 1;
  return one === other ? 0 : one > other ? -1 : 1;
}

/** Sums up tallies of the same criteria, a stretch at each step. */
async function* stretches(tallies: readonly Tally[], open: OpenWalk): AsyncGenerator<Position, Position> {
  let walk = open();
  const waiting = tallies.filter(({ begin }) => begin);
  if (waiting.length > 0) {
    let newest: { id: string; at: string } | null = null;
    for await (const [found] of walk.read<{ id: string; at: string }>(newestOf, () => 1)) {
      if (found) {
        newest = found;
        break;
      }
      yield walk;
    }
    for (const tally of waiting) tally.begin?.(newest && BigInt(newest.at));
    if (newest === null) return walk;
    walk = open(olderOrSame(newest.id));
  }
  const counting = tallies.filter((tally) => tally.rows() !== null);
  if (counting.length === 0) return { reached: null, ended: true };
  for await (const rows of walk.read<TallyRow & { nr: number }>((matching) => select(counting, matching))) {
    for (const row of rows) counting[row.nr]!.add(row);
    yield walk;
  }
  return walk;
}

const newestOf = (matching: Matching) => sql`
  select id, (extract(epoch from created_at) * 1000000)::bigint as at from ${matching} matching order by id desc limit 1`;

/** What all tallies want of one stretch, which is read once. */
function select(tallies: readonly Tally[], matching: Matching) {
  const columns = new Set(tallies.flatMap((tally) => tally.columns));
  const parts = tallies.map(
    (tally, index) => sql`select ${sql.lit(index)} as nr, key, detail, n from (${tally.rows()}) tally`,
  );
  return sql`
    with matching as materialized (select ${columnList(columns)} from ${matching} matching)
    ${sql.join(parts, sql` union all `)}`;
}
