import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { createHost } from '../../docs/examples/host.js';
import { report } from '../../docs/examples/send.js';
import { readConfig } from '../../src/config/config.js';
import { createDatabase } from '../support/postgres.js';
import { JWT_SECRET, moduleToken, SERVICE_SECRET, startReel, viewer } from '../support/reel.js';

test('a host embeds Reel on its own Fastify and MikroORM', async () => {
  const own = await createDatabase();
  await own.query(
    'create table invoice (id uuid primary key default gen_random_uuid(), amount integer not null check (amount > 0))',
  );
  await own.query('grant select, insert on invoice to reel');
  const orm = await MikroORM.init({
    clientUrl: own.runtimeUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
  const config = readConfig({
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
  });
  const app = await createHost(orm, config);
  try {
    const tenantId = randomUUID();
    const made = await app.inject({ method: 'POST', url: '/invoices', payload: { tenantId, amount: 5 } });
    const refused = await app.inject({ method: 'POST', url: '/invoices', payload: { tenantId, amount: -5 } });
    expect([made.statusCode, refused.statusCode]).toEqual([200, 500]);
    const list = await app.inject({
      url: '/audit/api/v1/reel/logs',
      headers: { authorization: `Bearer ${await viewer(tenantId)}` },
    });
    expect(list.json()).toMatchObject({
      total: 1,
      items: [{ action: 'invoices.create', resource_id: made.json().id, data: { after: { amount: 5 } } }],
    });
    const history = await app.inject(`/${tenantId}/invoices/history`);
    expect(history.json()).toEqual([
      { createdAt: expect.any(String), actorName: null, action: 'invoices.create' },
    ]);
  } finally {
    await app.close();
    await orm.close(true);
    await own.drop();
  }
});

test('a module that only sends createLog', async () => {
  const reel = await startReel();
  try {
    const tenantId = randomUUID();
    const token = await moduleToken('aurora');
    const input = { module: 'aurora', action: 'jobs.finish', tenantId, idempotencyKey: 'job-1' };
    const first = await report(reel.url, token, input);
    expect(await report(reel.url, token, input)).toEqual(first);
    await expect(report(reel.url, token, { ...input, module: 'guardian' })).rejects.toThrow('FORBIDDEN');
    const { body } = await reel.graphql(await viewer(tenantId), '{ logs { nodes { id action } } }');
    expect(body.data.logs.nodes).toEqual([{ id: first.id, action: 'jobs.finish' }]);
  } finally {
    await reel.close();
  }
});
