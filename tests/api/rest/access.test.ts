import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unavailable } from '../../../src/errors.js';
import {
  CLIENT,
  exporter,
  grant,
  module,
  OTHER_CLIENT,
  OTHER_TENANT,
  person,
  type RestServer,
  startRestServer,
  TENANT,
  viewer,
} from '../../support/rest-server.js';

const P = '/api/v1/reel';
const ID = '01980000-0000-7000-8000-000000000001';
let server: RestServer;
beforeAll(async () => {
  server = await startRestServer();
});
afterAll(() => server.app.close());

type Call = { method?: string; url: string; headers?: Record<string, string>; payload?: string };
const send = async ({ method = 'GET', url, headers: given = {}, payload }: Call) => {
  const headers = { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...given };
  const answer = await server.app.inject({ method: method as 'GET', url: P + url, headers, payload });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: answer.body === '' ? null : answer.json(),
    raw: answer.body,
  };
};

describe('a credential comes before anything else', () => {
  test.each([
    ['GET', '/logs?page=x', {}],
    ['GET', '/logs', { authorization: 'Bearer nonsense' }],
    ['GET', '/logs', { authorization: 'Basic abc' }],
    ['GET', '/logs', { 'x-tenant-id': 'no uuid' }],
    ['GET', '/logs/stats', {}],
    ['GET', '/logs/no-uuid', {}],
    ['GET', `/logs/${'x'.repeat(300)}`, {}],
    ['HEAD', '/logs', {}],
    ['POST', '/logs', { 'content-type': 'text/plain' }],
    ['POST', '/logs', { 'content-type': 'application/json' }],
    ['POST', '/logs/export', { 'content-type': 'application/json' }],
    ['DELETE', '/logs', {}],
  ] as const)('%s %s', async (method, url, headers) => {
    const payload = method === 'POST' ? '{'.repeat(2_000_000) : undefined;
    const answer = await send({ method, url, headers: { ...headers } as Record<string, string>, payload });
    expect(answer.status).toBe(401);
    if (method !== 'HEAD') expect(answer.body).toEqual({ detail: 'Not authenticated' });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });
});

describe('a permission comes before the content', () => {
  test('view', async () => {
    const authorization = await person(grant('reel.logs.export', 'CLIENT', CLIENT));
    for (const url of ['/logs?page=0', '/logs/stats', '/logs/no-uuid']) {
      const { status, body } = await send({ url, headers: { authorization } });
      expect(status).toBe(403);
      expect(body.detail).toContain('reel.logs.view');
    }
  });

  test('export counts at CLIENT only, and not for a module', async () => {
    for (const authorization of [
      await viewer(),
      await person(grant('reel.logs.export', 'ACCOUNT')),
      await module(),
    ]) {
      const { status, body } = await send({
        method: 'POST',
        url: '/logs/export',
        headers: { authorization },
        payload: '{',
      });
      expect(status).toBe(403);
      expect(body.detail).toContain('reel.logs.export');
    }
  });

  test('a module may not view, a stranger not write', async () => {
    expect((await send({ url: '/logs', headers: { authorization: await module() } })).status).toBe(403);
    const authorization = await person();
    expect(
      (await send({ method: 'POST', url: '/logs', headers: { authorization }, payload: '[' })).status,
    ).toBe(403);
  });

  test('the size and the type of a body come after it', async () => {
    const headers = { authorization: await person(), 'content-type': 'text/plain' };
    expect((await send({ method: 'POST', url: '/logs', headers, payload: 'x' })).status).toBe(403);
  });
});

test('other methods of known paths: 405 with Allow', async () => {
  const headers = { authorization: await viewer(), 'content-type': 'text/plain' };
  for (const [method, url, allow] of [
    ['DELETE', '/logs', 'GET, HEAD, POST'],
    ['PUT', '/logs', 'GET, HEAD, POST'],
    ['POST', '/logs/stats', 'GET, HEAD'],
    ['GET', '/logs/export', 'POST'],
    ['PATCH', `/logs/${ID}`, 'GET, HEAD'],
    ['OPTIONS', '/logs', 'GET, HEAD, POST'],
    ['POST', '/exports/logs_20260105_100000.csv', 'GET'],
    ['HEAD', '/exports/logs_20260105_100000.csv', 'GET'],
  ] as const) {
    const answer = await send({ method, url, headers, payload: method === 'PUT' ? 'x' : undefined });
    expect([method, url, answer.status, answer.headers.allow]).toEqual([method, url, 405, allow]);
    if (method !== 'HEAD') expect(answer.body).toEqual({ detail: 'Method Not Allowed' });
  }
});

test('unknown paths: 404, whatever comes with them', async () => {
  for (const url of ['', '/nothing', '/logs/a/b', '/logsx', '/exports']) {
    const answer = await send({ url });
    expect([url, answer.status, answer.body]).toEqual([url, 404, { detail: 'Not Found' }]);
  }
  const answer = await send({
    method: 'POST',
    url: '/nothing',
    headers: { 'content-type': 'text/plain' },
    payload: 'x',
  });
  expect(answer.status).toBe(404);
});

test('a trailing slash: 307 to the path without it, query kept', async () => {
  for (const [url, to] of [
    ['/logs/', '/logs'],
    ['/logs/?page=2&module=a%20b', '/logs?page=2&module=a%20b'],
    ['/logs/stats/', '/logs/stats'],
    [`/logs/${ID}/`, `/logs/${ID}`],
    ['/logs//', '/logs'],
  ] as const) {
    for (const method of ['GET', 'POST']) {
      const answer = await send({ method, url });
      expect([url, answer.status, answer.headers.location]).toEqual([url, 307, P + to]);
    }
  }
});

test('bodies: 413 past 1 MiB, 415 for what is no JSON', async () => {
  const authorization = await module();
  const post = (payload: string, type: string) =>
    send({ method: 'POST', url: '/logs', headers: { authorization, 'content-type': type }, payload });
  const big = await post(JSON.stringify({ module: 'x'.repeat(1_048_576) }), 'application/json');
  expect([big.status, Object.keys(big.body)]).toEqual([413, ['detail']]);
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonp',
    'nonsense',
    '',
  ]) {
    const { status, body } = await post('{}', type);
    expect([type, status, typeof body.detail]).toEqual([type, 415, 'string']);
  }
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.reel+json'])
    expect((await post('{}', type)).status).toBe(422);
});

test('headers at fault are answered beside the other faults', async () => {
  const headers = { authorization: await viewer(), 'x-tenant-id': 'no uuid' };
  const { status, body } = await send({ url: '/logs?page=0&severity=error', headers });
  expect(status).toBe(422);
  expect(body.detail.map((fault: { loc: string[] }) => fault.loc)).toEqual([
    ['header', 'X-Tenant-Id'],
    ['query', 'page'],
    ['query', 'severity'],
  ]);
});

test('several tenants and none named: beside the other faults, also of a body', async () => {
  const authorization = await person(
    grant('reel.logs.view', 'ACCOUNT'),
    grant('reel.logs.view', 'ACCOUNT', null, OTHER_TENANT),
  );
  const { status, body } = await send({
    method: 'POST',
    url: '/logs',
    headers: { authorization, 'idempotency-key': 'k'.repeat(201) },
    payload: '{"module":7}',
  });
  expect(status).toBe(422);
  expect(body.detail.map((fault: { loc: string[] }) => fault.loc)).toEqual([
    ['header', 'X-Tenant-Id'],
    ['body', 'module'],
    ['body', 'action'],
    ['header', 'Idempotency-Key'],
  ]);
});

describe('the client of an export', () => {
  const ask = async (authorization: string, payload: object, headers = {}) =>
    send({
      method: 'POST',
      url: '/logs/export',
      headers: { authorization, ...headers },
      payload: JSON.stringify(payload),
    });

  test('X-Client-Id, or filter.client_id, or the only one granted', async () => {
    const two = await exporter(CLIENT, OTHER_CLIENT);
    expect((await ask(await exporter(CLIENT), {})).status).toBe(200);
    expect((await ask(two, {}, { 'x-client-id': CLIENT })).status).toBe(200);
    expect((await ask(two, { filter: { client_id: CLIENT.toUpperCase() } })).status).toBe(200);
    const none = await ask(two, { format: 'xml' });
    expect(none.status).toBe(422);
    expect(none.body.detail.map((fault: { loc: string[] }) => fault.loc)).toEqual([
      ['header', 'X-Client-Id'],
      ['body', 'format'],
    ]);
  });

  test('one that is not granted: 403', async () => {
    const one = await exporter(CLIENT);
    expect((await ask(one, {}, { 'x-client-id': OTHER_CLIENT })).status).toBe(403);
    expect((await ask(one, { filter: { client_id: OTHER_CLIENT } })).status).toBe(403);
    expect((await ask(one, {}, { 'x-tenant-id': OTHER_TENANT })).status).toBe(403);
  });
});

test('what is deliberate crosses the wire with Retry-After; all else is an id', async () => {
  const headers = { authorization: await viewer(), 'x-tenant-id': TENANT };
  server.reel.fails = unavailable('The database is away');
  const away = await send({ url: '/logs', headers });
  expect([away.status, away.headers['retry-after'], away.body]).toEqual([
    503,
    '2',
    { detail: 'The database is away' },
  ]);
  server.reel.fails = new Error('column "secret" does not exist');
  const broken = await send({ url: '/logs', headers });
  expect(broken.status).toBe(500);
  expect(broken.body).toEqual({
    detail: 'Internal server error',
    error_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(JSON.stringify(server.errors)).toContain(broken.body.error_id);
  server.reel.fails = null;
});

test('a person past the limit: 429 with Retry-After, before the body is looked at', async () => {
  const slow = await startRestServer({ entriesPerMinute: 1 });
  const call = {
    method: 'POST' as const,
    url: `${P}/logs`,
    headers: { authorization: await viewer(), 'content-type': 'application/json' },
    payload: 'x',
  };
  expect((await slow.app.inject(call)).statusCode).toBe(422);
  const second = await slow.app.inject(call);
  expect(second.statusCode).toBe(429);
  expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
  await slow.app.close();
});
