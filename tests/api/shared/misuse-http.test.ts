import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ana,
  expectHandled,
  expectWhole,
  module,
  REST,
  reel,
  send,
  sendRaw,
  startMisuseServer,
  stored,
  TENANT,
} from '../../support/misuse.js';
import { escaped, fieldsOf, odd, oddText, runs, signed } from '../../support/odd-values.js';
import { JWT_SECRET, SERVICE_SECRET } from '../../support/reel.js';

beforeAll(startMisuseServer);
afterAll(() => reel.close());

it('any other path is a 404 that does not repeat it', async () => {
  await fc.assert(
    fc.asyncProperty(oddText, fc.constantFrom('GET', 'POST'), async (text, method) => {
      const path = `/x${escaped(text)}?token=${escaped(text)}`;
      const answer = await send(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
      expectHandled(answer, text);
      expect(answer.status).toBe(404);
    }),
    runs(40),
  );
  expect((await send('/nothing?token=secret', { method: 'GET' })).text).toBe('{"detail":"Not Found"}');
});

describe('a database', () => {
  const QUERY = '{ logs { nodes { id } } logStats { totalEntries } }';
  const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';

  /** What each wire answers to reading and to writing. */
  async function ask() {
    const entry = { module: 'fuzz', action: 'a' };
    return [
      await reel.rest(ana, 'GET', '/logs'),
      await reel.rest(ana, 'GET', '/logs/stats'),
      await reel.rest(module, 'POST', '/logs', { ...entry, tenant_id: TENANT }),
      await reel.rest(ana, 'POST', '/logs/export', {}),
      await reel.graphql(ana, QUERY),
      await reel.graphql(module, CREATE, { input: { ...entry, tenantId: TENANT } }),
    ];
  }

  it('that lets nobody in is 503 with Retry-After on both wires, and all is well once it does', async () => {
    const before = await stored();
    const name = new URL(reel.own.runtimeUrl).pathname.slice(1);
    const admin = async (...statements: string[]) => {
      const place = new URL(reel.own.superuserUrl);
      place.pathname = '/postgres';
      const client = new pg.Client({ connectionString: place.toString() });
      await client.connect();
      for (const statement of statements) await client.query(statement);
      await client.end();
    };
    await admin(
      `alter database ${name} allow_connections false`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
    );
    try {
      for (const answer of await ask()) {
        expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 503 });
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(JSON.stringify(answer.body)).not.toContain(name);
      }
      expect((await fetch(`${reel.url}/health/ready`)).status).toBe(503);
      expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
    } finally {
      await admin(`alter database ${name} allow_connections true`);
    }
    expect((await ask()).map(({ status }) => status)).toEqual([200, 200, 201, 200, 200, 200]);
    // Whether it is ready is asked every second or two.
    await expect.poll(async () => (await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    await expectWhole(before + 2);
  });
});

it('a token with odd claims, well signed, is let in or refused, never a 500', async () => {
  const names = 'sub email iat exp nbf name grants tenants module iss aud jti'.split(' ');
  const grants = fc.array(fc.oneof(odd, fieldsOf(['action', 'scope', 'tenant_id', 'client_id'])), {
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fieldsOf(names), fc.record({ grants, tenants: odd })),
      fc.constantFrom(JWT_SECRET, SERVICE_SECRET),
      async (odds, secret) => {
        const soon = Math.floor(Date.now() / 1000) + 600;
        const claims = { sub: TENANT, email: 'a@example.com', exp: soon, module: 'fuzz', ...odds };
        const token = signed({ alg: 'HS256' }, claims, secret);
        for (const answer of [
          await send(`${REST}/logs`, { method: 'GET' }, token),
          await send(`${REST}/logs`, { body: '{}' }, token),
          await send('/graphql', { body: '{"query":"{ logs { nodes { id } } }"}' }, token),
        ])
          expectHandled(answer, odds);
      },
    ),
    runs(60),
  );
});

it('a token with an odd head is a 401', async () => {
  const claims = { sub: TENANT, email: 'a@example.com', exp: Math.floor(Date.now() / 1000) + 600 };
  for (const head of [
    {},
    { alg: '' },
    { alg: 'HS256', crit: ['exp'] },
    { alg: 'HS256', b64: false, crit: ['b64'] },
    { alg: 'HS256', zip: 'DEF' },
    { alg: ['HS256'] },
    { alg: 'none' },
    { alg: 'hs256' },
    { alg: 'RS256', jwk: { kty: 'oct', k: 'AAAA' } },
    { alg: 'RS256', jku: `${reel.url}/jwks`, kid: '../../x' },
    [],
    'x',
  ]) {
    const { status } = await send(`${REST}/logs`, { method: 'GET' }, signed(head, claims, JWT_SECRET));
    // An unknown zip says nothing to a signature that is no encryption.
    expect([head, status]).toEqual([head, JSON.stringify(head).includes('zip') ? expect.any(Number) : 401]);
    expect(status).toBeLessThan(500);
  }
});

it('an export link is no credential, and a credential no export link', async () => {
  const { downloadUrl } = (await reel.graphql(ana, 'mutation { exportLogs(input: {}) { downloadUrl } }')).body
    .data.exportLogs;
  const [path, token] = downloadUrl.split('?token=');
  expect((await send(`${REST}/logs`, { method: 'GET' }, token)).status).toBe(401);
  for (const other of [module, ana])
    expect((await send(`${path}?token=${other}`, { method: 'GET' }, null)).status).toBe(403);
});

it('a page serves no file but its own', async () => {
  for (const prefix of ['/', '/assets/', '/playground/'])
    for (const way of [
      '../package.json',
      '..%2fpackage.json',
      '%2e%2e/package.json',
      '..%2f..%2fpackage.json',
      '....//package.json',
      '..%5cpackage.json',
      '%00',
      '.env',
      'index.html%00.js',
      '%2fetc%2fpasswd',
    ]) {
      const answer = await sendRaw(`GET ${prefix}${way} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect([prefix + way, answer.slice(9, 12)]).toEqual([
        prefix + way,
        expect.stringMatching(/^(400|403|404)$/),
      ]);
      expect(answer).not.toMatch(/"dependencies"|root:x/);
    }
});

describe('a request', () => {
  it('with odd headers is answered', async () => {
    const latin = fc.string({
      unit: fc
        .integer({ min: 32, max: 255 })
        .filter((code) => code !== 127)
        .map((code) => String.fromCharCode(code)),
      maxLength: 300,
    });
    const names = [
      'authorization',
      'x-tenant-id',
      'x-client-id',
      'x-request-id',
      'idempotency-key',
      'user-agent',
      'content-type',
      'accept',
      'x-forwarded-for',
      'origin',
      'cookie',
      'accept-encoding',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), latin, { maxKeys: 4 }),
        fc.constantFrom(`${REST}/logs`, '/graphql'),
        async (given, path) => {
          const headers = { ...given };
          const body =
            path === '/graphql' ? '{"query":"{ logs { nodes { id } } }"}' : '{"module":"fuzz","action":"a"}';
          expectHandled(await send(path, { headers, body }, ana), Object.values(headers).join(''));
        },
      ),
      runs(80),
    );
  });

  it('with an agent of any kind stores one that can be read again', async () => {
    for (const agent of ['ü'.repeat(2_000), '\xff\xfe', 'x'.repeat(9_000), ' ']) {
      const before = await stored();
      const { status, text } = await send(`${REST}/logs`, {
        headers: { 'user-agent': agent },
        body: `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`,
      });
      expect(status).toBe(201);
      expect((JSON.parse(text).user_agent ?? '').length).toBeLessThanOrEqual(1_000);
      expect(await stored()).toBe(before + 1);
    }
  });

  it.each([
    'GET / HTTP/1.1\r\n\r\n',
    'BREW /graphql HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET http://[:::1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'GET /graphql HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET /api/v1/reel/logs HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    'POST /graphql HTTP/1.1\r\nHost: [\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    'POST /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n',
    `GET /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(200_000)}\r\n\r\n`,
    `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'garbage\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00',
  ])('that is hardly HTTP gets no 500 and harms nobody: %j', async (bytes) => {
    const text = await sendRaw(bytes, 500);
    expect(text).not.toMatch(/^HTTP\/1\.1 5\d\d/);
    expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
  });

  it.each([
    ['/health/live', 'h2c', '200'],
    ['/health/live', 'websocket', '200'],
    [`${REST}/logs`, 'h2c', '401'],
    ['/graphql?query={__typename}', 'h2c', '400'],
    ['/nothing', 'websocket', '404'],
  ])('to %s that would rather speak %s is answered in HTTP/1.1', async (path, protocol, expected) => {
    const text = await sendRaw(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n`,
      1_500,
    );
    expect(text.slice(9, 12)).toBe(expected);
  });

  it('broken off in its body stores nothing', async () => {
    const before = await stored();
    const body = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    const head = (length: number) =>
      `POST ${REST}/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${module}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
    // A whole entry, but fewer bytes than were announced.
    await Promise.all(Array.from({ length: 5 }, () => sendRaw(head(body.length + 1) + body, 300)));
    await expectWhole(before);
    expect(await sendRaw(head(body.length) + body, 10_000)).toMatch(/^HTTP\/1\.1 201 /);
  });

  it.each([
    ['application/xml', 415],
    ['text/plain', 415],
    ['multipart/form-data; boundary=x', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonx', 415],
    ['x', 415],
    ['application/json; charset=utf-8', 201],
    ['application/vnd.api+json', 201],
    ['APPLICATION/JSON', 201],
  ])('of type %s is %i', async (type, expected) => {
    const body = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    expect((await send(`${REST}/logs`, { headers: { 'content-type': type }, body })).status).toBe(expected);
  });

  it('of REST ends at 1 MiB, one of GraphQL at 16', async () => {
    const entry = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    const padded = (text: string, bytes: number) => text + ' '.repeat(bytes - text.length);
    const MIB = 1024 * 1024;
    expect((await send(`${REST}/logs`, { body: padded(entry, MIB) })).status).toBe(201);
    const tooMuch = await send(`${REST}/logs`, { body: padded(entry, MIB + 1) });
    expect(tooMuch.status).toBe(413);
    expect(JSON.parse(tooMuch.text).detail).toEqual(expect.any(String));
    expect((await send(`${REST}/logs/export`, { body: padded('{}', MIB + 1) }, ana)).status).toBe(413);
    const ask = JSON.stringify({ query: '{ __typename }' });
    expect((await send('/graphql', { body: padded(ask, 16 * MIB) })).status).toBe(200);
    expect((await send('/graphql', { body: padded(ask, 16 * MIB + 1) })).status).toBe(413);
  });

  it('without an end to its size is cut off, too', async () => {
    const chunks = (async function* () {
      for (let at = 0; at < 40; at++) yield Buffer.alloc(64 * 1024, ' ');
    })();
    const answer = await send(`${REST}/logs`, {
      body: chunks as unknown as BodyInit,
      duplex: 'half',
    } as RequestInit).catch(() => ({ status: 413 }));
    expect(answer.status).toBe(413);
  });
});
