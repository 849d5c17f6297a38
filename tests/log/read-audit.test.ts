import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const exporter = async (tenantId: string, client: string, id: string) =>
  person({
    id,
    name: 'Ana',
    grants: [grant(tenantId, 'reel.logs.view:ACCOUNT'), grant(tenantId, `reel.logs.export:CLIENT:${client}`)],
  });

/** What Reel wrote of reads in a tenant, oldest first. */
const records = (reel: TestReel, tenantId: string) =>
  reel.own.query(
    `select action, actor_id, actor_email, resource_id, host(ip_address) as ip, data from reel_log_entries
     where tenant_id = $1 and module = 'reel' order by id`,
    [tenantId],
  );

describe('with every look recorded', () => {
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel({ REEL_AUDIT_READS: 'all' });
  });
  afterAll(() => reel?.close());

  test.each<[string, (token: string) => Promise<unknown>, object]>([
    [
      'logs',
      (token) => reel.graphql(token, '{ logs(filter: {modules: ["m"]}) { nodes { id } } }'),
      { door: 'graphql', field: 'logs', arguments: { filter: { modules: ['m'] } } },
    ],
    ['an entry', (token) => reel.graphql(token, `{ log(id: "${randomUUID()}") { id } }`), { field: 'log' }],
    ['statistics', (token) => reel.graphql(token, '{ logStats { totalEntries } }'), { field: 'logStats' }],
    ['a checkpoint', (token) => reel.graphql(token, '{ checkpoint { treeSize } }'), { field: 'checkpoint' }],
    [
      'REST list',
      (token) => reel.rest(token, 'GET', '/logs?module=m'),
      { door: 'rest', path: '/logs', filter: { modules: ['m'] } },
    ],
    ['REST statistics', (token) => reel.rest(token, 'GET', '/logs/stats'), { path: '/logs/stats' }],
    ['REST entry', (token) => reel.rest(token, 'GET', `/logs/${randomUUID()}`), { path: '/logs/{id}' }],
  ])('%s', async (_name, look, data) => {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    await look(await exporter(tenantId, client, id));
    expect(await records(reel, tenantId)).toMatchObject([
      { action: 'reel.logs.viewed', actor_id: id, actor_email: 'ana@example.com', ip: '127.0.0.1', data },
    ]);
  });

  test('one operation is one look, whatever it asks for; what is refused is none', async () => {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const token = await exporter(tenantId, client, id);
    await reel.graphql(
      token,
      '{ a: logs { nodes { id related { id } } } b: logStats { totalEntries } c: logs { nodes { id } } }',
    );
    await reel.graphql(await person({ tenants: [tenantId] }), '{ logs { nodes { id } } }');
    expect(await records(reel, tenantId)).toHaveLength(1);
  });

  test("a person's own report that asks what else there is, is a look", async () => {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const token = await exporter(tenantId, client, id);
    const input = `{module: "m", action: "a", requestId: "${randomUUID()}"}`;
    await reel.graphql(token, `mutation { createLog(input: ${input}) { id } }`);
    expect(await records(reel, tenantId)).toHaveLength(0);
    await reel.graphql(token, `mutation { createLog(input: ${input}) { id related { id } } }`);
    expect(await records(reel, tenantId)).toMatchObject([{ data: { field: 'related' } }]);
  });

  test('following live is one look', async () => {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const socket = createClient({
      url: `${reel.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${await exporter(tenantId, client, id)}` },
    });
    const results = socket.iterate({ query: 'subscription { logAdded(after: 0) { sequence module } }' });
    const writer = await moduleToken();
    for (let round = 0; round < 3; round += 1)
      await reel.graphql(
        writer,
        `mutation { createLog(input: {tenantId: "${tenantId}", module: "m", action: "a"}) { id } }`,
      );
    for (let taken = 0; taken < 4; taken += 1) await results.next();
    expect(await records(reel, tenantId)).toMatchObject([{ data: { field: 'logAdded' } }]);
    await socket.dispose();
  });

  test('what was asked may be anything', async () => {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const token = await exporter(tenantId, client, id);
    const modules = Array.from({ length: 20 }, (_, index) => `${index}${'€'.repeat(310)}`);
    const filter = { modules, notModules: modules, actions: modules, notActions: modules };
    const { body } = await reel.graphql(
      token,
      'query ($filter: LogFilter) { logs(filter: $filter) { nodes { id } } }',
      { filter },
    );
    expect(body).toEqual({ data: { logs: { nodes: [] } } });
    expect(await records(reel, tenantId)).toMatchObject([{ data: { door: 'graphql' } }]);
  });
});

test('by default exports are recorded when they are prepared and whenever the link is fetched, and looks are not', async () => {
  const reel = await startReel();
  try {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const token = await exporter(tenantId, client, id);
    await reel.graphql(token, '{ logs { nodes { id } } }');
    const { body } = await reel.graphql(
      token,
      'mutation { exportLogs(input: {format: NDJSON, filter: {query: "since:-24h module:m"}}) { downloadUrl recordCount } }',
    );
    expect(body.data.exportLogs.recordCount).toBe(0);
    expect((await fetch(reel.url + body.data.exportLogs.downloadUrl)).status).toBe(200);
    const made = await reel.rest(token, 'POST', '/logs/export', {});
    expect(made.body.record_count).toBe(0);
    const common = { action: 'reel.logs.exported', actor_id: id, resource_id: client };
    const written = await records(reel, tenantId);
    const module = { negated: false, anyOf: [[{ field: 'module', is: 'm' }]] };
    expect(written).toMatchObject([
      { ...common, data: { step: 'prepared', format: 'NDJSON', recordCount: 0 } },
      { ...common, data: { step: 'fetched', format: 'NDJSON', recordCount: 0 } },
      { ...common, data: { step: 'prepared', format: 'CSV', recordCount: 0, filter: {} } },
    ]);
    // As it was asked for, and what that meant at the time.
    const [prepared, fetched] = written.map(({ data }) => data as Record<string, unknown>);
    expect(prepared!.filter).toEqual({ query: 'since:-24h module:m' });
    expect(prepared!.criteria).toEqual({
      conditions: [module],
      start: expect.stringMatching(/Z$/),
      end: null,
    });
    // By which it is told what was fetched; what was asked may name somebody who has been erased since.
    expect(fetched!.exportId).toBe(prepared!.exportId);
    expect(fetched).not.toHaveProperty('criteria');
  } finally {
    await reel.close();
  }
});

test('off, nothing is', async () => {
  const reel = await startReel({ REEL_AUDIT_READS: 'off' });
  try {
    const [tenantId, client, id] = [randomUUID(), randomUUID(), randomUUID()];
    const token = await exporter(tenantId, client, id);
    const { body } = await reel.graphql(token, 'mutation { exportLogs(input: {}) { downloadUrl } }');
    expect((await fetch(reel.url + body.data.exportLogs.downloadUrl)).status).toBe(200);
    expect(await records(reel, tenantId)).toEqual([]);
  } finally {
    await reel.close();
  }
});
