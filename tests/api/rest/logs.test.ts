import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LogSeverity } from '../../../src/log/entry/severity.js';
import { toCriteria } from '../../../src/log/filter/criteria.js';
import type { LogFilter } from '../../../src/log/filter/log-filter.js';
import {
  ANA,
  anEntry,
  CLIENT,
  grant,
  OTHER_TENANT,
  person,
  type RestServer,
  startRestServer,
  TENANT,
  viewer,
} from '../../support/rest-server.js';

const P = '/api/v1/reel';
const criteriaOf = (filter: LogFilter) => toCriteria({ tenantId: TENANT, clients: null }, filter, new Date());
let server: RestServer;
let authorization: string;
beforeAll(async () => {
  server = await startRestServer();
  authorization = await viewer();
});
beforeEach(() => {
  server.reel.entries.length = 0;
});
afterAll(() => server.app.close());

const get = async (url: string) => {
  const answer = await server.app.inject({ url: P + url, headers: { authorization } });
  return { status: answer.statusCode, body: answer.json(), raw: answer.body };
};
const id = (n: number) => `01980000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const faultsOf = (body: { detail: { loc: string[]; type: string }[] }) =>
  body.detail.map(({ loc, type }) => `${loc.join('.')} ${type}`);

describe('an entry', () => {
  test('byte for byte', async () => {
    server.reel.entries.push(
      anEntry({ data: { ['__proto__']: 1, a: [1.5, null] } as never, resourceId: null }),
    );
    const { status, raw } = await get(`/logs/${id(1).toUpperCase()}`);
    expect(status).toBe(200);
    expect(raw).toBe(
      `{"id":"${id(1)}","module":"guardian","action":"users.create","severity":"INFO","resource_type":"user","resource_id":null,` +
        `"data":{"__proto__":1,"a":[1.5,null]},"actor_id":"${ANA}","actor_email":"ana@example.com","actor_name":"Ana","tenant_id":"${TENANT}",` +
        `"client_id":"${CLIENT}","ip_address":"10.0.0.1","user_agent":"test","request_id":null,"created_at":"2026-01-05T10:00:00.123456Z",` +
        '"origin":"MODULE","occurred_at":"2026-01-05T10:00:00.123456Z","sequence":1,"on_behalf_of_id":null,' +
        '"actor_type":"USER","outcome":null,"on_behalf_of_name":null,"resource_name":null,"repaired":[]}'.replace(
          '{"__proto__":1',
          '{"__proto__":1',
        ),
    );
  });

  test('erased: its fields are null and every key is there', async () => {
    server.reel.entries.push(
      anEntry({
        actorEmail: null,
        actorName: null,
        ipAddress: null,
        userAgent: null,
        data: null,
        erasedAt: '2026-02-01T00:00:00.000000Z',
      }),
    );
    const { body } = await get(`/logs/${id(1)}`);
    expect(body).toMatchObject({
      actor_email: null,
      actor_name: null,
      ip_address: null,
      user_agent: null,
      data: null,
    });
    expect(Object.keys(body)).toHaveLength(25);
  });

  test("another tenant's and one that is not there are answered alike", async () => {
    server.reel.entries.push(anEntry({ tenantId: OTHER_TENANT }));
    const [theirs, nobodys] = [await get(`/logs/${id(1)}`), await get(`/logs/${id(2)}`)];
    expect(theirs).toEqual({
      status: 404,
      body: { detail: 'Log entry not found' },
      raw: '{"detail":"Log entry not found"}',
    });
    expect(nobodys).toEqual(theirs);
  });

  test.each(['x', 'x'.repeat(500), '%00', 'a%2Fb', '01980000'])('an id that is none: %s', async (text) => {
    const { status, body } = await get(`/logs/${text}`);
    expect(status).toBe(422);
    expect(faultsOf(body)).toEqual(['path.id uuid_parsing']);
  });
});

describe('the list', () => {
  test('pages, newest first; past the end no items and the true total', async () => {
    for (let n = 1; n <= 5; n++) server.reel.entries.push(anEntry({ id: id(n), sequence: n }));
    const { body } = await get('/logs?page=2&page_size=2');
    expect(body).toMatchObject({ total: 5, page: 2, page_size: 2, pages: 3 });
    expect(body.items.map((entry: { id: string }) => entry.id)).toEqual([id(3), id(2)]);
    expect(Object.keys(body)).toEqual([
      'items',
      'total',
      'page',
      'page_size',
      'pages',
      'total_precision',
      'next_cursor',
      'previous_cursor',
      'searched_until',
    ]);
    expect(body).toMatchObject({
      total_precision: 'EXACT',
      next_cursor: id(2),
      previous_cursor: id(3),
      searched_until: null,
    });
    for (const page of [4, 3_000_000_000])
      expect((await get(`/logs?page=${page}&page_size=2`)).body).toEqual({
        items: [],
        total: 5,
        page,
        page_size: 2,
        pages: 3,
        total_precision: 'EXACT',
        next_cursor: null,
        previous_cursor: null,
        searched_until: null,
      });
  });

  test('nothing there', async () => {
    expect((await get('/logs')).body).toEqual({
      items: [],
      total: 0,
      page: 1,
      page_size: 50,
      pages: 0,
      total_precision: 'EXACT',
      next_cursor: null,
      previous_cursor: null,
      searched_until: null,
    });
  });

  test('every parameter reaches the filter', async () => {
    const query = new URLSearchParams({
      module: 'guardian',
      action: 'users.*',
      severity: 'ERROR',
      min_severity: 'INFO',
      actor_id: ANA.toUpperCase(),
      client_id: CLIENT,
      start_date: '2026-01-05',
      end_date: '2026-01-05T10:00:00+05:30',
      search: '100%_',
      resource_type: 'user',
      resource_id: 'Ünï',
      request_id: ANA,
    });
    expect((await get(`/logs?${query}`)).status).toBe(200);
    const filter = {
      modules: ['guardian'],
      actions: ['users.*'],
      severities: [LogSeverity.ERROR],
      minSeverity: LogSeverity.INFO,
      actorIds: [ANA],
      clientId: CLIENT,
      startDate: '2026-01-05T00:00:00.000000Z',
      endDate: '2026-01-05T04:30:00.000000Z',
      search: '100%_',
      resourceType: 'user',
      resourceId: 'Ünï',
      requestId: ANA,
    };
    expect(server.reel.asked.criteria).toEqual(criteriaOf(filter));
    // The same instant, were it of relative times.
    expect(server.reel.asked.counted).toBe(server.reel.asked.criteria);
    expect(server.reel.asked.page).toEqual({ first: 50, after: null, page: 1 });
  });

  test('a time without an offset is UTC; empty values are not given; of a name that comes twice the last counts', async () => {
    await get(
      '/logs?start_date=2026-01-05T10:00:00.5&module=&severity=&page=&page_size=&actor_id=&search=&end_date=&action=a&action=b',
    );
    expect(server.reel.asked.criteria).toEqual(
      criteriaOf({ startDate: '2026-01-05T10:00:00.500000Z', actions: ['b'] }),
    );
  });

  test('a parameter that is not known is refused, and the nearest named', async () => {
    for (const path of ['/logs', '/logs/stats']) {
      const { status, body } = await get(`${path}?modul=guardian`);
      expect([status, faultsOf(body)]).toEqual([422, ['query.modul extra_forbidden']]);
      expect(body.detail[0].msg).toContain('did you mean module');
    }
  });

  test('every fault at once, with what came', async () => {
    const query = new URLSearchParams({
      page: '0',
      page_size: '101',
      severity: 'error',
      min_severity: 'x',
      actor_id: 'a'.repeat(321),
      client_id: 'x',
      start_date: '2026-02-30',
      end_date: 'yesterday',
      search: 's'.repeat(256),
      module: 'm'.repeat(321),
      resource_id: 'a\0b',
    });
    const { status, body } = await get(`/logs?${query}`);
    expect(status).toBe(422);
    expect(faultsOf(body)).toEqual([
      'query.page greater_than_equal',
      'query.page_size less_than_equal',
      'query.module string_too_long',
      'query.severity enum',
      'query.min_severity enum',
      'query.actor_id string_too_long',
      'query.client_id uuid_parsing',
      'query.start_date datetime_parsing',
      'query.end_date datetime_parsing',
      'query.search string_too_long',
      'query.resource_id value_error',
    ]);
    expect(body.detail[1]).toEqual({
      type: 'less_than_equal',
      loc: ['query', 'page_size'],
      msg: 'Input should be less than or equal to 100',
      input: '101',
    });
    for (const { input } of body.detail) expect(input.length).toBeLessThanOrEqual(200);
  });

  test.each(['abc', '1.5', '1e3', '0x1', '-1', '99999999999999999999', '%zz'])(
    'page=%s is refused',
    async (page) => {
      expect((await get(`/logs?page=${page}`)).status).toBe(422);
    },
  );

  test('search takes 255 characters, emoji counted once', async () => {
    expect((await get(`/logs?search=${encodeURIComponent('🙂'.repeat(255))}`)).status).toBe(200);
    expect((await get(`/logs?search=${encodeURIComponent('🙂'.repeat(256))}`)).status).toBe(422);
  });

  test('only what the scope shows', async () => {
    server.reel.entries.push(anEntry({ clientId: null }), anEntry({ id: id(2) }));
    const own = await person(grant('reel.logs.view', 'CLIENT', CLIENT));
    const answer = await server.app.inject({ url: `${P}/logs`, headers: { authorization: own } });
    expect(answer.json()).toMatchObject({ total: 1, items: [{ id: id(2) }] });
  });

  test('HEAD answers the headers alone', async () => {
    const answer = await server.app.inject({ method: 'HEAD', url: `${P}/logs`, headers: { authorization } });
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect(answer.headers['content-type']).toContain('application/json');
  });
});

test('stats: only keys that occur, a module named __proto__ among them', async () => {
  server.reel.entries.push(anEntry());
  const { raw } = await get('/logs/stats');
  expect(raw).toBe(
    '{"total_entries":1,"entries_by_severity":{"INFO":2},"entries_by_module":{"__proto__":2},"entries_today":1,"entries_this_week":2,"precision":"EXACT"}',
  );
});
