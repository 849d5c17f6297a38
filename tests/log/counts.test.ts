import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import { locatePage } from '../../src/log/counts/locate-page.js';
import { splitTime, type TimeRange } from '../../src/log/counts/time-spans.js';
import { ALL_COLUMNS } from '../../src/log/entry/stored-entry.js';
import { everything, toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { every, whereAll, whereWithin } from '../../src/log/filter/where.js';
import type { CountReach } from '../../src/log/read/counting.js';
import { LogOrder } from '../../src/log/read/page.js';
import { LogReader } from '../../src/log/read/reader.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { countingStatements } from '../support/statement-count.js';
import { filters, type Known, matching, NOW, plant, scopes } from '../support/trail-oracle.js';

let own: TestDatabase;
let database: Database;
let reader: LogReader;
const reaches = fc.constantFrom<CountReach>('cap', 'budget', 'exact');
const tenantId = randomUUID();
let known: Known[];

beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl);
  reader = new LogReader(database);
  known = await plant(database, tenantId, 6_000, 4_500, 7);
  await plant(database, randomUUID(), 500, 300, 8);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

describe('pieces of time', () => {
  const UNIT = { entry: 1n, quarter: 900_000_000n, day: 86_400_000_000n, block: 1_382_400_000_000n };

  test('cover the stretch once, on whole units, and no row of one lies across a cut', () => {
    const instant = fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n });
    const quarters = fc.bigInt({ min: -20_000n, max: 20_000n }).map((quarter) => quarter * UNIT.quarter);
    const times = fc.oneof(instant, quarters);
    fc.assert(
      fc.property(
        times,
        times,
        fc.array(times, { maxLength: 5 }),
        fc.constantFrom('block', 'day', 'quarter'),
        (from, until, cuts, largest) => {
          const pieces = splitTime(from, until, cuts, largest);
          if (from >= until) {
            expect(pieces).toEqual([]);
            return;
          }
          expect(pieces[0]!.from).toBe(from);
          expect(pieces.at(-1)!.until).toBe(until);
          pieces.reduce((before: TimeRange | null, piece) => {
            if (before) expect([piece.from, piece.span === before.span]).toEqual([before.until, false]);
            expect(piece.from < piece.until).toBe(true);
            expect(
              [piece.from % UNIT[piece.span], piece.until % UNIT[piece.span]].every((rest) => rest === 0n),
            ).toBe(true);
            for (const cut of cuts)
              if (cut > piece.from && cut < piece.until) expect(cut % UNIT[piece.span] === 0n).toBe(true);
            if (largest !== 'block') expect(piece.span).not.toBe('block');
            if (largest === 'quarter') expect(piece.span).not.toBe('day');
            return piece;
          }, null);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('a count', () => {
  test('agrees with counting one by one, whatever is in the inbox', async () => {
    await fc.assert(
      fc.asyncProperty(scopes(tenantId), filters, reaches, async (scope, filter, reach) => {
        const count = await reader.count(toCriteria(scope, filter, NOW), reach);
        expect(count).toEqual({ value: matching(known, scope, filter).length, precision: 'EXACT' });
      }),
      { numRuns: 200 },
    );
  });

  test('stops at 10,000 where entries are counted one by one and it need not be exact', async () => {
    const scope = { tenantId: randomUUID(), clients: null };
    const many = await plant(database, scope.tenantId, 10_001, 4_000, 9);
    const last = many.map((entry) => entry.createdAt).sort()[9_999]!;
    const filter = { notActorIds: ['none'] };
    const count = (given: LogFilter, reach: CountReach) => reader.count(toCriteria(scope, given, NOW), reach);
    expect(await count(filter, 'cap')).toEqual({ value: 10_000, precision: 'AT_LEAST' });
    expect(await count(filter, 'exact')).toEqual({ value: 10_001, precision: 'EXACT' });
    expect(await count(filter, 'budget')).toEqual({ value: 10_001, precision: 'EXACT' });
    expect(await count({}, 'cap')).toEqual({ value: 10_001, precision: 'EXACT' });
    expect(await count({ ...filter, endDate: last }, 'cap')).toEqual({ value: 10_000, precision: 'EXACT' });
  });

  test('is exact in years 0001 and 9999', async () => {
    const scope = { tenantId, clients: null };
    const count = (startDate: string, endDate: string) =>
      reader.count(toCriteria(scope, { startDate, endDate }, NOW), 'cap');
    const [first, last] = ['0001-01-01T00:00:00.000000Z', '9999-12-31T23:59:59.999999Z'];
    expect((await count(first, last)).value).toBe(known.length);
    expect((await count(first, first)).value).toBe(0);
    expect((await count(last, last)).value).toBe(0);
    expect((await count(last, first)).value).toBe(0);
  });
});

describe('locatePage', () => {
  test('begins a page at the entry that an offset would', async () => {
    let jumps = 0;
    await fc.assert(
      fc.asyncProperty(
        scopes(tenantId),
        filters,
        fc.integer({ min: 0, max: 6_500 }),
        fc.boolean(),
        async (scope, filter, offset, newest) => {
          const criteria = toCriteria(scope, filter, NOW);
          const rows = await database.read(tenantId, async (execute) => {
            const start = await locatePage(execute, criteria, offset, newest);
            if (start.from || start.until) jumps += 1;
            const where = every([whereAll(criteria), whereWithin(start.from ?? null, start.until ?? null)]);
            const walk = sql`select id from reel_log_entries where ${where} order by id ${newest ? sql`desc` : sql`asc`} limit 30 offset ${start.skip}`;
            return execute<{ id: string }>(walk);
          });
          const all = matching(known, scope, filter).map((entry) => entry.id);
          if (newest) all.reverse();
          expect(rows.map((row) => row.id)).toEqual(all.slice(offset, offset + 30));
        },
      ),
      { numRuns: 200 },
    );
    expect(jumps).toBeGreaterThan(20);
  });

  test('walks no more than a quarter of an hour', async () => {
    const criteria = toCriteria({ tenantId, clients: null }, null, NOW);
    const ordered = known.map((entry) => entry.createdAt).sort();
    const quarters = Map.groupBy(ordered, (at) => Math.floor(Date.parse(at) / 900_000));
    const most = Math.max(...[...quarters.values()].map((entries) => entries.length));
    for (const newest of [true, false])
      for (const offset of [1_001, 2_500, 5_999]) {
        const start = await database.read(tenantId, (execute) =>
          locatePage(execute, criteria, offset, newest),
        );
        expect(start.skip).toBeLessThan(most);
      }
  });

  test.each([LogOrder.NEWEST_FIRST, LogOrder.OLDEST_FIRST])(
    'of everything, %s, finds each page, its total with it, wherever what waits in the inbox is',
    async (orderBy) => {
      const all = known.map(({ id }) => id).sort();
      if (orderBy === LogOrder.NEWEST_FIRST) all.reverse();
      for (const page of [1, 2, 11, 12, 13, 30, 44, 45, 46, 59, 60, 61]) {
        const request = { orderBy, first: 100, page };
        const found = await reader.list(everything(tenantId), request, ALL_COLUMNS, true);
        const expected = all.slice((page - 1) * 100, page * 100);
        expect(found.entries.map(({ id }) => id)).toEqual(expected);
        expect(found.hasNextPage).toBe(page < 60);
        // An empty page has no row that could say it.
        expect(found.total ?? null).toEqual(page > 60 ? null : { value: 6_000, precision: 'EXACT' });
      }
    },
  );

  test('of everything takes one statement, however many entries are skipped', async () => {
    const all = known.map(({ id }) => id).sort();
    const counted = countingStatements(database);
    const narrow = new LogReader(counted.database, 50, { candidates: { first: 20, least: 5, most: 60 } });
    const request = { orderBy: LogOrder.OLDEST_FIRST, first: 50, page: 20 };
    const found = await narrow.list(everything(tenantId), request);
    expect(found.entries.map(({ id }) => id)).toEqual(all.slice(950, 1_000));
    expect(counted.count()).toBe(1);
  });
});
