import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { CompactSign, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PersonToken } from '../../../src/auth/token.js';
import { ReelError } from '../../../src/errors.js';
import { loggedUrl } from '../../../src/http/logged-url.js';
import { ExportLinks, type ExportTicket } from '../../../src/log/export/export-link.js';
import { LogExportFormat } from '../../../src/log/export/export-logs-input.js';
import { toCriteria } from '../../../src/log/filter/criteria.js';
import type { LogFilter } from '../../../src/log/filter/log-filter.js';
import { runCommand, settingsOf } from '../../support/cli.js';
import { grant, person, startReel, type TestReel } from '../../support/reel.js';
import { CLIENT, SECRETS, TENANT } from '../../support/rest-server.js';

const NOW = Date.UTC(2026, 0, 5, 10);
const criteriaOf = (filter: LogFilter) =>
  toCriteria({ tenantId: TENANT, clients: [CLIENT] }, filter, new Date(NOW));
const ticket = (over: Partial<ExportTicket> = {}): ExportTicket => ({
  exportId: '0196f2f0-0000-7000-8000-00000000e001',
  criteria: criteriaOf({}),
  format: LogExportFormat.CSV,
  includeData: false,
  includeProofs: false,
  allFields: false,
  spreadsheet: false,
  upTo: 7,
  recordCount: 5,
  filename: 'logs_20260105_100000.csv',
  expiresAt: NOW + 1000,
  preparedBy: null,
  ...over,
});
const tokenOf = (path: string) => new URL(path, 'http://reel').searchParams.get('token') as string;
const links = (at = NOW, secret = SECRETS.serviceSecret) => new ExportLinks([secret], () => at);
const refusal = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof ReelError ? `${error.code} ${error.message}` : error;
};

test('a link carries the whole request, to any server with the same secret', async () => {
  const sent = ticket({ criteria: criteriaOf({ modules: ['a'], search: 'ü🙂' }) });
  const path = await links().write(sent);
  expect(path).toMatch(/^\/api\/v1\/reel\/exports\/logs_20260105_100000\.csv\?token=[\w.-]+$/);
  expect(await links().read(sent.filename, tokenOf(path))).toEqual(sent);
});

test('forged, past its time, or for another file: FORBIDDEN', async () => {
  const path = await links().write(ticket());
  const token = tokenOf(path);
  const [head = '', body = '', signature = ''] = token.split('.');
  const name = 'logs_20260105_100000.csv';
  for (const forged of [
    '',
    'x',
    '..',
    token.slice(0, -2),
    `${head}.${body}.`,
    `${head}.${body.slice(0, -4)}AAAA.${signature}`,
  ])
    expect(await refusal(links().read(name, forged))).toMatch(/^FORBIDDEN/);
  expect(await refusal(links(NOW, 'z'.repeat(32)).read(name, token))).toMatch(/^FORBIDDEN/);
  expect(await refusal(links().read('logs_20260105_100001.csv', token))).toMatch(/^FORBIDDEN/);
  expect(await refusal(links(NOW + 1000).read(name, token))).toMatch(/^FORBIDDEN.*2026-01-05T10:00:01/);
});

test('neither a credential signed with the secret itself nor another kind of token is a link', async () => {
  const secret = new TextEncoder().encode(SECRETS.serviceSecret);
  const jwt = await new SignJWT({ ...ticket() }).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  expect(await refusal(links().read('logs_20260105_100000.csv', jwt))).toMatch(/^FORBIDDEN/);
  const none = await new CompactSign(new Uint8Array([1]))
    .setProtectedHeader({ alg: 'HS256', typ: 'reel-export' })
    .sign(secret);
  expect(await refusal(links().read('logs_20260105_100000.csv', none))).toMatch(/^FORBIDDEN/);
});

test('while the secret is being changed, links of every secret are read, and the first signs', async () => {
  const [last, next] = [SECRETS.serviceSecret, 'n'.repeat(40)];
  const rotating = new ExportLinks([next, last], () => NOW);
  const read = async (by: ExportLinks, from: ExportLinks) =>
    by.read(ticket().filename, tokenOf(await from.write(ticket())));
  for (const from of [links(), rotating, new ExportLinks([next], () => NOW)])
    expect(await read(rotating, from)).toEqual(ticket());
  expect(await read(new ExportLinks([next], () => NOW), rotating)).toEqual(ticket());
  expect(await refusal(read(links(), rotating))).toMatch(/^FORBIDDEN/);
  expect(await refusal(read(new ExportLinks([next], () => NOW), links()))).toMatch(/^FORBIDDEN/);
});

test('the longest filter that is allowed, in the least compressible text, fits', async () => {
  const code = fc.integer({ min: 0xe000, max: 0x10ffff }).map((point) => String.fromCodePoint(point));
  const text = (length: number) => fc.string({ unit: code, minLength: length, maxLength: length });
  const list = fc.array(text(320), { minLength: 20, maxLength: 20 });
  const most = fc.record({
    modules: list,
    notModules: list,
    actions: list,
    notActions: list,
    actorIds: fc.array(fc.uuid(), { minLength: 20, maxLength: 20 }),
    resourceType: text(320),
    resourceId: text(320),
    search: text(255),
    query: fc.array(text(220), { minLength: 9, maxLength: 9 }).map((texts) => texts.join(' ')),
  });
  await fc.assert(
    fc.asyncProperty(most, async (filter) => {
      const path = await links().write(ticket({ criteria: criteriaOf(filter) }));
      expect(path.length).toBeLessThan(120 * 1024);
    }),
    { numRuns: 3 },
  );
});

test.each([
  [
    '/api/v1/reel/exports/logs_20260105_100000.csv?token=abc&x=1',
    '/api/v1/reel/exports/logs_20260105_100000.csv?token=…&x=…',
  ],
  ['/api/v1/reel/exports/logs.csv?%74oken=abc', '/api/v1/reel/exports/logs.csv?%74oken=…'],
  [
    '/api/v1/reel/logs?page=2&search=ana%40example.com&query=a=b',
    '/api/v1/reel/logs?page=…&search=…&query=…',
  ],
  ['/api/v1/reel/logs?ana', '/api/v1/reel/logs?…'],
  ['/#token=abc', '/?token=…'],
  ['/graphql', '/graphql'],
])('neither the token of a link nor what somebody looks for is kept in logs: %s', (url, logged) => {
  expect(loggedUrl(url)).toBe(logged);
});

describe('a link of the server', () => {
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel({ REEL_EXPORT_LINK_MINUTES: '30' });
  });
  afterAll(() => reel?.close());

  const exporter = (tenantId: string, over: Partial<PersonToken> = {}) =>
    person({ name: 'Ana', grants: [grant(tenantId, `reel.logs.export:CLIENT:${CLIENT}`)], ...over });
  const prepare = async (token: string) => {
    const { status, body } = await reel.rest(token, 'POST', '/logs/export', {});
    expect(status).toBe(200);
    return body as { download_url: string; expires_at: string };
  };

  test('lives as long as is set, and never longer than the token that prepared it', async () => {
    for (const [minutes, expected] of [
      [5, 5],
      [90, 30],
    ] as const) {
      const before = Date.now();
      const { expires_at } = await prepare(await exporter(randomUUID(), { minutes }));
      const life = Date.parse(expires_at) - before;
      // A token's times are whole seconds.
      expect(life).toBeGreaterThan(expected * 60_000 - 2_000);
      expect(life).toBeLessThan(expected * 60_000 + 60_000);
    }
  });

  test('takes no HEAD', async () => {
    const { download_url } = await prepare(await exporter(randomUUID()));
    const answer = await fetch(reel.url + download_url, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
    expect((await fetch(reel.url + download_url)).status).toBe(200);
  });

  test.each([
    ['an id', { id: 'auth0|5f1' }, ['--actor', 'auth0|5f1'], 'auth0|5f1'],
    ['an e-mail address alone', { id: 'ana@example.com' }, ['--email', 'ana@example.com'], null],
  ])(
    'fetched after who prepared it, known by %s, was erased, names no more than the id',
    async (_, who, target, id) => {
      const tenantId = randomUUID();
      const { download_url } = await prepare(await exporter(tenantId, who));
      const settings = settingsOf(reel.own);
      const erased = await runCommand(['erase', '--tenant', tenantId, ...target, '--reason', 'x'], settings);
      expect(erased).toMatchObject({ code: 0, stdout: expect.stringMatching(/^erased 1 entry/) });
      expect((await fetch(reel.url + download_url)).status).toBe(200);
      const records = await reel.own.query(
        `select actor_id, actor_email, actor_name, data->>'step' as step from reel_log_entries
       where tenant_id = $1 and action = 'reel.logs.exported' order by id`,
        [tenantId],
      );
      const nameless = { actor_id: id, actor_email: null, actor_name: null };
      expect(records).toEqual([
        { ...nameless, step: null },
        { ...nameless, step: 'fetched' },
      ]);
    },
  );
});
