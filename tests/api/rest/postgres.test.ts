import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExportService } from '../../../src/log/export/export.js';
import { StatsService } from '../../../src/log/stats/stats.js';
import { exportProofs } from '../../../src/seal/proof-bundle.js';
import { StoredProver } from '../../../src/seal/stored-prover.js';
import {
  CLIENT,
  exporter,
  module,
  OTHER_CLIENT,
  restApp,
  SECRETS,
  TENANT,
  viewer,
} from '../../support/rest-server.js';
import { openTrail, type Trail } from '../../support/trail.js';

const P = '/api/v1/reel';
const errors: unknown[] = [];
let trail: Trail;
let app: FastifyInstance;
beforeAll(async () => {
  trail = await openTrail();
  app = await restApp(
    {
      reel: trail.service,
      reader: trail.reader,
      stats: new StatsService(trail.database),
      exports: new ExportService({
        reader: trail.reader,
        audit: { exported: async () => {} },
        catchUp: (tenantId) => trail.sequencer.catchUp(tenantId),
        proofs: exportProofs(new StoredProver(trail.database)),
        secrets: [SECRETS.serviceSecret],
        linkMinutes: 60,
        maxRecords: 0,
      }),
    },
    errors,
  );
});
afterAll(async () => {
  await app.close();
  await trail.close();
  expect(errors).toEqual([]);
});

const send = async (
  method: 'GET' | 'POST',
  url: string,
  authorization: string,
  body?: unknown,
  headers = {},
) => {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const type = payload === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await app.inject({
    method,
    url: P + url,
    headers: { authorization, ...type, ...headers },
    payload,
  });
  return { status: answer.statusCode, body: answer.json() };
};
const create = async (body: object, headers = {}) => {
  const said = { module: 'guardian', action: 'users.create', tenant_id: TENANT, client_id: CLIENT, ...body };
  const answer = await send('POST', '/logs', await module(), said, headers);
  expect(answer.status).toBe(201);
  return answer.body;
};

test('what is created is found again, the same byte for byte', async () => {
  const data = { before: { a: 1 }, after: { a: [1.5, null, 'ü'] } };
  const made = await create({
    data,
    resource_type: 'user',
    resource_id: CLIENT.toUpperCase(),
    severity: 'ERROR',
    ip_address: '::FFFF',
  });
  expect(made).toMatchObject({ resource_id: CLIENT, ip_address: '::ffff', data });
  const authorization = await viewer();
  expect((await send('GET', `/logs/${made.id.toUpperCase()}`, authorization)).body).toEqual({
    ...made,
    sequence: null,
  });
  const day = made.created_at.slice(0, 10);
  for (const query of [
    '',
    'module=guardian',
    'action=users.*',
    'severity=ERROR',
    'min_severity=WARNING',
    `client_id=${CLIENT}`,
    `resource_type=user&resource_id=${CLIENT.toUpperCase()}`,
    'search=%C3%9C',
    `start_date=${made.created_at}&end_date=${made.created_at}`,
    `start_date=${day}`,
  ])
    expect([
      query,
      (await send('GET', `/logs?${query}`, authorization)).body.items.map((each: { id: string }) => each.id),
    ]).toEqual([query, [made.id]]);
  for (const query of [
    'module=other',
    'action=user*',
    'severity=INFO',
    'search=%25',
    `end_date=${day}`,
    `client_id=${OTHER_CLIENT}`,
    'page=2',
    'page=2147483647',
    'page=2147483648',
  ])
    expect([query, (await send('GET', `/logs?${query}`, authorization)).body.items]).toEqual([query, []]);
  const stats = await send('GET', '/logs/stats', authorization);
  expect(stats.body).toEqual({
    total_entries: 1,
    entries_by_severity: { ERROR: 1 },
    entries_by_module: { guardian: 1 },
    entries_today: 1,
    entries_this_week: 1,
    precision: 'EXACT',
  });
});

test('idempotency over the wire', async () => {
  const first = await create({ action: 'once', client_id: null }, { 'idempotency-key': 'a key' });
  expect(await create({ action: 'once', client_id: null }, { 'idempotency-key': 'a key' })).toEqual(first);
  const other = await send(
    'POST',
    '/logs',
    await module(),
    { module: 'guardian', action: 'twice', tenant_id: TENANT },
    { 'idempotency-key': 'a key' },
  );
  expect(other.status).toBe(409);
});

test('an export streams what it counted, entries acknowledged just before it included, in sealed order', async () => {
  const made: string[] = [];
  for (let n = 0; n < 30; n++)
    made.push((await create({ action: `export.${n}`, client_id: OTHER_CLIENT, data: { n } })).id);
  await create({ action: 'export.other' });
  const authorization = await exporter(OTHER_CLIENT);
  const { status, body } = await send('POST', '/logs/export', authorization, {
    format: 'ndjson',
    include_data: true,
  });
  expect([status, body.record_count]).toEqual([200, 30]);
  await create({ action: 'export.late', client_id: OTHER_CLIENT });
  const file = await app.inject({ url: body.download_url });
  const rows = file.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map((row) => row.id)).toEqual(made);
  expect(rows[7]).toMatchObject({
    action: 'export.7',
    data: { n: 7 },
    tenant_id: TENANT,
    client_id: OTHER_CLIENT,
  });
  const csv = await send('POST', '/logs/export', authorization, {
    filter: { action: 'export.3', start_date: '2020-01-01' },
  });
  expect(csv.body.record_count).toBe(1);
  expect((await app.inject({ url: csv.body.download_url })).body).toMatch(
    new RegExp(`^id,created_at.*\\r\\n${made[3]},.*,guardian,export\\.3,INFO,.*\\r\\n$`),
  );
});

test('nothing that can be sent as a filter is answered 500', async () => {
  const authorization = await viewer();
  for (const value of [
    '%00',
    '%ff',
    '%F0%9F%99%82',
    "'",
    '\\',
    '%25',
    'a'.repeat(400),
    '-1',
    '1e9',
    '[]',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999Z',
  ])
    for (const name of [
      'page',
      'page_size',
      'module',
      'action',
      'severity',
      'actor_id',
      'client_id',
      'start_date',
      'end_date',
      'search',
      'min_severity',
      'resource_type',
      'resource_id',
      'request_id',
    ]) {
      const { status } = await send('GET', `/logs?${name}=${value}`, authorization);
      expect([name, value, [200, 422].includes(status)]).toEqual([name, value, true]);
    }
});
