import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import cors from '@fastify/cors';
import fastifyStatic from '@fastify/static';
import Fastify, { type FastifyInstance } from 'fastify';
import { createClient } from 'graphql-ws';
import {
  createReelHandler,
  type Paths,
  type ReelHandler,
  type RouterOptions,
  readConfig,
  router,
} from 'reel';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { launchBrowser, watchPage } from '../support/browser.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { grant, JWT_SECRET, moduleToken, person, SERVICE_SECRET } from '../support/reel.js';

const FRAMING = 'https://platform.example.com';
const [TENANT, CLIENT] = [randomUUID(), randomUUID()];

let own: TestDatabase;
beforeAll(async () => {
  own = await createDatabase();
});
afterAll(() => own?.drop());

const configOf = (settings: Record<string, string> = {}) =>
  readConfig({
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_AUDIT_READS: 'off',
    ...settings,
  });

const reader = () =>
  person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });

/** A platform with routes, rules and files of its own, where Reel has its names. */
async function platform(options: Partial<RouterOptions> & { prefix?: string } = {}) {
  const app = Fastify();
  await app.register(cors, { origin: FRAMING });
  await app.register(fastifyStatic, {
    root: join(resolve(import.meta.dirname), '..', 'fixtures'),
    prefix: '/files/',
  });
  // As a host's helmet has it for all of its routes.
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({ 'X-Frame-Options': 'SAMEORIGIN', 'Content-Security-Policy': "default-src 'self'" });
  });
  for (const path of ['/graphql', '/metrics', '/health', '/health/ready'])
    app.get(path, async () => 'the host');
  app.post('/graphql', async () => 'the host');
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('the host has no such page'));
  await app.register(router, { config: configOf(), ...options });
  return app;
}

/** What the same calls answer, whatever server Reel is in. */
async function expectReel(origin: string, prefix: string): Promise<void> {
  const call = async (token: string, path: string, body?: object) =>
    fetch(`${origin}${prefix}${path}`, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
  const entry = { module: 'billing', action: 'invoices.create', tenant_id: TENANT, client_id: CLIENT };
  const created = await call(await moduleToken(), '/api/v1/reel/logs', entry);
  expect(created.status).toBe(201);
  const { id } = (await created.json()) as { id: string };
  const location = created.headers.get('location')!;
  expect(location).toBe(`${prefix}/api/v1/reel/logs/${id}`);
  const shown = await fetch(origin + location, { headers: { authorization: `Bearer ${await reader()}` } });
  expect(await shown.json()).toMatchObject({ id, action: 'invoices.create' });

  const mutation = { query: 'mutation { exportLogs(input: { format: NDJSON }) { downloadUrl } }' };
  const prepared = (await (await call(await reader(), '/graphql', mutation)).json()) as {
    data: { exportLogs: { downloadUrl: string } };
  };
  const { downloadUrl } = prepared.data.exportLogs;
  expect(downloadUrl.startsWith(`${prefix}/api/v1/reel/exports/`)).toBe(true);
  expect(await (await fetch(origin + downloadUrl)).text()).toContain(id);

  const described = await (await call(await reader(), '/api/v1/reel/openapi.json')).json();
  expect(described).toMatchObject({ servers: [{ url: `${prefix}/api/v1/reel` }] });
  expect((await (await call('', '/.well-known/reel-keys')).text()).length).toBeGreaterThan(20);
  expect(await (await call('', '/health/ready')).json()).toEqual({ status: 'ok' });
  expect(await (await call('', '/metrics')).text()).toContain('reel_entries_written_total');

  const client = createClient({
    url: `${origin.replace('http', 'ws')}${prefix}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${await reader()}` },
    retryAttempts: 0,
  });
  try {
    const followed = client.iterate({ query: `subscription { logAdded(after: 0) { action } }` });
    expect((await followed.next()).value).toMatchObject({
      data: { logAdded: { action: 'invoices.create' } },
    });
  } finally {
    await client.dispose();
  }
}

describe('within a Fastify of routes, rules and files of its own', () => {
  let app: FastifyInstance;
  let origin: string;
  beforeAll(async () => {
    app = await platform({ prefix: '/audit', viewer: true });
    origin = await app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => app?.close());

  test('everything is below the prefix, and links lead there', () => expectReel(origin, '/audit'));

  test("the host's own routes are as they were", async () => {
    for (const path of ['/graphql', '/metrics', '/health', '/health/ready'])
      expect(await (await fetch(origin + path)).text()).toBe('the host');
    expect(await (await fetch(`${origin}/graphql`, { method: 'POST' })).text()).toBe('the host');
    expect(await (await fetch(`${origin}/nowhere`)).text()).toBe('the host has no such page');
    expect((await fetch(`${origin}/files/nothing`)).status).toBe(404);
  });

  test('the viewer loads from beside its page, which a slash that is missing leads to', async () => {
    const moved = await fetch(`${origin}/audit?lang=pt-BR`, { redirect: 'manual' });
    expect(moved.status).toBe(308);
    expect(new URL(moved.headers.get('location')!, `${origin}/audit`).href).toBe(
      `${origin}/audit/?lang=pt-BR`,
    );
    const page = await fetch(`${origin}/audit/`);
    const html = await page.text();
    const [, script = ''] = /<script[^>]+src="([^"]+)"/.exec(html) ?? [];
    const loaded = await fetch(new URL(script, `${origin}/audit/`));
    expect(loaded.status).toBe(200);
    expect(loaded.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${origin}/audit/assets/nothing.js`)).status).toBe(404);
    expect((await fetch(`${origin}/audit/assets/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  test('in a browser the viewer shows entries, follows them, checks a proof, exports and asks for a token, all below the prefix', async () => {
    const write = async (action: string) => {
      const entry = { module: 'prefixed', action, tenant_id: TENANT, client_id: CLIENT };
      const { status } = await fetch(`${origin}/audit/api/v1/reel/logs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await moduleToken()}`, 'content-type': 'application/json' },
        body: JSON.stringify(entry),
      });
      expect(status).toBe(201);
    };
    await write('orders.first');
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-US' });
      page.setDefaultTimeout(60_000);
      const watched = watchPage(page, origin);
      const asked = new Set<string>();
      const [failed, sockets]: [string[], string[]] = [[], []];
      page.on('request', (request) => asked.add(new URL(request.url()).pathname));
      page.on('websocket', (socket) => sockets.push(new URL(socket.url()).pathname));
      page.on('response', (response) => {
        if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
      });
      // Without the slash at its end, which the host's people will forget.
      await page.goto(`${origin}/audit?q=module%3Aprefixed&live=1#token=${await reader()}`);
      await page.locator('.indicator[data-state=live]').waitFor();
      await page.locator('[data-row="0"]').getByText('orders.first').waitFor();
      expect(new URL(page.url()).pathname).toBe('/audit/');
      expect(page.url()).not.toContain('token');
      await write('orders.second');
      await page.locator('[data-row="0"]').getByText('orders.second').waitFor();
      expect(sockets).toEqual(['/audit/graphql']);

      await page.locator('[data-row="0"] [data-column=module]').click();
      const details = page.getByRole('complementary', { name: 'Log details' });
      await details.getByText('Unchanged since it was sealed').waitFor();
      expect(asked).toContain('/audit/.well-known/reel-keys');
      expect(new URL(page.url()).pathname).toBe('/audit/');
      await page.reload();
      await details.getByText('Unchanged since it was sealed').waitFor();
      await page.keyboard.press('Escape');

      const views = page.getByRole('button', { name: /^Views/ });
      const menu = page.getByRole('dialog', { name: 'Views' });
      await views.click();
      await menu.getByRole('button', { name: 'Save this view' }).click();
      await page.getByLabel('Name').fill('Prefixed');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByRole('button', { name: 'Views: Prefixed' }).waitFor();
      const saved = new URL(page.url());
      expect(saved.pathname).toBe('/audit/');
      expect(saved.searchParams.has('q')).toBe(false);
      await page.reload();
      await page.locator('[data-row="0"]').getByText('orders.second').waitFor();
      expect(await page.locator('.query input').inputValue()).toBe('module:prefixed');
      await views.click();
      const entry = menu.getByRole('link', { name: /Prefixed/ });
      expect(new URL((await entry.getAttribute('href'))!, page.url()).pathname).toBe('/audit/');
      await page.keyboard.press('Escape');

      await page.getByRole('button', { name: 'Export' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Export' }).click();
      const link = await dialog.getByRole('link', { name: 'Download' }).getAttribute('href');
      const exported = new URL(link!, page.url());
      expect(exported.pathname).toMatch(/^\/audit\/api\/v1\/reel\/exports\//);
      expect(await (await fetch(exported)).text()).toContain('orders.second');
      expect([...asked].filter((path) => !path.startsWith('/audit'))).toEqual([]);
      expect([failed, watched]).toEqual([[], { foreign: [], violations: [], errors: [] }]);

      // A token that the platform does not accept any more.
      await page.goto(`${origin}/audit/#token=${(await reader()).slice(0, -3)}xyz`);
      await page.reload();
      await page.getByRole('textbox').first().waitFor();
      expect(await page.locator('[data-row]').count()).toBe(0);
      expect(failed.length).toBeGreaterThan(0);
      for (const answer of failed) expect(answer).toMatch(`401 ${origin}/audit/`);
    } finally {
      await browser.close();
    }
  });

  test("has the viewer's own headers, not the host's", async () => {
    const { headers } = await fetch(`${origin}/audit/`);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('x-frame-options')).toBe('DENY');
  });
});

describe('the viewer in a frame', () => {
  test('of an origin that is listed: the policy names it, and nothing else forbids it', async () => {
    const app = await platform({
      viewer: true,
      config: configOf({ REEL_ALLOWED_ORIGINS: FRAMING }),
      prefix: '/audit',
    });
    try {
      const { headers } = await app.inject('/audit/');
      const policy = String(headers['content-security-policy']).split(';');
      expect(policy).toContain(`frame-ancestors ${FRAMING}`);
      expect(policy.filter((directive) => directive.startsWith('frame-ancestors'))).toHaveLength(1);
      expect(policy).toContain("script-src 'self'");
      expect(headers['x-frame-options']).toBeUndefined();
      // What is downloaded is never shown in a frame.
      expect((await app.inject('/audit/api/v1/reel/exports/a?token=b')).statusCode).toBe(403);
    } finally {
      await app.close();
    }
  });
});

describe('@fastify/cors of a host', () => {
  const HOSTS = 'https://host.example.com';
  /** What the host's log has. */
  const said: string[] = [];
  beforeEach(() => {
    said.length = 0;
  });
  /** With the host's rules before Reel or after it. */
  async function start(order: 'before' | 'after', settings: Record<string, string> = {}, prefix = '/audit') {
    const stream = { write: (line: string) => said.push(line) };
    const app = Fastify({ logger: { level: 'warn', stream } });
    try {
      if (order === 'before') await app.register(cors, { origin: HOSTS });
      await app.register(router, { config: configOf(settings), prefix });
      if (order === 'after') await app.register(cors, { origin: HOSTS });
      await app.ready();
      return app;
    } catch (error) {
      await app.close();
      throw error;
    }
  }
  const allowed = async (app: FastifyInstance, path: string, origin: string) => {
    const preflight = { origin, 'access-control-request-method': 'POST' };
    const answers = [
      await app.inject({ url: path, headers: { origin } }),
      await app.inject({ method: 'OPTIONS', url: path, headers: preflight }),
    ];
    return answers.map(({ headers }) => headers['access-control-allow-origin']);
  };

  test('decides for Reel, too, where it stands before it', async () => {
    const app = await start('before');
    try {
      expect(await allowed(app, '/audit/graphql', HOSTS)).toEqual([HOSTS, HOSTS]);
      expect(await allowed(app, '/audit/api/v1/reel/logs', HOSTS)).toEqual([HOSTS, HOSTS]);
      expect(said.join('')).not.toContain('cors');
    } finally {
      await app.close();
    }
  });

  test('is warned of where it stands after it, since what Reel refuses has not its headers then', async () => {
    const app = await start('after');
    try {
      expect(await allowed(app, '/audit/graphql', HOSTS)).toEqual([HOSTS, HOSTS]);
      expect(await allowed(app, '/audit/api/v1/reel/logs', HOSTS)).toEqual([undefined, HOSTS]);
      expect(said.join('')).toContain('expected @fastify/cors registered before Reel, got it after');
    } finally {
      await app.close();
    }
  });

  test('decides alone where it stands before Reel, whatever REEL_ALLOWED_ORIGINS says', async () => {
    const app = await start('before', { REEL_ALLOWED_ORIGINS: FRAMING });
    try {
      expect(await allowed(app, '/audit/graphql', FRAMING)).toEqual([HOSTS, HOSTS]);
    } finally {
      await app.close();
    }
  });

  test.each(['/audit', ''])(
    'is refused at start after Reel with origins of its own, below "%s"',
    async (prefix) => {
      await expect(start('after', { REEL_ALLOWED_ORIGINS: FRAMING }, prefix)).rejects.toThrow(
        'REEL_ALLOWED_ORIGINS: expected @fastify/cors registered before Reel',
      );
    },
  );

  test.each(['/audit', ''])(
    'where there is none, Reel’s own origins hold for Reel alone, below "%s"',
    async (prefix) => {
      const app = Fastify();
      try {
        app.get('/own', async () => 'own');
        await app.register(router, { config: configOf({ REEL_ALLOWED_ORIGINS: FRAMING }), prefix });
        for (const path of ['/graphql', '/api/v1/reel/logs', '/.well-known/reel-keys']) {
          expect(await allowed(app, prefix + path, FRAMING)).toEqual([FRAMING, FRAMING]);
          expect(await allowed(app, prefix + path, HOSTS)).toEqual([undefined, undefined]);
        }
        expect(await allowed(app, '/own', FRAMING)).toEqual([undefined, undefined]);
      } finally {
        await app.close();
      }
    },
  );
});

describe('each path', () => {
  test('can be named or left out', async () => {
    const paths: Partial<Paths> = {
      graphql: '/audit/query',
      health: false,
      metrics: false,
      rest: '/audit/v1',
    };
    const app = await platform({ paths });
    try {
      const status = async (url: string) => (await app.inject({ url, method: 'GET' })).statusCode;
      expect(await status('/audit/query')).not.toBe(404);
      expect(await status('/audit/v1/openapi.json')).toBe(200);
      expect(await status('/api/v1/reel/openapi.json')).toBe(404);
      expect(await status('/.well-known/reel-keys')).toBe(200);
      expect((await app.inject('/metrics')).body).toBe('the host');
      expect(await status('/health/live')).toBe(404);
    } finally {
      await app.close();
    }
  });

  test('without REST, export links still lead to a file', async () => {
    const app = await platform({ paths: { rest: false }, prefix: '/audit' });
    try {
      const headers = { authorization: `Bearer ${await reader()}` };
      expect((await app.inject({ url: '/audit/api/v1/reel/logs', headers })).statusCode).toBe(404);
      const payload = { query: 'mutation { exportLogs(input: {}) { downloadUrl } }' };
      const prepared = await app.inject({ method: 'POST', url: '/audit/graphql', headers, payload });
      const file = await app.inject(prepared.json().data.exportLogs.downloadUrl);
      expect([file.statusCode, file.headers['content-type']]).toEqual([200, expect.stringContaining('csv')]);
    } finally {
      await app.close();
    }
  });

  test.each([
    [{ grapql: '/a' }, 'paths: expected graphql, rest, health, metrics, keys, got grapql'],
    [{ rest: 'api' }, 'paths.rest: expected a path such as /audit/log, or false, got "api"'],
    [{ rest: '/a/' }, 'paths.rest: expected a path such as /audit/log, or false, got "/a/"'],
    [{ keys: true }, 'paths.keys: expected a path such as /audit/log, or false, got true'],
    [{ rest: '/a', keys: '/a' }, 'paths: expected one path for each part, got /a twice'],
  ])('%j is refused', async (paths, message) => {
    const app = Fastify();
    await expect(
      app.register(router, { config: configOf(), paths: paths as Partial<Paths> }),
    ).rejects.toThrow(message);
    await app.close();
  });

  test('the viewer asks GraphQL where it always is', async () => {
    const app = Fastify();
    await expect(
      app.register(router, { config: configOf(), viewer: true, paths: { graphql: '/query' } }),
    ).rejects.toThrow('viewer: expected GraphQL and the keys at their own paths');
    await app.close();
  });
});

describe('a handler, for a server that is not Fastify’s', () => {
  let handler: ReelHandler;
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    handler = await createReelHandler({ config: configOf(), prefix: '/audit', viewer: true });
    server = createServer((request, response) => {
      if (!request.url?.startsWith('/audit')) return response.end('the host');
      // As Express does where it mounts a handler.
      const { url } = request;
      Object.assign(request, { originalUrl: url, url: url.slice('/audit'.length) || '/' });
      if (request.headers['x-parsed'] === undefined) return handler.handle(request, response);
      request.resume().once('end', () => handler.handle(request, response));
      return undefined;
    });
    handler.attach(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await handler?.close();
    server?.closeAllConnections();
    await new Promise((closed) => server?.close(closed));
  });

  test('answers the same, websockets too', () => expectReel(origin, '/audit'));

  test('serves the viewer', async () => {
    expect(await (await fetch(`${origin}/audit/`)).text()).toContain('<!doctype html>');
    expect(await (await fetch(`${origin}/`)).text()).toBe('the host');
  });

  test('says so where a body was read before', async () => {
    const response = await fetch(`${origin}/audit/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-parsed': 'yes',
        authorization: `Bearer ${await reader()}`,
      },
      body: '{"query":"{ me { tenants { id } } }"}',
    });
    expect([response.status, await response.json()]).toEqual([
      500,
      { detail: 'Expected Reel before what parses bodies, got a request whose body was read' },
    ]);
  });

  test('refuses a websocket that is nobody’s', async () => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/other`);
    const [error] = await new Promise<Error[]>((failed) => socket.once('error', (...all) => failed(all)));
    expect(error!.message).toContain('404');
  });
});
