import { generateKeyPairSync } from 'node:crypto';
import { createPinia } from 'pinia';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createApp } from 'vue';
import { issueModuleToken, issuePersonToken } from '../../src/auth/token.js';
import { readConfig } from '../../src/config/config.js';
import { createReelServer, type ReelServer } from '../../src/server.js';
import {
  createLog,
  createReel,
  downloadLogExport,
  exportLogs,
  fetchLog,
  fetchLogStats,
  fetchLogs,
  ReelError,
  useReel,
  useReelTail,
} from '../../web/reel/index.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const TENANT = '11111111-1111-4111-8111-111111111111';
const CLIENT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const ANA = '99999999-9999-4999-8999-999999999999';
const [jwtSecret, serviceSecret] = ['j'.repeat(32), 's'.repeat(32)];

let database: TestDatabase;
let server: ReelServer;
/** Sent with every request. */
let authorization: string;
let person: string;

beforeAll(async () => {
  database = await createDatabase();
  server = await createReelServer(
    readConfig({
      REEL_PORT: '0',
      REEL_DATABASE_URL: database.runtimeUrl,
      REEL_JWT_SECRET: jwtSecret,
      REEL_SERVICE_SECRET: serviceSecret,
      REEL_SIGNING_KEY: String(
        generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ),
      REEL_ORIGIN: 'reel.test',
    }),
  );
  const grant = { tenantId: TENANT };
  person = `Bearer ${await issuePersonToken(jwtSecret, {
    id: ANA,
    email: 'ana@example.com',
    name: 'Ana',
    grants: [
      { ...grant, action: 'reel.logs.view', scope: 'ACCOUNT', clientId: null },
      { ...grant, action: 'reel.logs.export', scope: 'CLIENT', clientId: CLIENT },
    ],
  })}`;
  createApp({})
    .use(createPinia())
    .use(createReel({ url: `${server.url}/graphql`, headers: () => ({ authorization }) }));
  authorization = `Bearer ${await issueModuleToken(serviceSecret, 'guardian')}`;
  for (let n = 1; n <= 60; n++)
    await createLog({
      module: 'guardian',
      action: n % 2 ? 'users.create' : 'users.delete',
      severity: n % 10 ? 'INFO' : 'ERROR',
      tenant_id: TENANT,
      client_id: CLIENT,
      resource_type: 'user',
      resource_id: String(n),
      data: { snake_case: { n } },
    });
  authorization = person;
});
afterAll(async () => {
  await server?.close();
  await database?.drop();
});

test('the functions work with a real server', async () => {
  const list = await fetchLogs({
    action: 'users.*',
    min_severity: 'ERROR',
    page: 2,
    page_size: 4,
    search: '',
  });
  expect(list).toMatchObject({ total: 6, page: 2, page_size: 4, pages: 2 });
  expect(list.items.map(({ resource_id }) => resource_id)).toEqual(['20', '10']);
  const [first] = list.items;
  expect(first).toMatchObject({ data: { snake_case: { n: 20 } }, origin: 'MODULE', actor_id: null });
  expect(first?.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(await fetchLog(first?.id ?? '')).toMatchObject({ resource_id: '20' });
  expect((await fetchLogs({ end_date: '2020-01-01' })).total).toBe(0);
  expect((await fetchLogs({ start_date: '2020-01-01', query: '-action:users.delete' })).total).toBe(30);
  expect(await fetchLogStats()).toMatchObject({
    total_entries: 60,
    entries_by_severity: { INFO: 54, ERROR: 6 },
    entries_by_module: { guardian: 60 },
  });
});

test('an export is prepared and fetched', async () => {
  const link = await exportLogs({ filter: { severity: 'ERROR' }, format: 'json', include_data: true });
  expect(link).toMatchObject({
    record_count: 6,
    filename: expect.stringMatching(/^logs_\d{8}_\d{6}\.json$/),
  });
  const { count, logs } = JSON.parse(await (await downloadLogExport(link.download_url)).text());
  expect([count, logs[0].resource_id]).toEqual([6, '10']);
});

test('errors have their code, their faults and their position in a query line', async () => {
  const failure = (promise: Promise<unknown>) =>
    promise.catch((cause: ReelError) => cause) as Promise<ReelError>;
  expect(await failure(fetchLog('01980000-0000-7000-8000-000000000001'))).toMatchObject({
    code: 'NOT_FOUND',
  });
  expect(await failure(fetchLog('x'))).toMatchObject({ code: 'BAD_USER_INPUT' });
  expect(await failure(fetchLogs({ severity: 'error' as 'ERROR' }))).toMatchObject({
    code: 'BAD_USER_INPUT',
  });
  expect(await failure(fetchLogs({ page_size: 101 }))).toMatchObject({ code: 'BAD_USER_INPUT' });
  expect(await failure(fetchLogs({ query: 'modul:x' }))).toMatchObject({
    code: 'BAD_USER_INPUT',
    extensions: { position: 0, length: 7 },
  });
  const stolen = await failure(createLog({ module: 'm', action: 'a', actor_id: CLIENT }));
  expect(stolen).toMatchObject({ code: 'BAD_USER_INPUT' });
  expect(stolen.faults.map(({ loc }) => loc.at(-1))).toEqual(['actor_id']);
  expect(await failure(createLog({ module: 'reel', action: 'a' }))).toMatchObject({ code: 'FORBIDDEN' });
  authorization = 'Bearer nonsense';
  expect(await failure(fetchLogs())).toMatchObject({ code: 'UNAUTHENTICATED', name: 'ReelError' });
  authorization = person;
});

test('a user’s page creates and lists entries', async () => {
  const { log, logs, setFilter, totalLogs, stats, loadStats, hasMorePages } = useReel({
    autoLoad: true,
    pageSize: 20,
  });
  await vi.waitFor(() => expect(logs.value).toHaveLength(20));
  expect(hasMorePages.value).toBe(true);
  expect(await log({ module: 'aurora', action: 'page.open' })).toMatchObject({
    origin: 'BROWSER',
    actor_email: 'ana@example.com',
  });
  await setFilter({ module: 'aurora' });
  await loadStats();
  // Two of them are Reel's own, of the export prepared and downloaded above.
  expect([totalLogs.value, stats.value?.total_entries]).toEqual([1, 63]);
});

test('a tail follows a real server, and stops without permission', async () => {
  const tail = useReelTail({ filter: { modules: ['tail'] }, after: 0 });
  tail.start();
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), { timeout: 60_000 });
  for (const action of ['a', 'b', 'c']) await createLog({ module: 'tail', action });
  await vi.waitFor(() => expect(tail.entries.value.map(({ action }) => action)).toEqual(['c', 'b', 'a']), {
    timeout: 60_000,
  });
  tail.stop();
  await createLog({ module: 'tail', action: 'd' });
  tail.start();
  await vi.waitFor(
    () => expect(tail.entries.value.map(({ action }) => action)).toEqual(['d', 'c', 'b', 'a']),
    {
      timeout: 60_000,
    },
  );
  tail.stop();

  const refused = useReelTail();
  authorization = 'Bearer nonsense';
  refused.start();
  await vi.waitFor(() => expect(refused.error.value?.code).toBe('UNAUTHENTICATED'), { timeout: 60_000 });
  await vi.waitFor(() => expect(refused.state.value).toBe('stopped'), { timeout: 60_000 });
  authorization = `Bearer ${await issueModuleToken(serviceSecret, 'guardian')}`;
  refused.start();
  await vi.waitFor(() => expect(refused.error.value?.code).toBe('FORBIDDEN'), { timeout: 60_000 });
  expect(refused.state.value).toBe('stopped');
  authorization = person;
});
