import { randomUUID } from 'node:crypto';
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { getReelService } from '../../src/log/embed.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const Invoice = defineEntity({
  name: 'Invoice',
  properties: { id: p.uuid().primary(), amount: p.integer() },
});

let own: TestDatabase;
let orm: MikroORM;

/** A host with tables of its own in the database that Reel's tables are in, under Reel's runtime role. */
beforeAll(async () => {
  own = await createDatabase();
  await own.query('create table invoice (id uuid primary key, amount integer not null)');
  await own.query('grant select, insert on invoice to reel');
  orm = await MikroORM.init({ clientUrl: own.runtimeUrl, entities: [Invoice], logger: () => {} });
});
afterAll(async () => {
  await orm?.close(true);
  await own?.drop();
});

const stored = async (tenantId: string) =>
  (
    await own.query('select resource_id from reel_log_entries where tenant_id = $1 order by id', [tenantId])
  ).map((row) => row.resource_id);
const said = (tenantId: string, resourceId: string, more = {}) => ({
  module: 'billing',
  action: 'invoices.create',
  tenantId,
  resourceId,
  ...more,
});

test("an entry joins its caller's transaction: committed with it, rolled back with it", async () => {
  const tenantId = randomUUID();
  const [kept, undone] = [randomUUID(), randomUUID()];
  await orm.em.fork().transactional(async (em) => {
    em.persist(em.create(Invoice, { id: kept, amount: 1 }));
    await getReelService(em).log(said(tenantId, kept));
    expect(await stored(tenantId)).toEqual([]);
  });
  await expect(
    orm.em.fork().transactional(async (em) => {
      em.persist(em.create(Invoice, { id: undone, amount: 2 }));
      await getReelService(em).log(said(tenantId, undone));
      throw new Error('the card was declined');
    }),
  ).rejects.toThrow('the card was declined');
  expect(await stored(tenantId)).toEqual([kept]);
  expect(await orm.em.fork().count(Invoice)).toBe(1);
});

test('many entries of one transaction may be logged at once, for several tenants', async () => {
  const tenants = [randomUUID(), randomUUID()];
  await orm.em
    .fork()
    .transactional((em) =>
      Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          getReelService(em).log(said(tenants[index % 2]!, String(index))),
        ),
      ),
    );
  expect((await Promise.all(tenants.map(stored))).map((ids) => ids.length)).toEqual([10, 10]);
});

test('a faulty entry is refused before anything is written, and the transaction goes on', async () => {
  const tenantId = randomUUID();
  await orm.em.fork().transactional(async (em) => {
    await expect(getReelService(em).log(said(tenantId, 'x', { action: '' }))).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
    await getReelService(em).log(said(tenantId, 'fine'));
  });
  expect(await stored(tenantId)).toEqual(['fine']);
});

test('keys hold within a transaction too', async () => {
  const tenantId = randomUUID();
  const first = await getReelService(orm.em.fork()).log(said(tenantId, 'a', { idempotencyKey: 'k' }));
  const again = await orm.em
    .fork()
    .transactional((em) => getReelService(em).log(said(tenantId, 'a', { idempotencyKey: 'k' })));
  expect(again.id).toBe(first.id);
  expect(await stored(tenantId)).toEqual(['a']);
});

test('outside of a transaction calls share commits and are answered after them', async () => {
  const tenantId = randomUUID();
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      getReelService(orm.em.fork()).log(said(tenantId, String(index))),
    ),
  );
  expect(await stored(tenantId)).toHaveLength(50);
});

test('of many, each on its own, one that the database refuses leaves the transaction and the others as they are', async () => {
  const tenantId = randomUUID();
  await own.query(
    `alter table reel_log_entries add constraint no_bad check (tenant_id <> '${tenantId}' or resource_id is distinct from 'bad')`,
  );
  const kept = randomUUID();
  await orm.em.fork().transactional(async (em) => {
    em.persist(em.create(Invoice, { id: kept, amount: 3 }));
    await em.flush();
    const results = await Promise.all([
      getReelService(em).writeLogs(['a', 'bad', 'b'].map((id) => said(tenantId, id))),
      getReelService(em).writeLogs([said(tenantId, 'c'), said(tenantId, 'd', { action: '' })]),
      getReelService(em).writeLogs([said(tenantId, 'bad')]),
    ]);
    expect(results.map((each) => each.map((result) => 'error' in result))).toEqual([
      [false, true, false],
      [false, true],
      [true],
    ]);
    await getReelService(em).log(said(tenantId, 'e'));
  });
  expect((await stored(tenantId)).sort()).toEqual(['a', 'b', 'c', 'e']);
  expect(await orm.em.fork().count(Invoice, { id: kept })).toBe(1);
});
