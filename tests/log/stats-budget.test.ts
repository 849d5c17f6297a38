import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scope } from '../../src/auth/scope.js';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { LogFacet, StatsInterval } from '../../src/log/stats/log-stats.js';
import { StatsService } from '../../src/log/stats/stats.js';
import { ValueCounts } from '../../src/log/stats/value-counts.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { ACTORS, filters, type Known, matching, NOW, plant, scopes } from '../support/trail-oracle.js';

let own: TestDatabase;
let database: Database;
const tenantId = randomUUID();
const whole: Scope = { tenantId, clients: null };
let known: Known[];

beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl);
  known = await plant(database, tenantId, 1_500, 1_200, 11);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

/** Statistics whose budget is spent after so many looks at the clock. */
function hurried(looks: number, scope: Scope, filter: LogFilter) {
  let now = 0;
  const clock = () => {
    now += 1;
    return now;
  };
  const candidates = { first: 50, least: 10, most: 120 };
  const bounds = { searchMs: looks, stretchMs: 1_000, graceMs: 10_000, clock, candidates };
  return new StatsService(database, bounds).stats(toCriteria(scope, filter, NOW), 'UTC', NOW);
}

const sum = (counts: readonly { count: number }[]) => counts.reduce((total, { count }) => total + count, 0);

describe('statistics that stop at their budget', () => {
  test('cover what was looked at, and are exact where the stored counts suffice', async () => {
    let stops = 0;
    await fc.assert(
      fc.asyncProperty(
        scopes(tenantId),
        filters,
        fc.integer({ min: 1, max: 60 }),
        async (scope, filter, looks) => {
          const stats = hurried(looks, scope, filter);
          const [reach, totals, days, actions, outcomes, modules] = await Promise.all([
            stats.reach(),
            stats.totals(),
            stats.timeline(StatsInterval.WEEK),
            stats.facet(LogFacet.ACTION, 100),
            stats.facet(LogFacet.OUTCOME, 100),
            stats.facet(LogFacet.MODULE, 100),
          ]);
          const all = matching(known, scope, filter);
          const { actions: _, notActions: __, ...withoutActions } = filter;
          const { modules: ___, notModules: ____, ...withoutModules } = filter;
          const bounds = (found: Known[]) => [
            found.filter(({ createdAt }) => reach.searchedUntil === null || createdAt >= reach.searchedUntil)
              .length,
            found.length,
          ];
          const figures = [
            [totals.totalEntries, all],
            [sum(totals.entriesBySeverity), all],
            [sum(totals.entriesByModule), all],
            [sum(days), all],
            [sum(outcomes), all],
            [sum(actions), matching(known, scope, withoutActions)],
            [sum(modules), matching(known, scope, withoutModules)],
          ] as const;
          for (const [figure, found] of figures) {
            const [least, most] = bounds(found);
            expect(figure).toBeGreaterThanOrEqual(least!);
            expect(figure).toBeLessThanOrEqual(most!);
            if (reach.precision === 'EXACT') expect(figure).toBe(most);
          }
          expect(reach.precision).toBe(reach.searchedUntil === null ? 'EXACT' : 'AT_LEAST');
          if (reach.searchedUntil !== null) stops += 1;
          const isFine = ['actions', 'notActions', 'actorIds', 'actorEmail', 'resourceType'].some(
            (name) => filter[name as keyof LogFilter] !== undefined,
          );
          if (!isFine)
            expect([totals.totalEntries, sum(days), sum(modules)]).toEqual([
              all.length,
              all.length,
              matching(known, scope, withoutModules).length,
            ]);
          // Of the same criteria, they are of the same entries.
          else
            expect([sum(totals.entriesBySeverity), sum(days), sum(outcomes)]).toEqual(
              Array(3).fill(totals.totalEntries),
            );
        },
      ),
      { numRuns: 150 },
    );
    expect(stops).toBeGreaterThan(30);
  }, 120_000);

  test('have the timeline begin with the oldest match that was looked at', async () => {
    const stats = hurried(4, whole, { actorIds: [...ACTORS], notActions: ['usersx'] });
    const [buckets, reach, totals] = await Promise.all([
      stats.timeline(StatsInterval.DAY),
      stats.reach(),
      stats.totals(),
    ]);
    expect(reach.precision).toBe('AT_LEAST');
    expect(buckets[0]!.count).toBeGreaterThan(0);
    expect(buckets.at(-1)!.count).toBeGreaterThan(0);
    expect(buckets[0]!.end > reach.searchedUntil!).toBe(true);
    expect(sum(buckets)).toBe(totals.totalEntries);
  });

  test('say the reach of the totals where nothing else is asked for', async () => {
    expect(await hurried(3, whole, { search: 'nothing of the kind' }).reach()).toMatchObject({
      precision: 'AT_LEAST',
      searchedUntil: expect.any(String),
    });
    expect(await hurried(3, whole, {}).reach()).toEqual({ precision: 'EXACT', searchedUntil: null });
  });

  test('refuse one figure and give the others', async () => {
    const stats = hurried(1_000, whole, { actorIds: [ACTORS[0]!] });
    const [minutes, totals, reach] = await Promise.allSettled([
      stats.timeline(StatsInterval.MINUTE),
      stats.totals(),
      stats.reach(),
    ]);
    expect(minutes).toMatchObject({
      reason: { code: 'BAD_USER_INPUT', message: expect.stringContaining('such as DAY') },
    });
    expect(totals).toMatchObject({
      value: { totalEntries: known.filter(({ actorId }) => actorId === ACTORS[0]).length },
    });
    expect(reach).toMatchObject({ value: { precision: 'EXACT' } });
  });
});

describe('counts of many different values', () => {
  test('are right up to a bound, and then never too high', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.option(fc.string({ maxLength: 3 })), fc.integer({ min: 1, max: 9 })), {
          maxLength: 200,
        }),
        fc.integer({ min: 70, max: 5_000 }),
        (added, maxWeight) => {
          const counts = new ValueCounts(maxWeight);
          const right = new Map<string | null, number>();
          for (const [key, n] of added) {
            counts.add(key, n);
            right.set(key, (right.get(key) ?? 0) + n);
          }
          const top = counts.top(1_000);
          for (const { key, count } of top) expect(count).toBeLessThanOrEqual(right.get(key)!);
          if (!counts.isComplete) return;
          expect(new Map(top.map(({ key, count }) => [key, count]))).toEqual(right);
          expect(top.map(({ count }) => count)).toEqual([...right.values()].sort((a, b) => b - a));
        },
      ),
    );
  });

  test('keep the most frequent within bounded memory', () => {
    const counts = new ValueCounts(100_000);
    for (let n = 0; n < 50_000; n += 1) {
      counts.add(`actor-${n}`, 1);
      if (n % 10 === 0) counts.add('somebody', 1);
    }
    expect(counts.isComplete).toBe(false);
    expect(counts.top(1)).toEqual([{ key: 'somebody', kind: 0, count: 5_000 }]);
    expect(counts.top(Number.POSITIVE_INFINITY).length).toBeLessThan(1_600);
  });
});
