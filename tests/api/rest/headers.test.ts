import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

const TENANT = randomUUID();
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
let reel: TestReel;
let module: string;
let ana: string;
beforeAll(async () => {
  reel = await startReel({ REEL_BROWSER_ENTRIES_PER_MINUTE: '12' });
  module = await moduleToken();
  ana = await viewer(TENANT);
});
afterAll(() => reel.close());

const ENTRY = { module: 'guardian', action: 'users.create' };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('every answer', () => {
  it.each<[string, string, string, boolean]>([
    ['GET', '/api/v1/reel/logs', 'of a list', true],
    ['GET', '/api/v1/reel/logs', '401', false],
    ['GET', '/api/v1/reel/logs?x=1', '422', true],
    ['GET', `/api/v1/reel/logs/${randomUUID()}`, '404', true],
    ['GET', '/api/v1/reel/logs/', '307', true],
    ['PUT', '/api/v1/reel/logs', '405', true],
    ['GET', '/api/v1/reel/nothing', 'unknown path', true],
    ['GET', '/nothing/at/all', 'unknown path', true],
    ['GET', '/%', 'bad URL', true],
    ['GET', '/', 'of the viewer', false],
    ['GET', '/health/live', 'of health', false],
    ['GET', '/.well-known/reel-keys', 'of the keys', false],
    ['POST', '/graphql', 'of GraphQL', true],
    ['PUT', '/graphql', 'of GraphQL: 405', true],
    ['GET', '/api/v1/reel/exports/logs.csv?token=x', 'of a bad link', false],
  ])('%s %s (%s) names the request and is never sniffed', async (method, path, _, isKnown) => {
    const headers: Record<string, string> = isKnown ? { authorization: `Bearer ${ana}` } : {};
    const call = (more: object) =>
      fetch(reel.url + path, { method, redirect: 'manual', headers: { ...headers, ...more } });
    const [own, traced, fresh, odd] = [
      await call({ 'x-request-id': 'Own-1' }),
      await call({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }),
      await call({}),
      await call({ 'x-request-id': 'not well formed' }),
    ];
    expect(own.headers.get('x-request-id')).toBe('Own-1');
    expect(traced.headers.get('x-request-id')).toBe(TRACE);
    for (const each of [fresh, odd]) expect(each.headers.get('x-request-id')).toMatch(UUID);
    expect(fresh.headers.get('x-request-id')).not.toBe(odd.headers.get('x-request-id'));
    for (const each of [own, traced, fresh, odd])
      expect(each.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe("a person's entry", () => {
  const graphql = async (token: string, input: string, headers: Record<string, string> = {}) => {
    const answer = await reel.graphql(
      token,
      `mutation { createLog(input: {module: "m", action: "a" ${input}}) { requestId } }`,
      {},
      headers,
    );
    return { id: answer.body.data.createLog.requestId, answered: answer.headers.get('x-request-id') };
  };
  const rest = async (token: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await reel.rest(token, 'POST', '/logs', { ...ENTRY, ...body }, headers);
    return { id: answer.body.request_id, answered: answer.headers.get('x-request-id') };
  };

  it('has the id of the request, where it names none', async () => {
    const token = await person({ tenants: [TENANT] });
    const upper = randomUUID().toUpperCase();
    const traced = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
    for (const [one, other] of [
      [await graphql(token, '', { 'x-request-id': upper }), await rest(token, {}, { 'x-request-id': upper })],
    ] as const)
      for (const each of [one, other]) expect(each).toEqual({ id: upper.toLowerCase(), answered: upper });
    for (const each of [await graphql(token, '', traced), await rest(token, {}, traced)])
      expect(each).toEqual({ id: TRACE, answered: TRACE });
    for (const each of [await graphql(token, ''), await rest(token, {})]) {
      expect(each.id).toMatch(UUID);
      expect(each.answered).toBe(each.id);
    }
  });

  it('keeps what it names', async () => {
    const token = await person({ tenants: [TENANT] });
    const headers = { 'x-request-id': 'own' };
    expect((await graphql(token, ', requestId: "named"', headers)).id).toBe('named');
    expect((await rest(token, { request_id: 'named' }, headers)).id).toBe('named');
  });

  it("is not so of a module's", async () => {
    const headers = { 'x-request-id': 'own' };
    expect((await rest(module, { tenant_id: TENANT }, headers)).id).toBeNull();
    expect((await graphql(module, `, tenantId: "${TENANT}"`, headers)).id).toBeNull();
  });
});

describe('creating', () => {
  const create = (body: object, headers: Record<string, string> = {}) =>
    reel.rest(module, 'POST', '/logs', { ...ENTRY, tenant_id: TENANT, ...body }, headers);

  it('answers where the entry is', async () => {
    const { status, headers, body } = await create({});
    const location = headers.get('location')!;
    expect([status, location]).toEqual([201, `/api/v1/reel/logs/${body.id}`]);
    const found = await fetch(reel.url + location, { headers: { authorization: `Bearer ${ana}` } });
    expect(await found.json()).toMatchObject({ id: body.id });
  });

  it('tells a replay', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const [first, again, other] = [
      await create({}, key),
      await create({}, key),
      await create({ action: 'x' }, key),
    ];
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(again.body.id).toBe(first.body.id);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect([other.status, other.headers.get('idempotent-replayed'), other.headers.get('location')]).toEqual([
      409,
      null,
      null,
    ]);
  });
});

describe("the bound on a person's entries", () => {
  it('is told with every answer that counts, and past it with 429', async () => {
    const token = await person({ tenants: [TENANT] });
    const limit = (headers: Headers) => [headers.get('ratelimit-policy'), headers.get('ratelimit')];
    for (let left = 11; left >= 0; left -= 1) {
      const { status, headers } =
        left % 2 === 0
          ? await reel.rest(token, 'POST', '/logs', left === 4 ? {} : ENTRY)
          : await reel.graphql(token, 'mutation { createLog(input: {module: "m", action: "a"}) { id } }');
      expect(status).toBe(left % 2 === 1 ? 200 : left === 4 ? 422 : 201);
      expect(limit(headers)).toEqual([
        '"browser-entries";q=12;w=60',
        expect.stringMatching(new RegExp(`^"browser-entries";r=${left};t=([1-9]|[1-5]\\d|60)$`)),
      ]);
    }
    for (const { status, headers } of [
      await reel.rest(token, 'POST', '/logs', ENTRY),
      await reel.graphql(token, 'mutation { createLog(input: {module: "m", action: "a"}) { id } }'),
    ]) {
      expect([status, headers.get('ratelimit-policy')]).toEqual([429, '"browser-entries";q=12;w=60']);
      expect(headers.get('ratelimit')).toBe(`"browser-entries";r=0;t=${headers.get('retry-after')}`);
    }
  });

  it("is not a module's", async () => {
    const { status, headers } = await reel.rest(module, 'POST', '/logs', { ...ENTRY, tenant_id: TENANT });
    expect([status, headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([201, null, null]);
  });
});

it('a header that cannot stand in an answer never gets there', async () => {
  const { port } = new URL(reel.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.end(
    'GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: caf\xe9\x07\r\nConnection: close\r\n\r\n',
    'latin1',
  );
  const answer = await text(socket);
  expect(answer).not.toContain('caf');
});
