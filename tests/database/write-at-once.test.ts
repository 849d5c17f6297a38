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
/** On a connection that has just answered, for which a busy machine may need several tries. */
async function writeAtOnce(tenantId: string, statements: readonly CompiledQuery[]): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await database.system(sql`select 1`);
    if (await database.writeAtOnce([tenantId], statements)) return;
  }
  throw new Error('expected a connection that has just answered');
}

test('all statements are carried out on a connection that has just answered, and none on a new one', async () => {
  const tenantId = randomUUID();
  const three = [insertion(tenantId), insertion(tenantId), insertion(tenantId)];
  await writeAtOnce(tenantId, three);
  expect(await stored(tenantId)).toBe(3);
  await database.close();
  database = await connectPool(own.runtimeUrl, 2);
  const held = database.seal(tenantId, () => database.writeAtOnce([tenantId], [insertion(tenantId)]));
  expect(await held).toBe(false);
  expect(await stored(tenantId)).toBe(3);
  await database.close();
  database = await connectPool(own.runtimeUrl, 1);
});

test('of statements of which one fails none is, and the connection goes on', async () => {
  const [tenantId, id] = [randomUUID(), randomUUID()];
  for (const [faulty, code] of [
    [[insertion(tenantId), insertion(tenantId, id), insertion(tenantId, id)], '23505'],
    [[insertion(tenantId), insertion(tenantId, 'no UUID')], '22P02'],
    [[insertion(tenantId), CompiledQuery.raw('insert into nowhere values (1)', [])], '42P01'],
  ] as const) {
    await expect(writeAtOnce(tenantId, faulty)).rejects.toMatchObject({ code });
    expect(await stored(tenantId)).toBe(0);
  }
  await writeAtOnce(tenantId, [insertion(tenantId)]);
  expect(await stored(tenantId)).toBe(1);
});

test("no other tenant's rows are written, and nothing of it is left to the next", async () => {
  const [mine, other] = [randomUUID(), randomUUID()];
  await expect(writeAtOnce(mine, [insertion(mine), insertion(other)])).rejects.toMatchObject({
    code: '42501',
  });
  await writeAtOnce(mine, [insertion(mine)]);
  expect([await stored(mine), await stored(other)]).toEqual([1, 0]);
  expect(
    await database.system(sql`
      select coalesce(current_setting('reel.tenant_ids', true), '') as tenants, current_setting('plan_cache_mode') as mode`),
  ).toEqual([{ tenants: '', mode: 'auto' }]);
  await expect(database.system(sql`select 1 from reel_log_inbox`)).resolves.toEqual([]);
});

test('where the connection has lost its statements nothing is written, and the next time all is', async () => {
  const tenantId = randomUUID();
  await writeAtOnce(tenantId, [insertion(tenantId)]);
  await database.system(sql`deallocate all`);
  expect(await database.writeAtOnce([tenantId], [insertion(tenantId)])).toBe(false);
  expect(await stored(tenantId)).toBe(1);
  await writeAtOnce(tenantId, [insertion(tenantId)]);
  expect(await stored(tenantId)).toBe(2);
});

test('a connection that was ended is noticed before anything is written on it', async () => {
  const tenantId = randomUUID();
  await database.system(sql`select 1`);
  const ours = `from pg_stat_activity where application_name = 'reel' and datname = current_database()`;
  await own.query(`select pg_terminate_backend(pid) ${ours}`, [], 'superuser');
  while ((await own.query(`select 1 ${ours}`, [], 'superuser')).length > 0);
  // What its end has sent is read in a later turn of the loop than an answer that came after it.
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
  expect(await database.writeAtOnce([tenantId], [insertion(tenantId)])).toBe(false);
  expect(await stored(tenantId)).toBe(0);
});
