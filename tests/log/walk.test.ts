import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import type { Database, ReadDatabase } from '../../src/database/database.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { idOf, whereAll } from '../../src/log/filter/where.js';
import { LogConnection } from '../../src/log/read/log-connection.js';
import { LogOrder, type PageRequest } from '../../src/log/read/page.js';
import { LogReader, tell } from '../../src/log/read/reader.js';
import type { LookingBounds } from '../../src/log/walk/budget.js';
import { storeMany } from '../support/many-entries.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { countingStatements } from '../support/statement-count.js';
import { filters, type Known, matching, NOW, plant, scopes } from '../support/trail-oracle.js';

let own: TestDatabase;
let database: Database;
const tenantId = randomUUID();
const manyClient = randomUUID();
let known: Known[];

beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl);
  known = await plant(database, tenantId, 500, 400, 11);
  await plant(database, randomUUID(), 100, 60, 12);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

/** A reader whose budget is spent after so many looks at the clock. */
function hurried(looks: number, bounds: Partial<LookingBounds>): LogReader {
  let now = 0;
  return new LogReader(database, 50, {
    searchMs: looks,
    stretchMs: 1_000,
    graceMs: 10_000,
    clock: () => {
      now += 1;
      return now;
    },
    ...bounds,
  });
}

const sizes = fc.record({
  first: fc.integer({ min: 4, max: 60 }),
  least: fc.integer({ min: 4, max: 20 }),
  most: fc.integer({ min: 20, max: 300 }),
});

/** Conditions that indexes serve in each of their ways, alone and together, and some that none serves. */
const indexedFilters = (newest: number, secondsApart: number): fc.Arbitrary<LogFilter> => {
  const seldom = <T>(values: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });
  const maybe = <T>(...values: T[]) => seldom(fc.constantFrom(...values));
  const time = fc
    .integer({ min: -400, max: 10 })
    .map((seconds) => new Date(newest + seconds * secondsApart * 1000).toISOString());
  return fc.record({
    modules: maybe(['rare'], ['rare', 'common']),
    severities: maybe(['CRITICAL'], ['ERROR', 'CRITICAL'], ['DEBUG', 'ERROR']),
    minSeverity: maybe('CRITICAL', 'ERROR', 'WARNING'),
    actions: maybe(['users.*'], ['users.1*'], ['users.7', 'users.8'], ['roles.*', 'users.9'], ['none']),
    actorIds: maybe(['somebody'], ['actor-*'], ['actor-3', 'some*'], ['nobody']),
    resourceType: maybe('invoice', 'none'),
    resourceId: maybe('invoice-7', 'invoice-200'),
    requestId: maybe('request-40'),
    ipAddress: maybe('10.0.7.0/24', '10.0.0.0/16', '10.0.7.1', '192.168.0.0/16'),
    clientId: maybe(manyClient),
    occurredFrom: seldom(time),
    occurredUntil: seldom(time),
    startDate: seldom(time),
    query: maybe(
      'actor:actor-3',
      'resource:invoice/invoice-77',
      'actor:none',
      '-action:users.3',
      'module:rare action:users.1',
      'module:common action:users.0 severity:critical',
      'data.n>100',
    ),
  });
};

describe('a walk by any index', () => {
  test.each([
    ['within minutes', 1, 'false'],
    // Of which some days have no match.
    ['within weeks', 7_200, 'n in (3, 40) or n > 290'],
  ])(
    'finds what a full scan finds %s, however little it takes at once',
    async (_, secondsApart, isWaiting) => {
      const newest = Date.now() - 3_600_000;
      const manyTenant = randomUUID();
      await storeMany(own, {
        tenantId: manyTenant,
        clientId: manyClient,
        count: 300,
        newest: new Date(newest),
        secondsApart,
        isWaiting,
      });
      await fc.assert(
        fc.asyncProperty(
          indexedFilters(newest, secondsApart),
          fc.constantFrom(null, [manyClient], []),
          fc.boolean(),
          fc.record({
            first: fc.integer({ min: 10, max: 100 }),
            least: fc.constant(10),
            most: fc.integer({ min: 100, max: 300 }),
          }),
          fc.integer({ min: 0, max: 300 }),
          fc.integer({ min: 1, max: 12 }),
          async (filter, clients, descending, candidates, gathered, looks) => {
            const reader = hurried(looks, { candidates, gathered });
            const criteria = toCriteria({ tenantId: manyTenant, clients }, filter, NOW);
            const order = descending ? sql`desc` : sql`asc`;
            const expected = await database.read(manyTenant, (execute) =>
              execute(sql`select id from reel_log_entries where ${whereAll(criteria)} order by id ${order}`),
            );
            const orderBy = descending ? LogOrder.NEWEST_FIRST : LogOrder.OLDEST_FIRST;
            const found: string[] = [];
            let after: string | null = null;
            let pages = 0;
            do {
              pages += 1;
              expect(pages).toBeLessThan(400);
              const page = new LogConnection(
                await reader.list(criteria, { orderBy, first: 60, after }),
                criteria,
              );
              found.push(...page.nodes.map(({ id }) => id));
              after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
            } while (after !== null);
            expect(found).toEqual(expected.map(({ id }) => id));
            expect(await reader.count(criteria, 'exact')).toEqual({
              value: found.length,
              precision: 'EXACT',
            });
            const counted = await reader.count(criteria, 'budget');
            if (counted.precision === 'EXACT') expect(counted.value).toBe(found.length);
            else expect(counted.value).toBeLessThanOrEqual(found.length);
          },
        ),
        { numRuns: 40 },
      );
    },
    120_000,
  );
});

describe('a page that takes several stretches', () => {
  test.each<[string, LogFilter]>([
    ['of an index', { minSeverity: LogSeverity.ERROR }],
    ['of two indexes', { modules: ['common'], severities: [LogSeverity.ERROR] }],
    ['along the key', { query: 'data.n>0' }],
    ['along the key, of few', { query: 'data.n>200' }],
  ])('%s has each entry once, though others come while it is read', async (_, filter) => {
    const busy = randomUUID();
    const newest = new Date(Date.now() - 3_600_000);
    await storeMany(own, { tenantId: busy, clientId: manyClient, count: 400, newest });
    let statements = 0;
    const arriving: ReadDatabase = {
      read: (tenant, work, options) => database.read(tenant, work, options),
      query: async (tenant, statement, options) => {
        const rows = await database.query(tenant, statement, options);
        statements += 1;
        // As the newest one, but later.
        await own.query(
          `insert into reel_log_entries (tenant_id, id, module, action, severity, origin, leaf_version, data, search_text, occurred_at, created_at, identity_digest)
          select tenant_id, $2, module, action, 3, origin, leaf_version, data, search_text, $3, $3, identity_digest
          from reel_log_entries where tenant_id = $1 order by id desc limit 1`,
          [
            busy,
            idOf(newest.getTime() + 1_000 * statements),
            new Date(newest.getTime() + 1_000 * statements),
          ],
          'superuser',
        );
        return rows as never;
      },
    };
    for (const first of [8, 13, 20, 30]) {
      const reader = new LogReader(arriving, 50, { candidates: { first, least: 5, most: 200 } });
      const { entries } = await reader.list(toCriteria({ tenantId: busy, clients: null }, filter, NOW), {
        first: 60,
      });
      const ids = entries.map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].sort().reverse());
      expect(ids).toHaveLength(60);
    }
    // To the end, which moves on.
    const criteria = toCriteria({ tenantId: busy, clients: null }, filter, NOW);
    const before = await database.read(busy, (execute) =>
      execute<{ id: string }>(sql`select id from reel_log_entries where ${whereAll(criteria)} order by id`),
    );
    const reader = new LogReader(arriving, 50, { candidates: { first: 8, least: 5, most: 200 } });
    const { entries } = await reader.list(criteria, { orderBy: LogOrder.OLDEST_FIRST, first: before.length });
    expect(entries.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  });

  test.each([1, 30, 45, 49, 50])('a list of %d, of pages of 50, takes few of them', async (count) => {
    const long = randomUUID();
    await storeMany(own, { tenantId: long, clientId: manyClient, count: 5_000, newest: new Date(NOW) });
    const counted = countingStatements(database);
    const criteria = toCriteria({ tenantId: long, clients: null }, { query: `data.n>${5_000 - count}` }, NOW);
    const page = await new LogReader(counted.database).list(criteria, { first: 50 });
    expect([page.entries.length, await tell(page.hasNextPage)]).toEqual([count, false]);
    expect(counted.count()).toBeLessThan(20);
  });
});

describe('a list that stops at its budget', () => {
  test('goes on by its cursors to what a full scan finds, in either order and direction', async () => {
    let stops = 0;
    await fc.assert(
      fc.asyncProperty(
        scopes(tenantId),
        filters,
        fc.constantFrom(LogOrder.NEWEST_FIRST, LogOrder.OLDEST_FIRST),
        fc.boolean(),
        fc.integer({ min: 5, max: 60 }),
        fc.integer({ min: 1, max: 12 }),
        sizes,
        fc.integer({ min: 0, max: 300 }),
        async (scope, filter, orderBy, backwards, size, looks, candidates, gathered) => {
          const reader = hurried(looks, { candidates, gathered });
          const criteria = toCriteria(scope, filter, NOW);
          const expected = matching(known, scope, filter);
          // Towards older entries.
          const descending = (orderBy === LogOrder.NEWEST_FIRST) !== backwards;
          if (descending) expected.reverse();
          const found: string[] = [];
          let cursor: string | null = null;
          for (let pages = 0; ; pages += 1) {
            expect(pages).toBeLessThan(known.length + 10);
            const request: PageRequest = backwards
              ? { orderBy, last: size, before: cursor }
              : { orderBy, first: size, after: cursor };
            const { nodes, pageInfo } = new LogConnection(await reader.list(criteria, request), criteria);
            const ids = nodes.map(({ id }) => id);
            found.push(...(backwards ? ids.reverse() : ids));
            const { searchedUntil } = pageInfo;
            const more = backwards ? pageInfo.hasPreviousPage : pageInfo.hasNextPage;
            if (searchedUntil !== null) {
              stops += 1;
              expect(nodes.length).toBeLessThan(size);
              expect(more).toBe(true);
              const missing = expected.slice(found.length);
              for (const { createdAt } of missing)
                if (descending) expect(createdAt < searchedUntil).toBe(true);
                else expect(createdAt > searchedUntil).toBe(true);
            } else expect(nodes.length === size || !more).toBe(true);
            if (cursor !== null && found.length > ids.length)
              expect(await tell(backwards ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)).toBe(true);
            if (!more) break;
            cursor = backwards ? pageInfo.startCursor : pageInfo.endCursor;
            expect(cursor).not.toBeNull();
            // Where it stopped may be another client's entry, of which such a reader is told nothing.
            if (searchedUntil !== null && scope.clients !== null)
              expect(
                known.filter(({ id, clientId }) => id === cursor && !scope.clients!.includes(clientId!)),
              ).toEqual([]);
          }
          expect(found).toEqual(expected.map(({ id }) => id));
        },
      ),
      { numRuns: 40 },
    );
    expect(stops).toBeGreaterThan(0);
  }, 120_000);
});

describe('entries of which each takes long to test', () => {
  let slow: TestDatabase;
  let connected: Database;
  const ofSlow = randomUUID();

  beforeAll(async () => {
    slow = await createDatabase();
    connected = await connect(slow.runtimeUrl);
    await plant(connected, ofSlow, 40, 40, 13);
    await slow.query(
      `create policy slow on reel_log_entries as restrictive for select to public using (pg_sleep(0.2) is not null)`,
    );
  });
  afterAll(async () => {
    await connected?.close();
    await slow?.drop();
  });

  test('are looked at one by one, rather than not at all', async () => {
    // 16 take longer than any statement may.
    const reader = new LogReader(connected, 50, { searchMs: 300, graceMs: 100, statementMs: 2_000 });
    const criteria = toCriteria({ tenantId: ofSlow, clients: null }, { notActions: ['none'] }, NOW);
    const found: string[] = [];
    for (let after: string | null = null; found.length < 2; ) {
      const page = new LogConnection(await reader.list(criteria, { first: 50, after }), criteria);
      expect(page.pageInfo).toMatchObject({ hasNextPage: true, searchedUntil: expect.any(String) });
      expect(page.nodes.length).toBeGreaterThan(0);
      found.push(...page.nodes.map(({ id }) => id));
      after = page.pageInfo.endCursor;
    }
    const newest = await slow.query(
      'select id from reel_log_entries where tenant_id = $1 order by id desc limit $2',
      [ofSlow, found.length],
    );
    expect(found).toEqual(newest.map(({ id }) => id));
  }, 60_000);
});

describe('pages of a log of a year', () => {
  test('are found in whichever months they are, whatever pages were asked for before', async () => {
    const years = randomUUID();
    const days = randomUUID();
    const newest = new Date(Date.now() - 3_600_000);
    await own.query(
      `select reel_ensure_month(now() - make_interval(months => ago)) from generate_series(0, 13) ago`,
      [],
      'superuser',
    );
    const own300 = { clientId: manyClient, count: 300, newest };
    await storeMany(own, { ...own300, tenantId: years, secondsApart: 100_000 });
    await storeMany(own, { ...own300, tenantId: days, secondsApart: 1_000 });
    const idsOf = async (tenant: string) =>
      (
        await own.query(
          'select id from reel_log_entries where tenant_id = $1 order by id desc',
          [tenant],
          'superuser',
        )
      ).map(({ id }) => id as string);
    const known = new Map([
      [years, await idsOf(years)],
      [days, await idsOf(days)],
    ]);
    const seen: number[] = [];
    const counting = {
      read: database.read.bind(database),
      query: (...args: Parameters<Database['query']>) => {
        seen[seen.length - 1]! += 1;
        return database.query(...args);
      },
    } as unknown as Database;
    const reader = new LogReader(counting, 50);
    const asked = fc.record({
      tenant: fc.constantFrom(years, days),
      size: fc.constantFrom(1, 10, 60),
      isNewestFirst: fc.boolean(),
      at: fc.integer({ min: -1, max: 299 }),
      byNumber: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 12 }), async (pages) => {
        for (const { tenant, size, isNewestFirst, at, byNumber } of pages) {
          seen.push(0);
          const newestFirst = known.get(tenant)!;
          const ids = isNewestFirst ? newestFirst : newestFirst.toReversed();
          const from = byNumber ? Math.floor((at + 1) / size) * size : at + 1;
          const criteria = toCriteria({ tenantId: tenant, clients: null }, {}, NOW);
          const page = await reader.list(criteria, {
            orderBy: isNewestFirst ? LogOrder.NEWEST_FIRST : LogOrder.OLDEST_FIRST,
            first: size,
            ...(byNumber ? { page: from / size + 1 } : { after: ids[at] ?? null }),
          });
          expect(page.entries.map(({ id }) => id)).toEqual(ids.slice(from, from + size));
          expect(page.hasNextPage).toBe(from + size < ids.length);
        }
      }),
      { numRuns: 30 },
    );
    // Where the months of the page before do not suffice, all are looked at, and no more than once.
    expect(Math.max(...seen)).toBe(2);
    expect(Math.min(...seen)).toBe(1);
  });
});
