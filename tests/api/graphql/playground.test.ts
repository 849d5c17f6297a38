import { existsSync, readFileSync } from 'node:fs';
import Fastify, { type FastifyInstance } from 'fastify';
import { buildSchema, graphql, NoSchemaIntrospectionCustomRule, parse, validate } from 'graphql';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pages } from '../../../src/http/pages.ts';
import { STARTERS } from '../../../web/playground/starters.ts';
import { launchBrowser, type Watched, watchPage } from '../../support/browser.ts';
import { axeViolations } from '../../support/viewer.ts';

const SCHEMA = buildSchema(`
  type Query { logs(filter: LogFilter, first: Int): LogConnection! }
  type Subscription { logAdded: LogEntry! }
  input LogFilter { minSeverity: LogSeverity }
  enum LogSeverity { DEBUG INFO WARNING ERROR CRITICAL }
  type LogConnection { totalCount: LogCount!, nodes: [LogEntry!]!, pageInfo: PageInfo! }
  type LogCount { value: Int!, precision: String! }
  type PageInfo { hasNextPage: Boolean!, endCursor: String }
  type LogEntry {
    createdAt: String!, severity: LogSeverity!, module: String!, action: String!
    actorEmail: String, resourceType: String, resourceId: String, data: String
  }
`);
const ENTRY = {
  createdAt: '2026-01-05T10:00:00.123456Z',
  severity: 'ERROR',
  module: 'guardian',
  action: 'users.lock',
  actorEmail: 'ana@example.com',
  data: '<img src=x onerror=alert(1)>',
};
const ROOT = {
  logs: {
    totalCount: { value: 1, precision: 'EXACT' },
    nodes: [ENTRY],
    pageInfo: { hasNextPage: false, endCursor: null },
  },
};
const TENANT = '0196f2f0-0000-7000-8000-00000000a001';
const tokenUntil = (exp: number) =>
  [{ alg: 'HS256' }, { sub: 'b', name: 'Ana Souza', email: 'ana@example.com', exp }, 'signature']
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
const TOKEN = tokenUntil(4_102_444_800);

interface TestServer {
  app: FastifyInstance;
  origin: string;
  /** The calls of /graphql but introspection. */
  calls: { authorization: string | undefined; tenant: unknown; query: string }[];
}

/** The pages as the server has them, over a /graphql that answers one entry. */
async function startServer({ introspection = true, prefix = '' } = {}): Promise<TestServer> {
  const app = Fastify();
  const calls: TestServer['calls'] = [];
  await app.register(pages, { playground: true, prefix });
  app.post<{ Body: { query: string; variables?: Record<string, unknown>; operationName?: string } }>(
    `${prefix}/graphql`,
    async (request, reply) => {
      const { query, variables, operationName } = request.body;
      if (operationName === 'IntrospectionQuery' && !introspection)
        return { errors: validate(SCHEMA, parse(query), [NoSchemaIntrospectionCustomRule]) };
      const { authorization, 'x-tenant-id': tenant } = request.headers;
      if (operationName !== 'IntrospectionQuery') calls.push({ authorization, tenant, query });
      if (request.headers.accept?.includes('text/event-stream')) {
        if (!authorization) return reply.code(401).send({ errors: [{ message: 'Not authenticated' }] });
        const next = JSON.stringify({ data: { logAdded: { action: ENTRY.action } } });
        reply.type('text/event-stream');
        return `event: next\ndata: ${next}\n\nevent: complete\ndata:\n\n`;
      }
      return graphql({
        schema: SCHEMA,
        source: query,
        rootValue: ROOT,
        variableValues: variables ?? {},
        operationName: operationName ?? null,
      });
    },
  );
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, origin, calls };
}

let browser: Browser;
let server: TestServer;
let page: Page;
let watched: Watched;

beforeAll(async () => {
  if (!existsSync('dist/playground/index.html'))
    throw new Error(
      'Expected the playground in dist/playground, found none: node src/development/build.ts pages',
    );
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

async function open(path: string, options: { introspection?: boolean; prefix?: string } = {}): Promise<void> {
  server = await startServer(options);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  watched = watchPage(page, server.origin);
  await page.goto(server.origin + path);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
}

const editor = () => page.getByRole('region', { name: 'Operation Editor' }).locator('.monaco-editor').first();
const answer = () => page.getByRole('region', { name: 'Result Window' });
const session = () => page.locator('.reel-session');

async function runWithKeys(): Promise<void> {
  await editor().click();
  await page.keyboard.press('Control+Enter');
  await answer().getByText('users.lock').waitFor();
}

describe('the playground in a browser', () => {
  afterEach(async () => {
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await page.context().close();
    await server.app.close();
  });

  it('takes the token off the address bar, keeps it in this tab and calls with it', async () => {
    await open(`/playground#token=${TOKEN}&tenant=${TENANT}`);
    expect(page.url()).toBe(`${server.origin}/playground`);
    await expect.poll(() => session().textContent()).toContain('Signed in as Ana Souza');
    await runWithKeys();
    expect(server.calls).toEqual([
      { authorization: `Bearer ${TOKEN}`, tenant: TENANT, query: expect.stringContaining('NewestErrors') },
    ]);
    expect((await answer().textContent())?.replaceAll('\u00a0', ' ')).toContain(
      '<img src=x onerror=alert(1)>',
    );
    const kept = await page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage)]);
    expect(kept[0]).toContain(TOKEN);
    expect(kept[1]).not.toContain(TOKEN);
    await page.reload();
    await expect.poll(() => session().textContent()).toContain('Ana Souza');
    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(await session().textContent()).toContain('Not signed in');
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain(TOKEN);
  });

  it('says that nobody is signed in, until a link is opened in the same tab', async () => {
    await open('/playground');
    expect(await session().textContent()).toContain('Not signed in');
    await runWithKeys();
    expect(server.calls[0]?.authorization).toBeUndefined();
    await page.goto(`${server.origin}/playground#token=${TOKEN}`);
    await expect.poll(() => session().textContent()).toContain('Ana Souza');
    expect(page.url()).toBe(`${server.origin}/playground`);
  });

  it('opens with seven starters', async () => {
    await open('/playground');
    const tabs = page.getByRole('tablist').first().locator('.graphiql-tab-button');
    expect(await tabs.allTextContents()).toEqual([
      'NewestErrors',
      'ResourceHistory',
      'ActorsLastWeeks',
      'WeekInFigures',
      'ExportWarnings',
      'Live',
      'Proof',
    ]);
    await tabs.nth(3).click();
    await page.getByText('"timeZone"').waitFor();
  });

  it.each([1280, 390])('axe-core finds no violation, and nothing overflows, at %d px', async (width) => {
    await open(`/playground#token=${TOKEN}`);
    await page.setViewportSize({ width, height: 844 });
    await editor().click();
    await page.keyboard.press('Control+Enter');
    await answer().getByText('guardian').waitFor();
    // Seen without scrolling.
    expect((await answer().boundingBox())!.y).toBeLessThan(500);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    // The tabs are GraphiQL's own: each holds its buttons.
    const found = (await axeViolations(page)).filter((each) => !each.startsWith('nested-interactive: '));
    expect(found).toEqual([]);
  });

  it('completes from the schema', async () => {
    await open('/playground');
    await editor().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('{ lo');
    await page.locator('.suggest-widget .monaco-list-row', { hasText: 'logs' }).waitFor();
  });

  it('shows what a subscription brings', async () => {
    await open(`/playground#token=${TOKEN}`);
    await editor().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText('subscription { logAdded { action } }');
    await runWithKeys();
    expect(server.calls).toEqual([
      { authorization: `Bearer ${TOKEN}`, tenant: undefined, query: expect.stringContaining('logAdded') },
    ]);
  });

  it('shows why a subscription is refused', async () => {
    await open('/playground');
    await editor().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText('subscription { logAdded { action } }');
    await page.keyboard.press('Control+Enter');
    await answer().getByText('Not authenticated').waitFor();
    expect(watched.errors.splice(0)).toEqual([expect.stringContaining('status of 401')]);
  });

  it('says when the token has run out', async () => {
    await open(`/playground#token=${tokenUntil(1_700_000_000)}`);
    await expect.poll(() => session().textContent()).toContain('run out');
  });

  it('works where introspection is off', async () => {
    await open(`/playground#token=${TOKEN}`, { introspection: false });
    await runWithKeys();
  });

  it('works below the prefix of a host', async () => {
    await open(`/audit/playground#token=${TOKEN}`, { prefix: '/audit' });
    await runWithKeys();
    expect(server.calls[0]?.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

describe('the starter queries', () => {
  it('fit the schema', () => {
    const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
    for (const { query } of STARTERS) expect(validate(schema, parse(query))).toEqual([]);
  });
});

describe('the pages over HTTP', () => {
  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.app.close());

  it.each(['/', '/playground'])(
    '%s carries a strict policy, no framing, nosniff and no referrer',
    async (path) => {
      const { headers, statusCode } = await server.app.inject(path);
      expect(statusCode).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe-eval|https?:|\*/);
      if (path === '/') expect(policy).not.toContain('unsafe-inline');
      else expect(policy.match(/[^;]*unsafe-inline[^;]*/g)).toEqual(["style-src-attr 'unsafe-inline'"]);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      });
    },
  );

  it('gives each answer a nonce of its own and leaves no inline script or style', async () => {
    const [first, second] = await Promise.all([
      server.app.inject('/playground'),
      server.app.inject('/playground'),
    ]);
    const nonce = /'nonce-([^']+)'/.exec(String(first.headers['content-security-policy']))?.[1];
    expect(nonce).toMatch(/^[\w-]{22}$/);
    expect(first.body).toContain(`nonce="${nonce}"`);
    expect(second.body).not.toContain(nonce);
    expect(first.body).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|REEL_NONCE/);
  });

  it('sends hashed files compressed, to be kept for ever', async () => {
    const { body } = await server.app.inject('/playground');
    const path = `/${/src="\.\/(playground\/[^"]+\.js)"/.exec(body)?.[1]}`;
    const plain = await server.app.inject(path);
    const br = await server.app.inject({ url: path, headers: { 'accept-encoding': 'gzip, br' } });
    const gzip = await server.app.inject({ url: path, headers: { 'accept-encoding': 'gzip' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect([br.headers['content-encoding'], gzip.headers['content-encoding']]).toEqual(['br', 'gzip']);
    expect(br.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
    for (const answer of [plain, br, gzip])
      expect(answer.headers).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': expect.stringMatching(/^(text|application)\/javascript/),
        'x-content-type-options': 'nosniff',
        vary: expect.stringMatching(/accept-encoding/i),
      });
  });

  it.each([
    '/playground/none-12345678.js',
    '/playground/',
    '/playground/../index.html',
    '/playground/%2e%2e/index.html',
    '/playground/..%2findex.html',
    '/assets/..%2f..%2fpackage.json',
    '/assets/%2fetc%2fpasswd',
  ])('%s answers nothing of the file system', async (path) => {
    const { statusCode, body } = await server.app.inject(path);
    expect([308, 403, 404]).toContain(statusCode);
    expect(body).not.toMatch(/<html|"name": "reel"|root:/);
  });

  it('answers 404 where the playground is off', async () => {
    const app = Fastify();
    await app.register(pages, { playground: false });
    expect((await app.inject('/playground')).statusCode).toBe(404);
    const viewer = await app.inject('/');
    expect(viewer.statusCode).toBe(200);
    // Nor does the viewer lead to it.
    expect(viewer.body).not.toContain('data-playground');
    expect((await server.app.inject('/')).body).toContain('<div id="stage" data-playground>');
    await app.close();
  });
});
