import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { CompiledQuery, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { connectPool } from '../../src/database/session.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let own: TestDatabase;
/** On one connection, so that a write meets what the one before it has left. */
let database: Database;

beforeAll(async () => {
  own = await createDatabase();
  database = await connectPool(own.runtimeUrl, 1);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

const insertion = (tenantId: string, entryId: string = randomUUID()) =>
  CompiledQuery.raw('insert into reel_log_inbox (tenant_id, entry_id, leaf_hash) values ($1, $2, $3)', [
    tenantId,
    entryId,
    Buffer.from('leaf'),
  ]);
const stored = async (tenantId: string) =>
  Number(
    (await own.query('select count(*) as n from reel_log_inbox where tenant_id = $1', [tenantId]))[0]!.n,
  );
/** Makes the connection one that has just answered, or one that has not for a while. */
const answer = () => database.system(sql`select 1`);

test('all statements are carried out, on a connection that has just answered and on one that has not', async () => {
  for (const isFresh of [true, false]) {
    const tenantId = randomUUID();
    if (isFresh) await answer();
    else {
      await database.close();
      database = await connectPool(own.runtimeUrl, 1);
    }
    await database.writeAtOnce([tenantId], [insertion(tenantId), insertion(tenantId), insertion(tenantId)]);
    expect([isFresh, await stored(tenantId)]).toEqual([isFresh, 3]);
  }
});

test('of statements of which one fails none is, and the connection goes on', async () => {
  const [tenantId, id] = [randomUUID(), randomUUID()];
  for (const [faulty, code] of [
    [[insertion(tenantId), insertion(tenantId, id), insertion(tenantId, id)], '23505'],
    [[insertion(tenantId), insertion(tenantId, 'no UUID')], '22P02'],
    [[insertion(tenantId), CompiledQuery.raw('insert into nowhere values (1)', [])], '42P01'],
  ] as const) {
    await answer();
    await expect(database.writeAtOnce([tenantId], faulty)).rejects.toMatchObject({ code });
    expect(await stored(tenantId)).toBe(0);
  }
  await answer();
  await database.writeAtOnce([tenantId], [insertion(tenantId)]);
  expect(await stored(tenantId)).toBe(1);
});

test("no other tenant's rows are written, and nothing of it is left to the next", async () => {
  const [mine, other] = [randomUUID(), randomUUID()];
  await answer();
  await expect(database.writeAtOnce([mine], [insertion(mine), insertion(other)])).rejects.toMatchObject({
    code: '42501',
  });
  await answer();
  await database.writeAtOnce([mine], [insertion(mine)]);
  expect([await stored(mine), await stored(other)]).toEqual([1, 0]);
  expect(
    await database.system(sql`
      select coalesce(current_setting('reel.tenant_ids', true), '') as tenants, current_setting('plan_cache_mode') as mode`),
  ).toEqual([{ tenants: '', mode: 'auto' }]);
  await expect(database.system(sql`select 1 from reel_log_inbox`)).resolves.toEqual([]);
});

test('what the connection has lost of its statements is sent again, once', async () => {
  const tenantId = randomUUID();
  for (let count = 1; count <= 3; count += 1) {
    await database.writeAtOnce([tenantId], [insertion(tenantId)]);
    await database.system(sql`deallocate all`);
    expect(await stored(tenantId)).toBe(count);
  }
});

test('a connection that was ended is noticed before anything is written on it', async () => {
  const tenantId = randomUUID();
  await answer();
  const ours = `from pg_stat_activity where application_name = 'reel' and datname = current_database()`;
  await own.query(`select pg_terminate_backend(pid) ${ours}`, [], 'superuser');
  while ((await own.query(`select 1 ${ours}`, [], 'superuser')).length > 0);
  // What its end has sent is read in a later turn of the loop than an answer that came after it.
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
  await database.writeAtOnce([tenantId], [insertion(tenantId)]);
  expect(await stored(tenantId)).toBe(1);
});
