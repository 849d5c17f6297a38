import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ana,
  expectHandled,
  expectWhole,
  module,
  REST,
  readJson,
  reel,
  send,
  startMisuseServer,
  stored,
  TENANT,
} from '../../support/misuse.js';
import { CREATE_FIELDS, escaped, fieldsOf, oddText, runs } from '../../support/odd-values.js';

beforeAll(startMisuseServer);
afterAll(() => reel.close());

describe('REST given garbage', () => {
  it('answers any bytes as a body', async () => {
    const before = await stored();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          oddText.map((text) => Buffer.from(text)),
        ),
        fc.constantFrom('/logs', '/logs/export'),
        async (bytes, path) => {
          const answer = await send(REST + path, { body: Buffer.from(bytes) });
          expectHandled(answer, Buffer.from(bytes).toString('latin1'));
          expect(answer.status).not.toBe(201);
        },
      ),
      runs(120),
    );
    await expectWhole(before);
  });

  it('stores an entry of odd fields whole or not at all', async () => {
    let expected = await stored();
    // A run that the time limit leaves behind still stores its entry.
    let underWay: Promise<void> = Promise.resolve();
    await fc.assert(
      fc.asyncProperty(fieldsOf(CREATE_FIELDS), fc.boolean(), (fields, isPerson) => {
        underWay = store(fields, isPerson);
        return underWay;
      }),
      runs(120),
    );
    await underWay;
    await expectWhole(expected);

    async function store(fields: object, isPerson: boolean): Promise<void> {
      const entry = { module: 'fuzz', action: 'a', ...(isPerson ? {} : { tenant_id: TENANT }), ...fields };
      const answer = await send(`${REST}/logs`, { body: JSON.stringify(entry) }, isPerson ? ana : module);
      expectHandled(answer, entry);
      if (answer.status === 201) expected += 1;
      if (answer.status === 422)
        for (const fault of JSON.parse(answer.text).detail)
          expect(fault).toMatchObject({
            type: expect.any(String),
            loc: expect.any(Array),
            msg: expect.any(String),
          });
    }
  });

  it('answers any query string', async () => {
    const names =
      'page page_size module action severity actor_id client_id start_date end_date search min_severity resource_type resource_id request_id __proto__ page[] '.split(
        ' ',
      );
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom(...names),
            fc.oneof(oddText, fc.integer().map(String), fc.double().map(String)),
          ),
          {
            maxLength: 5,
          },
        ),
        async (pairs) => {
          const query = pairs
            .map(([name, value]) => `${encodeURIComponent(name)}=${escaped(value)}`)
            .join('&');
          const answer = await send(`${REST}/logs?${query}`, { method: 'GET' }, ana);
          expectHandled(answer, pairs.map(([, value]) => value).join(''));
        },
      ),
      runs(120),
    );
  });

  it.each([
    '%',
    '%00',
    '%ff',
    '%c0%80',
    'a=%',
    '=&&&==',
    'page=1&page=2',
    'page=01',
    'page=%2b1',
    '?',
    'search=%ed%a0%80',
  ])('answers the query %s', async (query) => {
    expectHandled(await send(`${REST}/logs?${query}`, { method: 'GET' }, ana), query);
    expectHandled(await send(`${REST}/exports/logs.csv?token=${query}`, { method: 'GET' }, null), query);
  });

  it('answers any path', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(oddText, fc.constantFrom('logs', 'stats', 'export', 'exports', '..', '.', '')), {
          maxLength: 4,
        }),
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
        async (parts, method) => {
          const path = `${REST}/${parts.map(escaped).join('/')}`;
          const answer = await send(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) }, ana);
          expectHandled(answer, parts.join(''));
        },
      ),
      runs(80),
    );
    for (const path of [
      '/logs/%',
      '/logs/%ff',
      '/logs/%2e%2e%2f',
      `/logs/${'x'.repeat(3_000)}`,
      '//logs',
      '/logs//',
      '/%',
    ])
      expectHandled(await send(REST + path, { method: 'GET' }, ana), path);
  });

  it('answers any export link', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, async (name, token) => {
        const answer = await send(
          `${REST}/exports/${escaped(name)}?token=${escaped(token)}`,
          { method: 'GET' },
          null,
        );
        expectHandled(answer, token);
        expect(answer.status).toBeGreaterThanOrEqual(300);
      }),
      runs(60),
    );
  });
});

describe('one faulty value', () => {
  const raw = (more: string) => `{"module":"fuzz","action":"a","tenant_id":"${TENANT}",${more}}`;
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  it.each<[string, string, number]>([
    ['a number past all bounds', raw('"data":{"a":1e999}'), 422],
    ['a NUL in data', raw('"data":{"a":"\\u0000"}'), 422],
    ['a NUL in a key of data', raw('"data":{"\\u0000":1}'), 422],
    ['a lone surrogate in data', raw('"data":{"a":"\\ud800"}'), 422],
    ['a lone surrogate in a key of data', raw('"data":{"\\udc00":1}'), 422],
    ['a NUL in an action', `{"module":"fuzz","action":"a\\u0000","tenant_id":"${TENANT}"}`, 422],
    ['a NUL in a user agent', raw('"user_agent":"a\\u0000"'), 422],
    ['a lone surrogate in a name', raw('"actor_name":"\\ud800"'), 422],
    ['data of 32 levels', raw(`"data":${deep(32)}`), 201],
    ['data of 33 levels', raw(`"data":${deep(33)}`), 422],
    ['data of 100,000 levels', raw(`"data":${deep(100_000)}`), 422],
    ['a field of 100,000 levels', raw(`"resource_id":${'['.repeat(100_000)}${']'.repeat(100_000)}`), 422],
    ['a body of 100,000 levels', '['.repeat(100_000) + ']'.repeat(100_000), 422],
    ['data that is a list', raw('"data":[1]'), 422],
    ['data that is text', raw('"data":"x"'), 422],
    ['data of 65,537 bytes in PostgreSQL', raw(`"data":{"a":"${'x'.repeat(65_528)}"}`), 422],
    ['data of 65,536 bytes in PostgreSQL', raw(`"data":{"a":"${'x'.repeat(65_527)}"}`), 201],
    ['a prototype in data', raw('"data":{"__proto__":{"admin":true},"constructor":{"prototype":1}}'), 201],
    ['a prototype in the body', raw('"__proto__":{"severity":"ERROR"}'), 422],
    ['a key said twice', raw('"action":"b"'), 422],
    ['a severity in lower case', raw('"severity":"error"'), 422],
    ['a severity of a prototype', raw('"severity":"__proto__"'), 422],
    ['an inherited severity', raw('"severity":"constructor"'), 422],
    ['UTF-16', Buffer.from(raw('"resource_id":"x"'), 'utf16le').toString('latin1'), 422],
  ])('%s', async (_, body, expected) => {
    const before = await stored();
    const answer = await send(`${REST}/logs`, { body });
    expectHandled(answer, body.length > 50_000 ? body : readJson(body));
    expect(answer.status).toBe(expected);
    await expectWhole(before + (expected === 201 ? 1 : 0));
    if (expected !== 201) return;
    const made = JSON.parse(answer.text);
    expect(made.severity).toBe('INFO');
    const sent = JSON.parse(body);
    expect(JSON.stringify(made.data)).toBe(JSON.stringify(sent.data ?? null));
  });

  it('in a batch stores nothing of the batch', async () => {
    const before = await stored();
    const good = { module: 'fuzz', action: 'a', tenantId: TENANT };
    for (const bad of [
      { ...good, module: '' },
      { ...good, tenantId: null },
      { ...good, data: { a: '\0' } },
      { ...good, module: 'reel' },
      { ...good, ipAddress: '1.2.3' },
    ]) {
      const { body } = await reel.graphql(
        module,
        'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
        { inputs: [good, bad, good] },
      );
      expect(body.errors).toHaveLength(1);
      expect(body.errors[0].extensions.code).toMatch(/BAD_USER_INPUT|FORBIDDEN/);
    }
    await expectWhole(before);
  });

  it('of a key in a batch stores nothing of the batch', async () => {
    const before = await stored();
    const create = (inputs: object[]) =>
      reel.graphql(module, 'mutation ($i: [CreateLogInput!]!) { createLogs(inputs: $i) { id } }', {
        i: inputs,
      });
    const entry = { module: 'fuzz', action: 'a', tenantId: TENANT, idempotencyKey: randomUUID() };
    expect((await create([entry])).body.errors).toBeUndefined();
    const { body } = await create([
      { ...entry, idempotencyKey: randomUUID() },
      { ...entry, action: 'other' },
    ]);
    expect(body.errors[0].extensions.code).toBe('CONFLICT');
    await expectWhole(before + 1);
  });
});
