import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { GraphQLError } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from 'vue';
import { createReel, type ReelApolloOptions } from '../../web/reel/apollo.js';
import {
  createLog,
  downloadLogExport,
  exportLogs,
  fetchLog,
  fetchLogStats,
  fetchLogs,
  ReelError,
  createReel as withoutApollo,
} from '../../web/reel/index.js';
import {
  entryAt,
  evokeClient,
  FakeBackend,
  type FakeServer,
  gate,
  startFakeServer,
} from '../support/fake-server.js';

const app = createApp({});
const setUp = (options: ReelApolloOptions) => app.use(createReel(options));
const failure = (promise: Promise<unknown>): Promise<ReelError> =>
  promise.then(
    () => {
      throw new Error('expected a rejection, got an answer');
    },
    (cause: unknown) => {
      expect(cause).toBeInstanceOf(ReelError);
      return cause as ReelError;
    },
  );

test('functions called before createReel say so', async () => {
  for (const call of [
    () => fetchLogs(),
    () => fetchLog('x'),
    () => fetchLogStats(),
    () => exportLogs(),
    () => downloadLogExport('/x'),
  ])
    expect((await failure(call())).message).toMatch(/createReel/);
  expect(() => createReel({} as ReelApolloOptions)).toThrow(/expected evoke or url/);
  expect(() => withoutApollo({ client: {} } as never)).toThrow(/reel\/apollo takes client/);
});

let server: FakeServer;
let backend: FakeBackend;
beforeAll(async () => {
  server = await startFakeServer(new FakeBackend());
});
afterAll(() => server.close());
beforeEach(() => {
  backend = server.backend;
  backend.entries.length = 0;
  backend.requests.length = 0;
  backend.error = null;
  backend.beforeResponse = () => {};
  for (let sequence = 1; sequence <= 5; sequence++) backend.entries.push(entryAt(sequence));
});

const httpLink = () => new HttpLink({ uri: server.url });
const CONNECTIONS: [string, () => ReelApolloOptions][] = [
  [
    'an Apollo client',
    () => ({ client: new ApolloClient({ link: httpLink(), cache: new InMemoryCache() }) }),
  ],
  [
    'an Apollo client behind other links',
    () => ({
      client: new ApolloClient({
        link: new ApolloLink((operation, forward) => forward(operation)).concat(httpLink()),
        cache: new InMemoryCache(),
      }),
    }),
  ],
  [
    'Evoke',
    () => ({ evoke: { ...evokeClient(backend), defaults: { baseURL: new URL(server.url).origin } } }),
  ],
  ['a url', () => ({ url: server.url })],
];

describe.each(CONNECTIONS)('over %s', (_, options) => {
  beforeEach(() => {
    setUp(options());
  });

  test('fetchLogs returns a page with the first edition’s names', async () => {
    const list = await fetchLogs({ page: 2, page_size: 2 });
    expect(list).toMatchObject({ total: 5, page: 2, page_size: 2, pages: 3 });
    expect(list.items.map(({ sequence }) => sequence)).toEqual([3, 2]);
    expect(list.items[0]).toEqual({
      id: '01940000-0000-7000-8000-000000000003',
      module: 'guardian',
      action: 'user.create',
      severity: 'INFO',
      resource_type: 'user',
      resource_id: '3',
      data: { snake_case: { camelCase: 3 } },
      actor_id: null,
      actor_email: 'ana@example.com',
      actor_name: 'Ana',
      tenant_id: '11111111-1111-4111-8111-111111111111',
      client_id: null,
      ip_address: '10.0.0.1',
      user_agent: 'Vitest',
      request_id: null,
      created_at: '2026-01-05T10:00:00.123456Z',
      origin: 'MODULE',
      occurred_at: '2026-01-05T10:00:00.123456Z',
      sequence: 3,
      on_behalf_of_id: null,
      actor_type: 'USER',
      outcome: null,
      on_behalf_of_name: null,
      resource_name: null,
      repaired: [],
    });
    expect(backend.lastRequest.variables).toEqual({ filter: {}, first: 2, page: 2 });
    backend.entries.length = 0;
    expect(await fetchLogs()).toEqual({ items: [], total: 0, page: 1, page_size: 50, pages: 0 });
  });

  test('conditions are converted to GraphQL’s; empty ones are none; dates without an offset are UTC', async () => {
    await fetchLogs({
      start_date: '2026-01-05',
      end_date: '2026-01-05T10:00',
      actor_id: '',
      module: 'guardian',
      action: 'users.*',
      severity: 'ERROR',
      min_severity: 'WARNING',
      resource_type: 'user',
      resource_id: null,
      client_id: undefined,
      search: '100%_',
      query: 'timeout',
    });
    expect(backend.lastRequest.variables.filter).toEqual({
      startDate: '2026-01-05T00:00:00Z',
      endDate: '2026-01-05T10:00:00Z',
      modules: ['guardian'],
      actions: ['users.*'],
      severities: ['ERROR'],
      minSeverity: 'WARNING',
      resourceType: 'user',
      search: '100%_',
      query: 'timeout',
    });
    for (const [given, sent] of [
      ['2026-01-05T10:00:00.123456', '2026-01-05T10:00:00.123456Z'],
      ['2026-01-05 10:00:00', '2026-01-05 10:00:00Z'],
      ['2026-01-05T10:00:00+02:00', '2026-01-05T10:00:00+02:00'],
      ['2026-01-05T10:00:00Z', '2026-01-05T10:00:00Z'],
      ['yesterday', 'yesterday'],
    ] as const) {
      await fetchLogs({ start_date: given });
      expect(backend.lastRequest.variables.filter).toEqual({ startDate: sent });
    }
  });

  test('fetchLog returns one entry, or rejects with NOT_FOUND', async () => {
    expect(await fetchLog('01940000-0000-7000-8000-000000000002')).toMatchObject({ sequence: 2 });
    const { code, faults } = await failure(fetchLog('01940000-0000-7000-8000-000000000099'));
    expect({ code, faults }).toEqual({ code: 'NOT_FOUND', faults: [] });
  });

  test('fetchLogStats returns maps, whatever the modules are called', async () => {
    const stats = await fetchLogStats();
    expect(stats).toMatchObject({
      total_entries: 5,
      entries_by_severity: { INFO: 5 },
      entries_today: 1,
      entries_this_week: 2,
    });
    expect(Object.entries(stats.entries_by_module)).toEqual([
      ['guardian', 2],
      ['__proto__', 1],
    ]);
    expect(Object.keys(stats)).toHaveLength(5);
  });

  test('createLog stores an entry and returns it', async () => {
    const entry = await createLog({
      module: 'guardian',
      action: 'user.create',
      severity: 'WARNING',
      data: { snake_case: [1] },
      occurred_at: '2026-01-05T10:00:00',
      idempotency_key: 'once',
      client_id: null,
    });
    expect(entry).toMatchObject({ sequence: 6, severity: 'WARNING', data: { snake_case: [1] } });
    expect(backend.lastRequest.variables.input).toEqual({
      module: 'guardian',
      action: 'user.create',
      severity: 'WARNING',
      data: { snake_case: [1] },
      occurredAt: '2026-01-05T10:00:00Z',
      idempotencyKey: 'once',
    });
  });

  test('createLog sends the fields of who acted for whom, of the outcome and of repair', async () => {
    const who = {
      actor_id: 'auth0|5f1',
      actor_type: 'AGENT',
      on_behalf_of_id: 'system:serviceaccount:ci:build',
      on_behalf_of_name: 'Helena',
      outcome: 'DENIED',
      resource_name: 'Invoice 2026-4711',
    } as const;
    const entry = await createLog({ module: 'guardian', action: 'user.create', ...who, repair: true });
    expect(entry).toMatchObject({ ...who, repaired: [] });
    expect(backend.lastRequest.variables.input).toEqual({
      module: 'guardian',
      action: 'user.create',
      actorId: 'auth0|5f1',
      actorType: 'AGENT',
      onBehalfOfId: 'system:serviceaccount:ci:build',
      onBehalfOfName: 'Helena',
      outcome: 'DENIED',
      resourceName: 'Invoice 2026-4711',
      repair: true,
    });
  });

  test('exportLogs returns a link, and downloadLogExport fetches it from the endpoint’s origin', async () => {
    const link = await exportLogs({ filter: { module: 'guardian' }, format: 'ndjson', include_data: true });
    expect(backend.lastRequest.variables.input).toEqual({
      filter: { modules: ['guardian'] },
      format: 'NDJSON',
      includeData: true,
    });
    expect(link).toEqual({
      download_url: '/api/v1/reel/exports/logs_20260105_100000.csv?token=abc',
      filename: 'logs_20260105_100000.csv',
      record_count: 5,
      expires_at: '2026-01-05T11:00:00.000000Z',
    });
    await exportLogs({});
    expect(backend.lastRequest.variables.input).toEqual({ filter: {}, format: 'CSV', includeData: false });
    const file = await downloadLogExport(link.download_url);
    expect(await file.text()).toBe('id,created_at\r\n');
    const refused = await failure(downloadLogExport('/api/v1/reel/exports/logs.csv?token=old'));
    expect(refused).toMatchObject({ code: 'FORBIDDEN', message: 'This link has expired' });
  });

  test.each([
    'UNAUTHENTICATED',
    'FORBIDDEN',
    'BAD_USER_INPUT',
    'CONFLICT',
    'TOO_MANY_REQUESTS',
    'OVERLOADED',
    'UNAVAILABLE',
    'INTERNAL_SERVER_ERROR',
  ])('%s comes with its message and its faults', async (code) => {
    const faults = [
      { type: 'value_error', loc: ['input', 'tenantId'], msg: 'tenantId: expected a UUID', input: 'x' },
      { type: 'value_error', loc: ['actorIds', 0], msg: 'expected a UUID', input: 'y' },
    ];
    backend.error = new GraphQLError('Said the server', { extensions: { code, faults, position: 3 } });
    for (const call of [fetchLogs(), createLog({ module: 'm', action: 'a' })]) {
      const error = await failure(call);
      expect(error).toMatchObject({ name: 'ReelError', code, message: 'Said the server' });
      expect(error.faults).toEqual([
        { loc: ['tenant_id'], msg: 'tenant_id: expected a UUID' },
        { loc: ['actor_id'], msg: 'expected a UUID' },
      ]);
      expect(error.extensions).toEqual({ position: 3 });
    }
  });

  test('aborting rejects with ABORTED immediately, and a request aborted beforehand is never sent', async () => {
    const held = gate();
    backend.beforeResponse = () => held.opened;
    const controller = new AbortController();
    const calls = [
      fetchLogs({}, controller.signal),
      fetchLogs({}, controller.signal),
      fetchLog('x', controller.signal),
      fetchLogStats(controller.signal),
      exportLogs({}, controller.signal),
      createLog({ module: 'm', action: 'a' }, controller.signal),
    ].map(failure);
    controller.abort();
    for (const call of calls) expect((await call).code).toBe('ABORTED');
    const sent = backend.requests.length;
    expect((await failure(fetchLogs({}, controller.signal))).code).toBe('ABORTED');
    expect((await failure(downloadLogExport('/x', controller.signal))).code).toBe('ABORTED');
    expect(backend.requests).toHaveLength(sent);
    held.open();
  });

  test('aborting one of two equal requests does not abort the other', async () => {
    const held = gate();
    backend.beforeResponse = () => held.opened;
    const controller = new AbortController();
    const [first, second] = [failure(fetchLogs({}, controller.signal)), fetchLogs()];
    controller.abort();
    expect((await first).code).toBe('ABORTED');
    held.open();
    expect((await second).total).toBe(5);
  });
});

test('over a url, headers may come from a function', async () => {
  setUp({ url: server.url, headers: async () => ({ Authorization: 'Bearer token' }) });
  await fetchLogs();
  expect(server.headers()).toMatchObject({
    authorization: 'Bearer token',
    'content-type': 'application/json',
  });
});

test('over a url that does not respond, or responds with a page: NETWORK', async () => {
  setUp({ url: 'http://127.0.0.1:9/graphql' });
  expect((await failure(fetchLogs())).code).toBe('NETWORK');
  setUp({ url: server.url.replace('/graphql', '/page') });
  expect((await failure(fetchLogs())).code).toBe('NETWORK');
  setUp({ url: server.url.replace('/graphql', '/nowhere') });
  expect((await failure(fetchLogs())).code).toBe('NOT_FOUND');
  setUp({
    client: new ApolloClient({
      link: new HttpLink({ uri: 'http://127.0.0.1:9/graphql' }),
      cache: new InMemoryCache(),
    }),
  });
  expect((await failure(fetchLogs())).code).toBe('NETWORK');
});

test('Evoke gets /graphql with the headers and the signal, and its rejections are told apart', async () => {
  const evoke = evokeClient(backend);
  setUp({ evoke });
  const { signal } = new AbortController();
  await fetchLogs({}, signal);
  expect(evoke.calls[0]).toMatchObject({ url: '/graphql', signal });
  for (const [cause, code] of [
    [Object.assign(new Error('Network Error'), { code: 'ERR_NETWORK' }), 'NETWORK'],
    [Object.assign(new Error('canceled'), { name: 'CanceledError' }), 'ABORTED'],
    [Object.assign(new Error('502'), { response: { status: 502, data: '' } }), 'UNAVAILABLE'],
    [
      Object.assign(new Error('413'), { response: { status: 413, data: { detail: 'Too large' } } }),
      'BAD_USER_INPUT',
    ],
    [Object.assign(new Error('500'), { response: { status: 500, data: null } }), 'INTERNAL_SERVER_ERROR'],
  ] as const) {
    setUp({ evoke: { post: () => Promise.reject(cause) } });
    expect((await failure(fetchLogs())).code).toBe(code);
  }
});

test.each([
  ['fetchLogs', () => fetchLogs({ modul: 'billing' } as never), ['modul'], 'module'],
  ['fetchLogs', () => fetchLogs({ startDate: '2026-01-01' } as never), ['startDate'], 'start_date'],
  ['fetchLogs', () => fetchLogs({ pagesize: 5 } as never), ['pagesize'], 'page_size'],
  ['fetchLogs', () => fetchLogs({ minSeverity: '' } as never), ['minSeverity'], 'min_severity'],
  ['exportLogs', () => exportLogs({ includeData: true } as never), ['includeData'], 'include_data'],
  ['exportLogs', () => exportLogs({ filter: { actor: 'x' } as never }), ['filter', 'actor'], 'action'],
  ['createLog', () => createLog({ module: 'm', actoin: 'a' } as never), ['actoin'], 'action'],
  ['createLog', () => createLog({ module: 'm', action: 'a', id: 'x' } as never), ['id'], 'data'],
])('%s refuses a name that it does not know, and sends nothing: %#', async (_, call, loc, nearest) => {
  setUp({ url: server.url });
  const error = await failure(call());
  const message = `unknown name ${loc.at(-1)}, did you mean ${nearest}?`;
  expect(error).toMatchObject({ code: 'BAD_USER_INPUT', message, faults: [{ loc, msg: message }] });
  expect(backend.requests).toEqual([]);
});
