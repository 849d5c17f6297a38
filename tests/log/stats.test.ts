import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scope } from '../../src/auth/scope.js';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import { countValues } from '../../src/log/counts/day-counts.js';
import { SEVERITIES } from '../../src/log/entry/severity.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { LogFacet, StatsInterval } from '../../src/log/stats/log-stats.js';
import { StatsService } from '../../src/log/stats/stats.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { recount } from '../support/recount.js';
import {
  ACTORS,
  CLIENTS,
  filters,
  type Known,
  matching,
  NOW,
  plant,
  scopes,
  ZONES,
} from '../support/trail-oracle.js';

let own: TestDatabase;
let database: Database;
let service: StatsService;
const tenantId = randomUUID();
const whole: Scope = { tenantId, clients: null };
const empty: Scope = { tenantId: randomUUID(), clients: null };
let known: Known[];

beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl);
  service = new StatsService(database);
  known = await plant(database, tenantId, 4_000, 3_000, 42);
  await plant(database, randomUUID(), 500, 300, 43);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

const statsOf = (scope: Scope, filter: LogFilter | null, zone = 'UTC') =>
  service.stats(toCriteria(scope, filter, NOW), zone, NOW);

const zones = fc.constantFrom(...ZONES);
const byCount = (a: { key: string | null; count: number }, b: { key: string | null; count: number }) =>
  b.count - a.count ||
  (a.key === null ? 1 : b.key === null ? -1 : Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
const tally = (keys: readonly (string | null)[], labelOf: (key: string) => string | null = () => null) =>
  [...Map.groupBy(keys, (key) => key)]
    .map(([key, all]) => ({ key, label: key === null ? null : labelOf(key), count: all.length }))
    .sort(byCount);
const inGraveness = (entries: readonly Known[]) =>
  tally(entries.map((entry) => entry.severity)).sort(
    (a, b) => SEVERITIES.indexOf(a.key as never) - SEVERITIES.indexOf(b.key as never),
  );

/** The wall clock of a zone, as `2026-11-24 20:10` and the weekday; told by Intl, which the code does not use. */
function clock(timeZone: string) {
  const zone = timeZone === '-0330' ? '-03:30' : timeZone;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (instant: string) => {
    const parts = Object.fromEntries(
      format.formatToParts(Date.parse(instant)).map(({ type, value }) => [type, value]),
    );
    const date = `${parts.year}-${parts.month}-${parts.day}`;
    const monday = new Date(
      Date.parse(`${date}T00:00:00Z`) - ((new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7) * 86_400_000,
    );
    return {
      MINUTE: `${date} ${parts.hour}:${parts.minute}`,
      HOUR: `${date} ${parts.hour}`,
      DAY: date,
      WEEK: monday.toISOString().slice(0, 10),
      MONTH: date.slice(0, 7),
    };
  };
}

const actorKey = (entry: Known) => entry.actorId ?? entry.actorEmail?.toLowerCase() ?? entry.actorName;

/** The newest name of an actor, else e-mail address; of a key that is a name alone, that. */
const labelsIn = (scope: Scope) => (key: string) => {
  const newestFirst = matching(known, scope, {}).reverse();
  const [byId, byEmail] = [
    newestFirst.filter(({ actorId }) => actorId === key),
    newestFirst.filter(({ actorEmail }) => actorEmail?.toLowerCase() === key),
  ];
  const own = byId.length > 0 ? byId : byEmail;
  if (own.length === 0) return key;
  const named = own.find(({ actorName, actorEmail }) => actorName ?? actorEmail);
  return named?.actorName ?? named?.actorEmail ?? null;
};

describe('totals', () => {
  test('agree with counting one by one in any zone', async () => {
    await fc.assert(
      fc.asyncProperty(scopes(tenantId), filters, zones, async (scope, filter, zone) => {
        const found = matching(known, scope, filter);
        const at = clock(zone);
        const now = at(NOW.toISOString());
        const stats = statsOf(scope, filter, zone);
        expect(await Promise.all([stats.totals(), stats.reach()])).toEqual([
          {
            totalEntries: found.length,
            entriesBySeverity: inGraveness(found),
            entriesByModule: tally(found.map((entry) => entry.module)),
            entriesToday: found.filter((entry) => at(entry.createdAt).DAY >= now.DAY).length,
            entriesThisWeek: found.filter((entry) => at(entry.createdAt).WEEK >= now.WEEK).length,
          },
          { precision: 'EXACT', searchedUntil: null },
        ]);
      }),
      { numRuns: 80 },
    );
  }, 120_000);

  test('of nothing are nothing', async () => {
    const stats = statsOf(empty, null);
    expect(await stats.totals()).toMatchObject({
      totalEntries: 0,
      entriesBySeverity: [],
      entriesByModule: [],
      entriesToday: 0,
      entriesThisWeek: 0,
    });
    expect(await stats.timeline(StatsInterval.DAY)).toEqual([]);
    expect(await stats.facet(LogFacet.CLIENT, 10)).toEqual([]);
  });

  test.each([
    'Mars/Olympus',
    '',
    'UTC ',
    '+25:00',
    '2026-01-01T00:00[Asia/Kolkata]',
    '2026-01-01T00:00Z',
    'A'.repeat(65),
    "UTC'",
  ])('refuse %j as a time zone', (zone) => {
    expect(() => statsOf(whole, null, zone)).toThrow(
      expect.objectContaining({
        code: 'BAD_USER_INPUT',
        message: expect.stringMatching(/^timeZone: expected an IANA time zone/),
      }),
    );
  });
});

test('what is asked for together is counted once where a statement is not there as it was prepared', async () => {
  const single = await connect(own.runtimeUrl, 1);
  const one = new StatsService(single);
  const ask = async (fields: readonly LogFacet[], withTotals: boolean) => {
    const stats = one.stats(toCriteria(whole, null, NOW), 'UTC', NOW);
    return Promise.all([
      withTotals ? stats.totals() : null,
      ...fields.map((field) => stats.facet(field, 100)),
      withTotals ? stats.timeline(StatsInterval.DAY) : null,
    ]);
  };
  // The first two are prepared and counted before the third is found missing.
  await ask([LogFacet.CLIENT], false);
  await single.read(tenantId, (execute) => execute(sql`deallocate all`));
  const together = await ask([LogFacet.MODULE, LogFacet.CLIENT], true);
  await single.close();
  const apart = statsOf(whole, null);
  expect(together).toEqual([
    await apart.totals(),
    await apart.facet(LogFacet.MODULE, 100),
    await apart.facet(LogFacet.CLIENT, 100),
    await apart.timeline(StatsInterval.DAY),
  ]);
});

describe('timeline', () => {
  test('counts every match in the bucket of its wall clock, empty buckets too', async () => {
    const intervals = fc.constantFrom(...Object.values(StatsInterval));
    await fc.assert(
      fc.asyncProperty(scopes(tenantId), filters, zones, intervals, async (scope, filter, zone, interval) => {
        const stats = statsOf(scope, filter, zone);
        const found = matching(known, scope, filter);
        const [first, last] = [
          filter.startDate ?? found[0]?.createdAt,
          filter.endDate ?? found.at(-1)?.createdAt,
        ];
        const [days, at] = [
          first && last ? (Date.parse(last) - Date.parse(first)) / 86_400_000 : 0,
          clock(zone),
        ];
        const perDay = { MINUTE: 1_440, HOUR: 24 }[interval as string];
        if (perDay && days * perDay > 999) {
          await expect(stats.timeline(interval)).rejects.toMatchObject({
            code: 'BAD_USER_INPUT',
            message: expect.stringContaining(days * 24 > 999 ? 'such as DAY' : 'such as HOUR'),
          });
          return;
        }
        const buckets = await stats.timeline(interval);
        if (!first || !last || first > last) {
          expect(buckets).toEqual([]);
          return;
        }
        expect(buckets[0]!.start <= first && first < buckets[0]!.end).toBe(true);
        expect(buckets.at(-1)!.start <= last && last < buckets.at(-1)!.end).toBe(true);
        expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(found.length);
        for (const [index, { start, end, count, bySeverity }] of buckets.entries()) {
          const within = found.filter((entry) => entry.createdAt >= start && entry.createdAt < end);
          expect({ start, count, bySeverity }).toEqual({
            start,
            count: within.length,
            bySeverity: inGraveness(within),
          });
          const name = at(start)[interval];
          expect(new Set(within.map((entry) => at(entry.createdAt)[interval]))).toEqual(
            new Set(within.length > 0 ? [name] : []),
          );
          expect(buckets[index + 1]?.start ?? end).toBe(end);
          const before = at(new Date(Date.parse(start) - 1).toISOString())[interval];
          if (!perDay) expect([before < name, at(end)[interval] > name]).toEqual([true, true]);
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  test('begins and ends where the dates say, with nothing in between', async () => {
    const filter: LogFilter = {
      startDate: '2011-12-29T12:00:00.000000Z',
      endDate: '2012-01-01T12:00:00.000000Z',
    };
    const buckets = await statsOf(empty, filter, 'Pacific/Apia').timeline(StatsInterval.DAY);
    // Samoa had no 30 December in 2011.
    expect(buckets).toEqual(
      [
        ['2011-12-29T10:00:00.000000Z', '2011-12-30T10:00:00.000000Z'],
        ['2011-12-30T10:00:00.000000Z', '2011-12-31T10:00:00.000000Z'],
        ['2011-12-31T10:00:00.000000Z', '2012-01-01T10:00:00.000000Z'],
        ['2012-01-01T10:00:00.000000Z', '2012-01-02T10:00:00.000000Z'],
      ].map(([start, end]) => ({ start, end, count: 0, bySeverity: [] })),
    );
  });

  test.each([
    [StatsInterval.MINUTE, '2026-03-01', '2026-03-02', 'such as HOUR'],
    [StatsInterval.MINUTE, '2026-03-01', '2026-11-01', 'such as DAY'],
    [StatsInterval.HOUR, '2026-03-01', '2026-11-01', 'such as DAY'],
    [StatsInterval.HOUR, '2020-01-01', '2026-01-01', 'such as WEEK'],
    [StatsInterval.DAY, '1990-01-01', '2026-01-01', 'such as MONTH'],
    [StatsInterval.MONTH, '0001-01-01', '9999-12-31', 'less than 1,000 months apart'],
  ])('refuses more than 1,000 buckets by %s', async (interval, from, to, hint) => {
    const filter = { startDate: `${from}T00:00:00.000000Z`, endDate: `${to}T00:00:00.000000Z` };
    const stats = statsOf(whole, filter);
    await expect(stats.timeline(interval)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining(hint),
    });
  });

  test.each([
    [StatsInterval.HOUR, '2026-02-11T15:59:59.999999Z', '2026-02-11T16:00:00.000000Z'],
    [StatsInterval.MINUTE, '2026-01-01T17:38:59.999999Z', '2026-01-01T17:39:00.000000Z'],
  ])('takes exactly 1,000 buckets by %s', async (interval, last, beyond) => {
    const until = (end: string) =>
      statsOf(whole, { startDate: '2026-01-01T00:59:59.999999Z', endDate: end }, 'UTC').timeline(interval);
    expect(await until(last)).toHaveLength(1_000);
    await expect(until(beyond)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('shows each minute of an hour that the clock repeats or skips', async () => {
    const around = async (zone: string, start: string, end: string) =>
      (await statsOf(empty, { startDate: start, endDate: end }, zone).timeline(StatsInterval.MINUTE)).map(
        (bucket) => [bucket.start, bucket.end],
      );
    const minutes = (from: string, count: number) =>
      Array.from({ length: count }, (_, index) =>
        [index, index + 1].map((at) =>
          new Date(Date.parse(from) + at * 60_000).toISOString().replace('Z', '000Z'),
        ),
      );
    for (const [zone, from] of [
      ['Europe/Berlin', '2026-10-25T00:30:00Z'],
      ['Europe/Berlin', '2026-03-29T00:30:00Z'],
      ['Australia/Lord_Howe', '2026-04-04T14:30:00Z'],
      ['+05:37', '2026-04-04T14:30:00Z'],
    ] as const) {
      const end = new Date(Date.parse(from) + 119 * 60_000 + 59_999).toISOString();
      expect(await around(zone, from.replace('Z', '.000000Z'), end.replace('Z', '999Z'))).toEqual(
        minutes(from, 120),
      );
    }
  });
});

describe('facet', () => {
  const VALUES: Record<LogFacet, [(entry: Known) => string | null, (keyof LogFilter)[]]> = {
    MODULE: [(entry) => entry.module, ['modules', 'notModules']],
    ACTION: [(entry) => entry.action, ['actions', 'notActions']],
    SEVERITY: [(entry) => entry.severity, ['severities', 'minSeverity']],
    ACTOR: [actorKey, ['actorIds', 'actorEmail']],
    RESOURCE_TYPE: [(entry) => entry.resourceType, ['resourceType']],
    CLIENT: [(entry) => entry.clientId, ['clientId']],
    OUTCOME: [(entry) => entry.outcome, []],
    ORIGIN: [() => 'MODULE', ['origin']],
  };

  test("counts the values of a field without the filter's own condition on it", async () => {
    const fields = fc.constantFrom(...Object.values(LogFacet));
    await fc.assert(
      fc.asyncProperty(
        scopes(tenantId),
        filters,
        fields,
        fc.integer({ min: 1, max: 6 }),
        async (scope, filter, field, first) => {
          const [keyOf, left] = VALUES[field];
          const without = { ...filter, ...Object.fromEntries(left.map((name) => [name, undefined])) };
          const labelOf = field === LogFacet.ACTOR ? labelsIn(scope) : undefined;
          const expected = tally(matching(known, scope, without).map(keyOf), labelOf).slice(0, first);
          expect(await statsOf(scope, filter).facet(field, first)).toEqual(expected);
        },
      ),
      { numRuns: 80 },
    );
  }, 120_000);

  test.each<LogFilter>([
    { query: `actor:${ACTORS[0]}` },
    { query: 'actor:none' },
    { query: `-actor:${ACTORS[0]}` },
    { actorName: 'ana' },
  ])('of the actor leaves out what %j says of it', async (filter) => {
    const stats = statsOf(whole, filter);
    expect(await stats.facet(LogFacet.ACTOR, 100)).toEqual(tally(known.map(actorKey), labelsIn(whole)));
  });

  test('names clients as the grants of the caller do', async () => {
    const scope = { ...whole, clientNames: new Map([[CLIENTS[0]!, 'Padaria Aurora']]) };
    const found = await statsOf(scope, null).facet(LogFacet.CLIENT, 10);
    expect(found.map(({ key, label }) => [key, label]).sort()).toEqual(
      [
        [CLIENTS[0], 'Padaria Aurora'],
        [CLIENTS[1], null],
        [CLIENTS[2], null],
        [null, null],
      ].sort(),
    );
  });

  test('is a sum of stored counts unless that would be of very many', async () => {
    const criteria = toCriteria(whole, null, NOW);
    const values = (mostRows?: number) =>
      database.read(tenantId, (execute) => countValues(execute, criteria, 'actor', 1_000, mostRows), {
        inIndexOrder: true,
      });
    const found = await values();
    expect(found!.map(({ value, n }) => ({ key: value, count: Number(n) }))).toEqual(
      tally(known.map(actorKey)).map(({ key, count }) => ({ key, count })),
    );
    expect(await values(10)).toBeNull();
    // Nor is it said that there is none where those that were read do not match.
    const nowhere = toCriteria(whole, { modules: ['nowhere'] }, NOW);
    const actions = (mostRows?: number) =>
      database.read(tenantId, (execute) => countValues(execute, nowhere, 'action', 1_000, mostRows), {
        inIndexOrder: true,
      });
    expect([await actions(), await actions(10)]).toEqual([[], null]);
  });

  test('names nobody by what was erased', async () => {
    const tenantId = randomUUID();
    const erased = await plant(database, tenantId, 60, 40, 7);
    await own.query(
      `update reel_log_entries set actor_name = null, actor_email = null, actor_email_folded = null, actor_name_folded = null
       where tenant_id = $1`,
      [tenantId],
    );
    for (const statement of recount(`'${tenantId}'`)) await own.query(statement);
    const stats = statsOf({ tenantId, clients: null }, null);
    expect(await stats.facet(LogFacet.ACTOR, 10)).toEqual(tally(erased.map(({ actorId }) => actorId)));
  });

  test.each([0, -1, 101, 1.5])('refuses %s values', async (first) => {
    const stats = statsOf(whole, null);
    await expect(stats.facet(LogFacet.ACTION, first)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: `first: expected 1 to 100, got ${first}`,
    });
  });
});
