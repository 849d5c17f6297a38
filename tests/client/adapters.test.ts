import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import Fastify, { type FastifyRequest } from 'fastify';
import prom from 'prom-client';
import { runInContext } from 'reel/client';
import {
  type EntityChange,
  entityChanges,
  expressContext,
  fastifyContext,
  registerMetrics,
} from 'reel/client/adapters';
import { mockReel } from 'reel/client/mock';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const tenantId = '0196f2f0-0000-7000-8000-00000000a001';

test('Fastify: an entry made in a handler, a hook or a plug-in has its request, and what was authenticated meanwhile', async () => {
  const reel = mockReel({ module: 'billing' });
  const app = Fastify();
  const users = new WeakMap<FastifyRequest, string>();
  await app.register(
    fastifyContext<FastifyRequest>((request) => ({
      tenantId: String(request.headers['x-tenant-id']),
      actor: { id: users.get(request) },
    })),
  );
  app.addHook('preHandler', async (request) => {
    users.set(request, 'ana');
  });
  await app.register(async (inner) => {
    inner.post('/pay', async () => {
      await new Promise((next) => setImmediate(next));
      return reel.log('invoices.pay', {});
    });
  });
  const headers = { 'x-tenant-id': tenantId, 'user-agent': 'test', 'x-request-id': 'given' };
  const answers = await Promise.all([
    app.inject({ method: 'POST', url: '/pay', headers, payload: { a: 1 } }),
    app.inject({ method: 'POST', url: '/pay', headers: { ...headers, 'x-request-id': '' }, payload: {} }),
  ]);
  expect(answers.map(({ body }) => body)).toEqual(['true', 'true']);
  expect(reel.entries[0]).toMatchObject({
    tenant_id: tenantId,
    actor_id: 'ana',
    ip_address: '127.0.0.1',
    user_agent: 'test',
    request_id: 'given',
  });
  await app.close();
  expect(reel.log('invoices.pay', {})).toBe(false);
});

test('Express: its middleware does the same', async () => {
  const reel = mockReel({ module: 'billing' });
  const middleware = expressContext(() => ({ tenantId }));
  const server = createServer((request, response) =>
    middleware(request, response, () => {
      setImmediate(() => response.end(String(reel.log('invoices.pay', {}))));
    }),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}`, { headers: { 'user-agent': 'test' } });
  expect(await answer.text()).toBe('true');
  expect(reel.entries).toMatchObject([{ tenant_id: tenantId, user_agent: 'test' }]);
  expect(reel.entries[0]).not.toHaveProperty('request_id');
  server.close();
});

describe('MikroORM', () => {
  const Invoice = defineEntity({
    name: 'Invoice',
    properties: { id: p.integer().primary(), amount: p.integer(), note: p.string().nullable() },
  });
  let own: TestDatabase;
  let orm: MikroORM;
  let changes: EntityChange[];
  const reel = mockReel({ module: 'billing' });
  beforeAll(async () => {
    own = await createDatabase();
    await own.query('create table invoice (id int primary key, amount int not null, note text)');
    orm = await MikroORM.init({
      clientUrl: own.ownerUrl,
      entities: [Invoice],
      logger: () => {},
      subscribers: [
        entityChanges((change) => {
          changes.push(change);
          reel.log(`invoices.${change.type}`, { resource: { id: String(change.id) }, data: change.data });
        }),
      ],
    });
  });
  afterAll(async () => {
    await orm.close();
    await own.drop();
  });
  beforeEach(() => {
    changes = [];
    reel.clear();
  });

  test('tells what was created, changed and deleted, with before and after, once it is committed', async () => {
    await runInContext({ tenantId }, async () => {
      const em = orm.em.fork();
      const invoice = em.create(Invoice, { id: 1, amount: 10, note: null });
      em.create(Invoice, { id: 2, amount: 20, note: 'kept' });
      await em.flush();
      invoice.amount = 11;
      await em.flush();
      em.remove(invoice);
      await em.flush();
    });
    expect(changes.map(({ type, name, id, data }) => ({ type, name, id, data }))).toEqual([
      { type: 'create', name: 'Invoice', id: 1, data: { after: { id: 1, amount: 10, note: null } } },
      { type: 'create', name: 'Invoice', id: 2, data: { after: { id: 2, amount: 20, note: 'kept' } } },
      { type: 'update', name: 'Invoice', id: 1, data: { before: { amount: 10 }, after: { amount: 11 } } },
      { type: 'delete', name: 'Invoice', id: 1, data: { before: { id: 1, amount: 11, note: null } } },
    ]);
    expect(reel.entries).toHaveLength(4);
    expect(reel.entries[2]).toMatchObject({
      tenant_id: tenantId,
      action: 'invoices.update',
      resource_id: '1',
    });
  });

  test('tells nothing of what is rolled back, and of a transaction only at its end', async () => {
    const told: number[] = [];
    await orm.em.fork().transactional(async (em) => {
      em.create(Invoice, { id: 10, amount: 1, note: null });
      await em.flush();
      told.push(changes.length);
      await em
        .transactional(async (inner) => {
          inner.create(Invoice, { id: 11, amount: 1, note: null });
          await inner.flush();
          throw new Error('undone');
        })
        .catch(() => {});
      await em.transactional(async (inner) => {
        inner.create(Invoice, { id: 12, amount: 1, note: null });
      });
      told.push(changes.length);
    });
    expect(told).toEqual([0, 0]);
    expect(changes.map(({ id }) => id)).toEqual([10, 12]);
    changes = [];
    await orm.em
      .fork()
      .transactional(async (em) => {
        await em.transactional(async (inner) => {
          inner.create(Invoice, { id: 13, amount: 1, note: null });
        });
        throw new Error('undone');
      })
      .catch(() => {});
    expect(changes).toEqual([]);
  });
});

test('prom-client: the figures of stats()', async () => {
  const registry = new prom.Registry();
  const reel = mockReel({ module: 'billing' });
  registerMetrics(prom, reel, [registry]);
  reel.log('a.b', { tenantId });
  reel.log('a.b', {});
  const text = await registry.metrics();
  expect(text).toContain('reel_client_sent_total 1\n');
  expect(text).toContain('reel_client_rejected_total 1\n');
  expect(text).toContain('# TYPE reel_client_spooled_entries gauge\nreel_client_spooled_entries 0\n');
  expect(await registry.metrics()).toBe(text);
});
