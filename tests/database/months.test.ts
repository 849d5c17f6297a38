import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENSURE_MONTHS_AHEAD } from '../../src/database/months.js';
import { connectPool } from '../../src/database/session.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let own: TestDatabase;
beforeAll(async () => {
  own = await createDatabase();
});
afterAll(() => own?.drop());

test('the server makes the partitions of this month and two more, where they are missing', async () => {
  const partitions = async () =>
    (
      await own.query(
        `select relname as name from pg_class join pg_inherits on inhrelid = oid where inhparent = 'reel_log_entries'::regclass order by 1`,
      )
    ).map(({ name }) => name as string);
  const wanted = (
    await own.query(
      `select 'reel_log_entries_' || to_char((now() at time zone 'UTC') + make_interval(months => ahead), 'YYYYMM') as name from generate_series(0, 2) ahead`,
    )
  ).map(({ name }) => name as string);
  await own.query(`drop table if exists ${wanted[2]!}`);
  expect(await partitions()).not.toContain(wanted[2]);
  const database = await connectPool(own.runtimeUrl, 1);
  try {
    for (let again = 0; again < 2; again += 1) {
      await database.system(sql.raw(ENSURE_MONTHS_AHEAD));
      expect(await partitions()).toEqual(expect.arrayContaining(wanted));
    }
  } finally {
    await database.close();
  }
});
