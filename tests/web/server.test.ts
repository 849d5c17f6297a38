import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createPinia } from 'pinia';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Component, createApp, createSSRApp } from 'vue';
import { renderToString } from 'vue/server-renderer';
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
import { launchBrowser } from '../support/browser.js';
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

// Its app is one more of this process.
describe('a page that was rendered on a server', () => {
  const folder = resolve(import.meta.dirname, '../../.cache', `hydrated-${randomUUID()}`);
  const PAGE = `import { defineComponent, h } from 'vue';
import { useReel } from '${resolve(import.meta.dirname, '../../web/reel/index.ts')}';
export default defineComponent(() => {
  const { logs, totalLogs, currentPage, nextPage, error } = useReel({ autoLoad: true, pageSize: 3, initialFilter: { action: 'users.create' } });
  return () => h('main', [
    h('p', error.value ?? \`page \${currentPage.value} of \${totalLogs.value}\`),
    h('ul', logs.value.map((log) => h('li', { key: log.id }, \`\${log.resource_id} \${log.created_at}\`))),
    h('button', { onClick: () => nextPage() }, 'Next'),
  ]);
});`;
  const ENTRY = `import { createPinia } from 'pinia';
import { createSSRApp } from 'vue';
import { createReel } from '${resolve(import.meta.dirname, '../../web/reel/index.ts')}';
import Page from './page.ts';
const pinia = createPinia();
pinia.state.value = JSON.parse(document.getElementById('state').textContent);
const headers = { authorization: document.documentElement.dataset.authorization };
createSSRApp(Page).use(pinia).use(createReel({ url: '/graphql', headers })).mount('#app');`;
  let markup: string;
  let state: string;
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'page.ts'), PAGE);
    await writeFile(join(folder, 'entry.ts'), ENTRY);
    const { default: Page } = (await import(/* @vite-ignore */ join(folder, 'page.ts'))) as {
      default: Component;
    };
    const pinia = createPinia();
    const app = createSSRApp(Page)
      .use(pinia)
      .use(createReel({ url: `${server.url}/graphql`, headers: { authorization: person } }));
    markup = await renderToString(app);
    state = JSON.stringify(pinia.state.value).replaceAll('<', '\\u003c');
    // As in development, in which Vue says what does not fit.
    await build({
      root: folder,
      base: '/hydrated/',
      mode: 'development',
      configFile: false,
      logLevel: 'error',
      define: {
        'process.env.NODE_ENV': '"development"',
        __VUE_OPTIONS_API__: 'true',
        __VUE_PROD_DEVTOOLS__: 'false',
        __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
      },
      build: {
        minify: false,
        rollupOptions: { input: join(folder, 'entry.ts'), output: { entryFileNames: 'entry.js' } },
      },
    });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('comes alive in a browser without a warning, and without loading again', async () => {
    expect(markup).toContain('page 1 of 30');
    const browser = await launchBrowser();
    try {
      const visit = async (html: string) => {
        const page = await browser.newPage();
        page.setDefaultTimeout(60_000);
        const said: string[] = [];
        const asked: string[] = [];
        page.on('console', (message) => {
          if (['warning', 'error'].includes(message.type())) said.push(message.text());
        });
        page.on('pageerror', (error) => said.push(String(error)));
        page.on('request', (request) => {
          if (request.url().endsWith('/graphql')) asked.push(request.url());
        });
        // At the server's own origin, as a platform has it that passes /graphql on.
        await page.route('**/hydrated/**', async (route) => {
          const name = new URL(route.request().url()).pathname.replace('/hydrated/', '');
          if (name !== '') return route.fulfill({ path: join(folder, 'dist', name) });
          return route.fulfill({
            contentType: 'text/html',
            body: `<!doctype html><html lang="en" data-authorization="${person}"><link rel="icon" href="data:,">
              <div id="app">${html}</div><script type="application/json" id="state">${state}</script>
              <script type="module" src="/hydrated/entry.js"></script></html>`,
          });
        });
        await page.goto(`${server.url}/hydrated/`);
        await page.waitForFunction(() => '__vue_app__' in document.getElementById('app')!);
        return { page, said, asked };
      };
      const { page, said, asked } = await visit(markup);
      expect(await page.locator('#app').innerHTML()).toBe(markup);
      expect([said, asked]).toEqual([[], []]);
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByText('page 2 of 30').waitFor();
      expect([said, asked.length]).toEqual([[], 1]);
      // That a warning would have been heard.
      const other = await visit(markup.replace('page 1', 'page one'));
      expect(other.said.join()).toMatch(/Hydration/);
    } finally {
      await browser.close();
    }
  });
});
