import { sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute } from '../../database/execute.js';
import { unavailable } from '../../errors.js';
import { sumCounts } from '../counts/counts.js';
import { sumDays } from '../counts/day-counts.js';
import { CountPrecision, type LogCount } from '../counts/log-count.js';
import { type Criteria, isCountable, isCountableByDay } from '../filter/criteria.js';
import { whereAll, whereInScope } from '../filter/where.js';
import { Budget, type LookingBounds } from '../walk/budget.js';
import { type Matching, Walk } from '../walk/walk.js';

/** A count that need not be exact stops here. */
export const COUNT_CAP = 10_000;

/** How far a count goes: to COUNT_CAP within the budget, to the end within the budget, or to the end (else UNAVAILABLE). */
export type CountReach = 'cap' | 'budget' | 'exact';

/** Counts one tenant's matching entries, from the stored counts where they suffice, else in stretches. */
export class Counting {
  constructor(
    private readonly database: ReadDatabase,
    private readonly bounds: LookingBounds,
  ) {}

  async count(criteria: Criteria, reach: CountReach): Promise<LogCount> {
    if (isCountable(criteria)) {
      const { tenantId } = criteria.scope;
      const execute: Execute = (statement) =>
        this.database.query(tenantId, statement, { inIndexOrder: true, isKept: true });
      return { value: await sumCounts(execute, criteria), precision: CountPrecision.EXACT };
    }
    if (isCountableByDay(criteria)) {
      const value = await this.database.read(
        criteria.scope.tenantId,
        (execute) => sumDays(execute, criteria),
        { inIndexOrder: true },
      );
      if (value !== null) return { value, precision: CountPrecision.EXACT };
    }
    if (reach === 'exact') return { value: await this.exact(criteria, all), precision: CountPrecision.EXACT };
    const walk = this.walk(criteria, false);
    let value = 0;
    for await (const [row] of walk.read<{ n: string }>(all)) {
      value += Number(row?.n ?? 0);
      if (reach === 'cap' && value > COUNT_CAP)
        return { value: COUNT_CAP, precision: CountPrecision.AT_LEAST };
    }
    return { value, precision: walk.ended ? CountPrecision.EXACT : CountPrecision.AT_LEAST };
  }

  /** How many entries up to the sequence `upTo` match. Errors: UNAVAILABLE where counting takes too long. */
  async countSequenced(criteria: Criteria, upTo: number): Promise<number> {
    const { tenantId } = criteria.scope;
    if (!isCountable(criteria))
      return this.exact(criteria, (matching) => sequenced(matching, tenantId, upTo));
    return this.database.read(
      tenantId,
      async (execute) => (await sumCounts(execute, criteria)) - (await countAfter(execute, criteria, upTo)),
      { inIndexOrder: true },
    );
  }

  private walk(criteria: Criteria, exact: boolean): Walk {
    const { exactMs, searchMs, statementMs, clock } = this.bounds;
    const budget = new Budget(exact ? exactMs : searchMs, clock);
    const options = { descending: true, budget, statementMs: exact ? statementMs : null };
    return new Walk(this.database, criteria, options, this.bounds);
  }

  private async exact(criteria: Criteria, select: typeof all): Promise<number> {
    const walk = this.walk(criteria, true);
    let count = 0;
    for await (const [row] of walk.read<{ n: string }>(select)) count += Number(row?.n ?? 0);
    if (walk.ended) return count;
    const seconds = this.bounds.exactMs / 1000;
    throw unavailable(
      `Counting every match took longer than ${seconds} s; ask for a shorter time, or for less`,
    );
  }
}

const all = (matching: Matching) => sql<unknown>`select count(*) as n from ${matching} matching`;

const sequenced = (matching: Matching, tenantId: string, upTo: number) => sql<unknown>`
  select count(*) as n from (select id from ${matching} matching offset 0) found
  cross join lateral (
    select from reel_log_sequence where tenant_id = ${tenantId}::uuid
      and entry_id >= found.id and entry_id <= found.id and seq <= ${upTo}
    order by entry_id limit 1
  ) positions`;

/** Matching entries that are not sequenced yet, or after `upTo`: those since an export was asked for. */
async function countAfter(execute: Execute, criteria: Criteria, upTo: number): Promise<number> {
  const { tenantId } = criteria.scope;
  const ofTenant = whereInScope({ tenantId, clients: null });
  const [row] = await execute<{ n: string }>(sql`
    select count(*) as n from (
      (select entry_id from reel_log_inbox where ${ofTenant} order by entry_id offset 0)
      union all
      (select entry_id from reel_log_sequence where ${ofTenant} and seq > ${upTo} order by seq offset 0)
    ) later cross join lateral (
      select from reel_log_entries where ${whereAll(criteria)} and id >= later.entry_id and id <= later.entry_id
      order by id limit 1
    ) matching`);
  return Number(row?.n ?? 0);
}
