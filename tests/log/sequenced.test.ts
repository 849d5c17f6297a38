import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReadDatabase, ReadOptions } from '../../src/database/database.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import { SequencedReader } from '../../src/log/read/sequenced.js';
import { openTrail, type Trail } from '../support/trail.js';

const tenantId = randomUUID();
const COUNT = 300;

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
  await trail.service.writeLogs(
    Array.from({ length: COUNT }, (_, n) => ({
      module: 'm',
      action: 'a',
      tenantId,
      // The later ones are long.
      data: { text: 'x'.repeat(n < COUNT / 2 ? 10 : 30_000) },
    })),
  );
  await trail.sequencer.catchUp(tenantId);
});
afterAll(() => trail?.close());

/** Reads to the end; the number of positions of each stretch. */
async function stretches(database: ReadDatabase): Promise<number[]> {
  const criteria = toCriteria({ tenantId, clients: null }, null, new Date());
  const reader = new SequencedReader(database, criteria, 200);
  const [seen, sizes]: [number[], number[]] = [[], []];
  for (let last = 0; last < COUNT; ) {
    const { entries, until, bytes } = await reader.next(last, COUNT);
    expect(bytes).toBeLessThan(1_100_000);
    seen.push(...entries.map(({ sequence }) => sequence!));
    sizes.push(until - last);
    last = until;
  }
  expect(seen).toEqual(Array.from({ length: COUNT }, (_, at) => at + 1));
  return sizes;
}

test('a stretch has as many positions as its rows allow, each once and in order', async () => {
  const sizes = await stretches(trail.database);
  expect(Math.max(...sizes)).toBe(100);
  expect(Math.min(...sizes.slice(0, -1))).toBeLessThan(40);
});

test('a stretch whose statement takes too long is tried again with fewer positions', async () => {
  /** Takes too long for more than 40 rows. */
  const slow: ReadDatabase = {
    query: (...query) => trail.database.query(...query),
    read: (tenant, work, options: ReadOptions = {}) =>
      trail.database.read(
        tenant,
        async (execute) => {
          const rows = await work(execute);
          const { length } = rows as unknown[];
          await execute(sql`select pg_sleep(${length > 40 ? 2 : 0})`);
          return rows;
        },
        { ...options, ...(options.statementMs && { statementMs: 300 }) },
      ),
  };
  const sizes = await stretches(slow);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(40);
});
