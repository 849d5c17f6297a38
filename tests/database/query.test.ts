import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, ReadOptions } from '../../src/database/database.js';
import type { Statement } from '../../src/database/execute.js';
import { connectPool } from '../../src/database/session.js';
import { isTimeout } from '../../src/database/unavailable.js';
import { storeMany } from '../support/many-entries.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const [ONE, OTHER, LATE] = [randomUUID(), randomUUID(), randomUUID()];
let own: TestDatabase;
/** On one connection, so that a statement meets what the one before it has left. */
let database: Database;

beforeAll(async () => {
  own = await createDatabase();
  database = await connectPool(own.runtimeUrl, 1);
  const newest = new Date();
  await storeMany(own, { tenantId: ONE, clientId: randomUUID(), count: 3, newest });
  await storeMany(own, { tenantId: OTHER, clientId: randomUUID(), count: 5, newest });
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

const ask = (tenant: string, statement: Statement, options: ReadOptions = {}) =>
  database.query<Record<string, string>>(tenant, statement, options);
const count = sql`select count(*) as n from reel_log_entries`;

describe.each([true, false])('a single statement, kept: %s', (isKept) => {
  test('sees its tenant alone, whatever the one before saw', async () => {
    for (const [tenant, n] of [
      [ONE, '3'],
      [OTHER, '5'],
      [randomUUID(), '0'],
    ] as const)
      expect(await ask(tenant, count, { isKept })).toEqual([{ n }]);
  });

  test('cannot write, and leaves no setting behind', async () => {
    const write = sql`insert into reel_log_inbox (tenant_id, entry_id, leaf_hash)
      values (${ONE}, ${randomUUID()}, '') returning entry_id`;
    await expect(ask(ONE, write, { isKept, inIndexOrder: true })).rejects.toThrow('read-only');
    const left = await database.system(sql`
      select coalesce(current_setting('reel.tenant_id', true), '') as tenant, current_setting('enable_sort') as sort,
        current_setting('transaction_read_only') as reads, current_setting('plan_cache_mode') as mode`);
    expect(left).toEqual([{ tenant: '', sort: 'on', reads: 'off', mode: 'auto' }]);
  });

  test('ends at its bound, and what comes after it is not bound by that', async () => {
    const slow = (seconds: number) => sql`select pg_sleep(${seconds}) is null as slept`;
    await expect(ask(ONE, slow(20), { isKept, statementMs: 100 })).rejects.toSatisfy(isTimeout);
    expect(await ask(ONE, slow(0.2), { isKept })).toEqual([{ slept: false }]);
  });

  test('is answered after its connection was ended', async () => {
    await ask(ONE, count, { isKept });
    await own.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'reel' and datname = current_database()`,
      [],
      'superuser',
    );
    expect(await ask(ONE, count, { isKept })).toEqual([{ n: '3' }]);
  });

  test('a row past the bound of its reader ends it, and the connection goes on', async () => {
    const call = {
      signal: new AbortController().signal,
      took: (bytes: number) => {
        if (bytes > 100) throw new Error('too many bytes');
      },
    };
    const long = sql`select repeat('x', 1000) as text from generate_series(1, 10)`;
    await expect(ask(ONE, long, { isKept, call })).rejects.toThrow('too many bytes');
    expect(await ask(ONE, count, { isKept })).toEqual([{ n: '3' }]);
  });
});

describe('a statement that is kept', () => {
  const prepared = async () =>
    Number((await ask(ONE, sql`select count(*) as n from pg_prepared_statements`))[0]!.n);
  const numbered = (n: number) =>
    sql`select ${sql.lit(n)}::integer as n, count(*) as entries from reel_log_entries`;

  test('is prepared once, and those that were not used for longest go', async () => {
    for (let round = 0; round < 2; round += 1)
      for (let n = 0; n < 100; n += 1)
        expect(await ask(ONE, numbered(n), { isKept: true })).toEqual([{ n, entries: '3' }]);
    expect(await prepared()).toBeLessThanOrEqual(64);
    const before = await prepared();
    for (let n = 0; n < 10; n += 1) await ask(ONE, numbered(99), { isKept: true });
    expect(await prepared()).toBe(before);
  });

  test('is not left behind by errors', async () => {
    for (let n = 0; n < 10; n += 1)
      await expect(
        ask(ONE, sql`select ${sql.lit(n)} / 0 from nowhere`, { isKept: true }),
      ).rejects.toMatchObject({
        code: '42P01',
      });
    await ask(ONE, numbered(1), { isKept: true });
    expect(await prepared()).toBeLessThanOrEqual(65);
  });

  test('is answered where the connection has lost it, as behind a pooler', async () => {
    await ask(ONE, count, { isKept: true });
    await database.system(sql`deallocate all`);
    for (let again = 0; again < 2; again += 1)
      expect(await ask(ONE, count, { isKept: true })).toEqual([{ n: '3' }]);
  });

  test('is answered after its columns have changed', async () => {
    const all = sql`select * from reel_log_keys`;
    await ask(ONE, all, { isKept: true });
    await own.query('alter table reel_log_keys add column more integer default 1');
    for (let again = 0; again < 2; again += 1) expect(await ask(ONE, all, { isKept: true })).toEqual([]);
    await own.query('alter table reel_log_keys drop column more');
  });

  test('finds what came into months that were empty or not there when it was planned', async () => {
    const newest = (tenant: string) =>
      sql`select id from reel_log_entries where tenant_id = ${tenant}::uuid order by id desc limit 1`;
    const options = { isKept: true, inIndexOrder: true };
    // One plan, since the tenant is a parameter.
    expect(await ask(LATE, newest(LATE), options)).toEqual([]);
    for (const days of [40, 80]) {
      const [tenantId, at] = [randomUUID(), new Date(Date.now() + days * 86_400_000)];
      await own.query('select reel_ensure_month($1::timestamptz)', [at.toISOString()]);
      await storeMany(own, { tenantId, clientId: randomUUID(), count: 1, newest: at });
      const [found] = await ask(tenantId, newest(tenantId), options);
      expect(found!.id!.slice(0, 8)).toBe(at.getTime().toString(16).padStart(12, '0').slice(0, 8));
    }
  });
});
