import { createSecretKey, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
  viewer,
} from './reel.js';

const TENANT = randomUUID();
const ELSEWHERE = randomUUID();
const [FIRST, SECOND, THIRD] = [randomUUID(), randomUUID(), randomUUID()] as const;

let reel: TestReel;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  for (const client_id of [null, FIRST, FIRST, SECOND]) await report(reel, { client_id });
  await report(reel, { tenant_id: ELSEWHERE });
});
afterAll(() => reel.close());

async function report(at: TestReel, more: object): Promise<Answer['body']> {
  const body = { module: 'guardian', action: 'users.login', tenant_id: TENANT, ...more };
  const made = await at.rest(await moduleToken(), 'POST', '/logs', body);
  expect(made.status).toBe(201);
  return made.body;
}

const LIST = '{ logs { nodes { clientId tenantId } } }';
const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id origin clientId } }';
const ENTRY = { module: 'guardian', action: 'users.login' };

/** What a caller gets of something that both wires show: the REST status, which GraphQL has to agree with. */
async function status(
  at: TestReel,
  token: string | null,
  what: 'view' | 'create' | 'export',
  headers: Record<string, string> = {},
  more: object = {},
): Promise<number> {
  const wires = {
    view: [LIST, {}, 'GET', '/logs', undefined],
    create: [CREATE, { input: { ...ENTRY, ...camelled(more) } }, 'POST', '/logs', { ...ENTRY, ...more }],
    export: ['mutation { exportLogs(input: {}) { recordCount } }', {}, 'POST', '/logs/export', {}],
  } as const;
  const [query, variables, method, path, body] = wires[what];
  const [graphql, rest] = [
    await at.graphql(token, query, variables, headers),
    await at.rest(token, method, path, body, headers),
  ];
  const code = graphql.body.errors?.[0]?.extensions.code as string | undefined;
  const codes: Record<number, string | undefined> = {
    200: undefined,
    201: undefined,
    401: 'UNAUTHENTICATED',
    403: 'FORBIDDEN',
    422: 'BAD_USER_INPUT',
    429: 'TOO_MANY_REQUESTS',
    503: 'UNAVAILABLE',
  };
  expect({ rest: rest.status, graphql: code }).toEqual({ rest: rest.status, graphql: codes[rest.status] });
  if (rest.status === 401) {
    expect(rest.body).toEqual({ detail: 'Not authenticated' });
    expect(graphql.status).toBe(401);
  }
  if (rest.status === 503 || rest.status === 429)
    for (const answer of [rest, graphql]) {
      expect(answer.status).toBe(rest.status);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  return rest.status;
}

const camelled = (body: object) =>
  Object.fromEntries(
    Object.entries(body).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

const now = () => Math.floor(Date.now() / 1000);
const sign = (claims: JWTPayload, secret = JWT_SECRET, alg = 'HS256') =>
  new SignJWT(claims)
    .setProtectedHeader({ alg })
    .sign(createSecretKey(Buffer.from(secret.repeat(2).slice(0, alg === 'HS256' ? secret.length : 86))));
const CLAIMS = {
  sub: randomUUID(),
  email: 'ana@example.com',
  exp: now() + 600,
  iat: now(),
  grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null }],
};
const { exp: _exp, ...ENDLESS } = CLAIMS;
const unsigned = (claims: object) =>
  `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;

describe('a credential', () => {
  it('is good as Guardian issues it', async () => {
    expect(await status(reel, await sign(CLAIMS), 'view')).toBe(200);
    expect(await status(reel, await sign({ ...CLAIMS, name: 'Ana', iss: 'x', aud: 'y' }), 'view')).toBe(200);
  });

  it.each<[string, () => string | Promise<string>]>([
    ['no token', () => 'x'],
    ['no signature', () => unsigned(CLAIMS)],
    ['no signature, though an algorithm', async () => (await sign(CLAIMS)).replace(/[^.]*$/, '')],
    ['another algorithm', () => sign(CLAIMS, JWT_SECRET, 'HS512')],
    ['another key', () => sign(CLAIMS, 'x'.repeat(43))],
    ['no end', () => sign(ENDLESS)],
    ['an end in the past', () => sign({ ...CLAIMS, exp: now() - 5 })],
    ['a beginning ahead', () => sign({ ...CLAIMS, nbf: now() + 120 })],
    ['an issue ahead', () => sign({ ...CLAIMS, iat: now() + 120 })],
    ['no person', () => sign({ ...CLAIMS, sub: undefined })],
    ['a person who is no UUID', () => sign({ ...CLAIMS, sub: 'ana' })],
    ['a module signed with the key of people', () => sign({ module: '*', exp: now() + 600 })],
    ['a person signed with the key of modules', () => sign(CLAIMS, SERVICE_SECRET)],
    ['a module without an end', () => sign({ module: '*' }, SERVICE_SECRET)],
    ['a module past its end', () => sign({ module: '*', exp: now() - 5 }, SERVICE_SECRET)],
    ['a module without a name', () => sign({ module: '', exp: now() + 600 }, SERVICE_SECRET)],
    ['a module that is no text', () => sign({ module: 7, exp: now() + 600 }, SERVICE_SECRET)],
    [
      'claims that were changed',
      async () => {
        const [head, , tail] = (await sign(CLAIMS)).split('.');
        return `${head}.${Buffer.from(JSON.stringify({ ...CLAIMS, sub: randomUUID() })).toString('base64url')}.${tail}`;
      },
    ],
  ])('with %s is 401', async (_, make) => {
    const token = await make();
    expect(await status(reel, token, 'view')).toBe(401);
    expect(await status(reel, token, 'create', {}, { tenant_id: TENANT })).toBe(401);
  });

  it('may be a minute ahead', async () => {
    expect(await status(reel, await sign({ ...CLAIMS, iat: now() + 40, nbf: now() + 40 }), 'view')).toBe(200);
  });

  it('is told by the key, never by what it claims', async () => {
    const both = { ...CLAIMS, module: '*' };
    expect(await status(reel, await sign(both), 'view')).toBe(200);
    expect(
      (await reel.graphql(await sign(both), 'mutation { createLogs(inputs: []) { id } }')).body,
    ).toMatchObject({
      errors: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    expect(await status(reel, await sign(both, SERVICE_SECRET), 'view')).toBe(403);
  });

  it('is missing: 401, but for { __typename }', async () => {
    for (const what of ['view', 'create', 'export'] as const)
      expect(await status(reel, null, what)).toBe(401);
    expect((await reel.graphql(null, '{ __typename }')).body).toEqual({ data: { __typename: 'Query' } });
  });

  it.each(['Basic abc', 'Bearer', 'Bearer ', 'Bearer a b', 'bearer'])(
    'as %s is 401',
    async (authorization) => {
      const answer = await reel.rest(null, 'GET', '/logs', undefined, { authorization });
      expect(answer.status).toBe(401);
      expect((await reel.graphql(null, LIST, {}, { authorization })).status).toBe(401);
    },
  );

  it("a module's writes only its own name; a gateway's any, but never reel", async () => {
    const [own, any] = [await moduleToken('guardian'), await moduleToken('*')];
    const place = { tenant_id: TENANT };
    expect(await status(reel, own, 'create', {}, place)).toBe(201);
    expect(await status(reel, own, 'create', {}, { ...place, module: 'aurora' })).toBe(403);
    expect(await status(reel, any, 'create', {}, { ...place, module: 'aurora' })).toBe(201);
    const member = await person({ tenants: [TENANT] });
    for (const token of [own, any, await moduleToken('reel')])
      expect(await status(reel, token, 'create', {}, { ...place, module: 'reel' })).toBe(403);
    expect(await status(reel, member, 'create', {}, { module: 'reel' })).toBe(403);
  });
});

describe('the tenant of a call', () => {
  const inBoth = () => person({ grants: [grant(TENANT, 'reel.logs.view:ACCOUNT')], tenants: [ELSEWHERE] });

  it('is the only one a person belongs to, be it by grant or by plain membership', async () => {
    expect(await status(reel, await viewer(TENANT), 'view')).toBe(200);
    const member = await person({ tenants: [TENANT] });
    expect(await status(reel, member, 'create')).toBe(201);
    expect(await status(reel, member, 'view')).toBe(403);
    expect(await status(reel, member, 'export')).toBe(403);
  });

  it('has to be named by who belongs to several', async () => {
    const token = await inBoth();
    expect(await status(reel, token, 'view')).toBe(422);
    expect(await status(reel, token, 'create')).toBe(422);
    expect(await status(reel, token, 'view', { 'x-tenant-id': TENANT })).toBe(200);
    expect(await status(reel, token, 'view', { 'x-tenant-id': ELSEWHERE })).toBe(403);
    expect(await status(reel, token, 'create', { 'x-tenant-id': ELSEWHERE })).toBe(201);
    const answer = await reel.rest(token, 'GET', '/logs');
    expect(answer.body.detail[0]).toMatchObject({ loc: ['header', 'X-Tenant-Id'] });
  });

  it('that a person does not belong to is answered as one that does not exist', async () => {
    const token = await viewer(TENANT);
    for (const what of ['view', 'create', 'export'] as const) {
      const [method, path, body] =
        what === 'view'
          ? (['GET', '/logs', undefined] as const)
          : (['POST', what === 'create' ? '/logs' : '/logs/export', what === 'create' ? ENTRY : {}] as const);
      const [theirs, nobodys] = [
        await reel.rest(token, method, path, body, { 'x-tenant-id': ELSEWHERE }),
        await reel.rest(token, method, path, body, { 'x-tenant-id': randomUUID() }),
      ];
      expect(theirs.status).toBe(403);
      expect(nobodys).toMatchObject({ status: 403, body: theirs.body });
      expect(await status(reel, token, what, { 'x-tenant-id': ELSEWHERE })).toBe(403);
    }
  });

  it('is FORBIDDEN to a person who belongs nowhere', async () => {
    for (const what of ['view', 'create', 'export'] as const)
      expect(await status(reel, await person(), what)).toBe(403);
  });

  it.each([
    ['x', 422],
    [`${TENANT}x`, 422],
    [`${TENANT}, ${ELSEWHERE}`, 422],
    [TENANT.toUpperCase(), 200],
    ['', 200],
  ])('as X-Tenant-Id: %s is %i', async (value, expected) => {
    const token = await viewer(TENANT);
    expect(await status(reel, token, 'view', { 'x-tenant-id': value })).toBe(expected);
    expect((await reel.graphql(token, LIST, {}, { 'x-tenant-id': value })).status).toBe(expected);
  });

  it.each([
    ['x', 422],
    [FIRST.toUpperCase(), 200],
    ['', 200],
  ])('with X-Client-Id: %s is %i', async (value, expected) => {
    expect(await status(reel, await viewer(TENANT), 'view', { 'x-client-id': value })).toBe(expected);
  });

  it('named twice is a fault only where the two differ', async () => {
    const token = await viewer(TENANT);
    const ask = (...values: string[]) =>
      rawStatus(reel, [
        'GET /api/v1/reel/logs HTTP/1.1',
        `Authorization: Bearer ${token}`,
        ...values.map((value) => `X-Tenant-Id: ${value}`),
      ]);
    expect(await ask(TENANT, ELSEWHERE)).toBe(422);
    expect(await ask(TENANT, TENANT.toUpperCase())).toBe(200);
    expect(await ask(TENANT, '')).toBe(200);
  });

  it("does not matter to a module's credential, which no @mentor field lets in", async () => {
    const token = await moduleToken();
    for (const value of ['x', ELSEWHERE, `${TENANT}, ${ELSEWHERE}`]) {
      const headers = { 'x-tenant-id': value, 'x-client-id': 'y' };
      expect(await status(reel, token, 'create', headers, { tenant_id: TENANT })).toBe(201);
      expect(await status(reel, token, 'view', headers)).toBe(403);
    }
    for (const field of [
      LIST,
      `{ log(id: "${randomUUID()}") { id } }`,
      '{ logStats { totalEntries } }',
      '{ checkpoint { treeSize } }',
      '{ consistencyProof(first: 1, second: 2) { first } }',
      'mutation { exportLogs(input: {}) { recordCount } }',
    ]) {
      const { body } = await reel.graphql(token, field);
      expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
      expect(body.errors[0].message).toMatch(/reel\.logs\.(view|export)/);
    }
    expect(await status(reel, token, 'create')).toBe(422);
  });
});

describe('a grant', () => {
  const clientsSeen = async (token: string, headers = {}): Promise<(string | null)[]> => {
    const [graphql, rest] = [
      await reel.graphql(
        token,
        '{ logs(first: 100) { nodes { clientId } totalCount { value } } }',
        {},
        headers,
      ),
      await reel.rest(token, 'GET', '/logs?page_size=100', undefined, headers),
    ];
    expect(rest.status).toBe(200);
    const seen = rest.body.items.map((item: { client_id: string | null }) => item.client_id);
    expect(graphql.body.data.logs.nodes.map((node: { clientId: string | null }) => node.clientId)).toEqual(
      seen,
    );
    expect(rest.body.total).toBe(seen.length);
    return [...new Set<string | null>(seen)].sort();
  };
  const sorted = (...ids: (string | null)[]) => [...ids].sort();
  const VIEW = 'reel.logs.view';
  const EXPORT = 'reel.logs.export';
  const holding = (...texts: string[]) => person({ grants: texts.map((text) => grant(TENANT, text)) });

  it('of view at ACCOUNT shows the tenant, or one client of it', async () => {
    const token = await holding(`${VIEW}:ACCOUNT`);
    expect(await clientsSeen(token)).toEqual(sorted(null, FIRST, SECOND));
    expect(await clientsSeen(token, { 'x-client-id': FIRST })).toEqual([FIRST]);
    expect(await clientsSeen(token, { 'x-client-id': THIRD })).toEqual([]);
  });

  it('of view at CLIENT shows the granted clients, and no entry without a client', async () => {
    const token = await holding(`${VIEW}:CLIENT:${FIRST}`, `${VIEW}:CLIENT:${SECOND}`);
    expect(await clientsSeen(token)).toEqual(sorted(FIRST, SECOND));
    expect(await clientsSeen(token, { 'x-client-id': SECOND })).toEqual([SECOND]);
    expect(await status(reel, token, 'view', { 'x-client-id': THIRD })).toBe(403);
    const one = await holding(`${VIEW}:CLIENT:${FIRST}`);
    expect(await clientsSeen(one)).toEqual([FIRST]);
    expect(await status(reel, one, 'view', { 'x-client-id': SECOND })).toBe(403);
  });

  it('of view at CLIENT opens no entry, count, related entry or filter beyond it', async () => {
    const requestId = randomUUID();
    const [open, shut, none] = [
      await report(reel, { client_id: FIRST, request_id: requestId, module: 'walled' }),
      await report(reel, { client_id: SECOND, request_id: requestId, module: 'walled' }),
      await report(reel, { request_id: requestId, module: 'walled' }),
    ];
    const token = await holding(`${VIEW}:CLIENT:${FIRST}`);
    for (const { id } of [shut, none]) {
      expect((await reel.graphql(token, `{ log(id: "${id}") { id } }`)).body).toEqual({
        data: { log: null },
      });
      expect(await reel.rest(token, 'GET', `/logs/${id}`)).toMatchObject({
        status: 404,
        body: { detail: 'Log entry not found' },
      });
    }
    const { data } = (
      await reel.graphql(
        token,
        `{ log(id: "${open.id}") { related { id } }
           logs(filter: { clientId: "${SECOND}" }) { nodes { id } totalCount { value } }
           logStats(filter: { modules: ["walled"] }) { totalEntries facet(field: CLIENT) { key count } } }`,
      )
    ).body;
    expect(data).toEqual({
      log: { related: [] },
      logs: { nodes: [], totalCount: { value: 0 } },
      logStats: { totalEntries: 1, facet: [{ key: FIRST, count: 1 }] },
    });
    const stats = await reel.rest(token, 'GET', '/logs/stats');
    expect(stats.body.entries_by_module.walled).toBe(1);
  });

  it('of export needs one client: the one named, or the only one granted', async () => {
    const one = await holding(`${EXPORT}:CLIENT:${FIRST}`);
    expect(await status(reel, one, 'export')).toBe(200);
    expect(await status(reel, one, 'export', { 'x-client-id': FIRST })).toBe(200);
    expect(await status(reel, one, 'export', { 'x-client-id': SECOND })).toBe(403);
    const several = await holding(`${EXPORT}:CLIENT:${FIRST}`, `${EXPORT}:CLIENT:${SECOND}`);
    expect(await status(reel, several, 'export')).toBe(422);
    expect(await status(reel, several, 'export', { 'x-client-id': SECOND })).toBe(200);
    expect(await status(reel, several, 'export', { 'x-client-id': THIRD })).toBe(403);
    const named = await reel.rest(several, 'POST', '/logs/export', { filter: { client_id: SECOND } });
    expect(named.status).toBe(200);
    expect((await reel.rest(one, 'POST', '/logs/export', { filter: { client_id: SECOND } })).status).toBe(
      403,
    );
  });

  it('of export at ACCOUNT, or of view alone, opens no export', async () => {
    for (const token of [await holding(`${EXPORT}:ACCOUNT`), await holding(`${VIEW}:ACCOUNT`)])
      for (const headers of [{}, { 'x-client-id': FIRST }])
        expect(await status(reel, token, 'export', headers as Record<string, string>)).toBe(403);
    const both = await holding(`${EXPORT}:ACCOUNT`, `${EXPORT}:CLIENT:${FIRST}`);
    expect(await status(reel, both, 'export', { 'x-client-id': SECOND })).toBe(403);
    const answer = await reel.rest(await holding(`${VIEW}:ACCOUNT`), 'POST', '/logs/export', {});
    expect(answer.body.detail).toContain(EXPORT);
  });

  it('of export exports that client only, whatever the view', async () => {
    const token = await holding(`${VIEW}:ACCOUNT`, `${EXPORT}:CLIENT:${FIRST}`);
    const made = await reel.rest(token, 'POST', '/logs/export', { format: 'ndjson' });
    const rows = (await (await fetch(reel.url + made.body.download_url)).text()).trim().split('\n');
    expect(new Set(rows.map((row) => JSON.parse(row).client_id))).toEqual(new Set([FIRST]));
    expect(rows).toHaveLength(made.body.record_count);
  });

  it('of view does not open what asks for ACCOUNT to a client', async () => {
    const { body } = await reel.graphql(
      await holding(`${VIEW}:CLIENT:${FIRST}`),
      '{ checkpoint { treeSize } }',
    );
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
  });

  it('of another tenant, another action, another scope or no client opens nothing', async () => {
    for (const grants of [
      [grant(ELSEWHERE, `${VIEW}:ACCOUNT`)],
      [grant(TENANT, 'reel.logs.filter:ACCOUNT')],
      [grant(TENANT, 'reel.logs.*:ACCOUNT')],
      [grant(TENANT, `${VIEW}:CLIENT`)],
      [grant(TENANT, `${VIEW.toUpperCase()}:ACCOUNT`)],
    ])
      expect(await status(reel, await person({ grants }), 'view', { 'x-tenant-id': TENANT })).toBe(403);
  });
});

describe("a person's own entry", () => {
  it('is of origin BROWSER, with the identity of the credential', async () => {
    const id = randomUUID();
    const token = await person({ id, name: 'Ana', tenants: [TENANT] });
    const said = {
      ...ENTRY,
      actor_email: 'root@example.com',
      actor_name: 'Root',
      ip_address: '9.9.9.9',
      user_agent: 'X',
    };
    const made = await reel.rest(token, 'POST', '/logs', said, { 'user-agent': 'tester/1' });
    expect(made).toMatchObject({
      status: 201,
      body: {
        origin: 'BROWSER',
        actor_id: id,
        actor_email: 'ana@example.com',
        actor_name: 'Ana',
        tenant_id: TENANT,
        ip_address: '127.0.0.1',
        user_agent: 'tester/1',
      },
    });
  });

  it.each([
    ['actorId', randomUUID()],
    ['actorEmail', 'root@example.com'],
    ['actorName', 'Root'],
    ['onBehalfOfId', randomUUID()],
    ['tenantId', ELSEWHERE],
    ['ipAddress', '9.9.9.9'],
    ['userAgent', 'X'],
  ])('may not claim %s in GraphQL', async (field, value) => {
    const token = await person({ tenants: [TENANT] });
    const { body } = await reel.graphql(token, CREATE, { input: { ...ENTRY, [field]: value } });
    expect(body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(body.errors[0].message).toContain(field);
  });

  it('may say what is theirs anyway', async () => {
    const id = randomUUID();
    const token = await person({ id, name: 'Ana', tenants: [TENANT] });
    const input = {
      ...ENTRY,
      actorId: id.toUpperCase(),
      actorEmail: 'ana@example.com',
      actorName: 'Ana',
      tenantId: TENANT,
    };
    expect((await reel.graphql(token, CREATE, { input })).body.data.createLog.origin).toBe('BROWSER');
  });

  it('names a client only where the person holds a grant in it or belongs to the whole tenant', async () => {
    const inClient = await person({ grants: [grant(TENANT, `reel.logs.view:CLIENT:${FIRST}`)] });
    expect(await status(reel, inClient, 'create')).toBe(201);
    expect(await status(reel, inClient, 'create', {}, { client_id: FIRST })).toBe(201);
    expect(await status(reel, inClient, 'create', {}, { client_id: SECOND })).toBe(403);
    // The header means nothing to createLog.
    expect(await status(reel, inClient, 'create', { 'x-client-id': SECOND }, { client_id: FIRST })).toBe(201);
    for (const token of [await viewer(TENANT), await person({ tenants: [TENANT] })])
      expect(await status(reel, token, 'create', {}, { client_id: THIRD })).toBe(201);
  });

  it('is never written by createLogs', async () => {
    const token = await person({ tenants: [TENANT], grants: [grant(TENANT, 'reel.logs.view:ACCOUNT')] });
    const { body } = await reel.graphql(
      token,
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs: [ENTRY] },
    );
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
  });
});

describe('the settings of a server in production', () => {
  let strict: TestReel;
  beforeAll(async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const { exportPKCS8 } = await import('jose');
    strict = await startReel({
      REEL_ENV: 'production',
      REEL_AUDIT_READS: 'off',
      REEL_SIGNING_KEY: await exportPKCS8(privateKey),
      REEL_ORIGIN: 'reel.example.com',
      REEL_BROWSER_ENTRIES_PER_MINUTE: '4',
      REEL_TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8',
      REEL_ALLOWED_ORIGINS: 'https://app.example.com',
      REEL_EXPORT_LINK_MINUTES: '5',
      REEL_MAX_EXPORT_RECORDS: '2',
      REEL_DEFAULT_PAGE_SIZE: '2',
      REEL_MAX_PAGE_SIZE: '3',
    });
  });
  afterAll(() => strict.close());

  it('REEL_BROWSER_ENTRIES_PER_MINUTE counts each person on both wires', async () => {
    const [busy, quiet] = [await person({ tenants: [TENANT] }), await person({ tenants: [TENANT] })];
    for (let at = 0; at < 2; at++) expect(await status(strict, busy, 'create')).toBe(201);
    expect(await status(strict, busy, 'create')).toBe(429);
    expect(await status(strict, quiet, 'create')).toBe(201);
    const token = await moduleToken();
    for (let at = 0; at < 3; at++)
      expect(await status(strict, token, 'create', {}, { tenant_id: TENANT })).toBe(201);
  });

  it('REEL_TRUST_PROXY says whose X-Forwarded-For is believed', async () => {
    const forwarded = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.2.3' };
    expect((await report2(strict, forwarded)).ip_address).toBe('203.0.113.9');
    expect((await report2(reel, forwarded)).ip_address).toBe('127.0.0.1');
    expect((await report2(strict, { 'x-forwarded-for': 'garbage' })).ip_address).toBe('127.0.0.1');
    expect((await report2(strict, { 'x-forwarded-for': '2001:DB8::1' })).ip_address).toBe('2001:db8::1');
  });

  it('REEL_ALLOWED_ORIGINS are exact', async () => {
    const ask = async (at: TestReel, origin: string, method: string, path: string) => {
      const { headers } = await fetch(at.url + path, {
        method,
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,x-tenant-id,content-type',
        },
      });
      return headers.get('access-control-allow-origin');
    };
    for (const path of ['/graphql', '/api/v1/reel/logs']) {
      expect(await ask(strict, 'https://app.example.com', 'OPTIONS', path)).toBe('https://app.example.com');
      for (const origin of [
        'https://app.example.com.evil.example',
        'http://app.example.com',
        'https://app.example.com:444',
        'null',
      ])
        expect(await ask(strict, origin, 'OPTIONS', path)).toBeNull();
      expect(await ask(reel, 'https://app.example.com', 'OPTIONS', path)).toBeNull();
      expect(await ask(strict, 'https://app.example.com', 'GET', path)).toBe('https://app.example.com');
    }
  });

  it('page sizes hold on REST and by default on GraphQL', async () => {
    const token = await viewer(TENANT);
    for (let at = 0; at < 4; at++) await report(strict, {});
    const list = await strict.rest(token, 'GET', '/logs');
    expect(list.body).toMatchObject({ page_size: 2, items: [{}, {}] });
    expect((await strict.rest(token, 'GET', '/logs?page_size=4')).status).toBe(422);
    expect((await strict.rest(token, 'GET', '/logs?page_size=3')).body.items).toHaveLength(3);
    expect((await strict.graphql(token, '{ logs { nodes { id } } }')).body.data.logs.nodes).toHaveLength(2);
  });

  it('REEL_EXPORT_LINK_MINUTES and REEL_MAX_EXPORT_RECORDS bound an export', async () => {
    const token = await person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
    for (let at = 0; at < 2; at++) await report(strict, { client_id: FIRST });
    const made = await strict.rest(token, 'POST', '/logs/export', {});
    expect(made.body.record_count).toBe(2);
    const left = Date.parse(made.body.expires_at) - Date.now();
    expect(left).toBeGreaterThan(4 * 60_000);
    expect(left).toBeLessThanOrEqual(5 * 60_000);
    await report(strict, { client_id: FIRST });
    const tooMany = await strict.rest(token, 'POST', '/logs/export', {});
    // Either refused with the limit named, or cut to it.
    if (tooMany.status === 200) expect(tooMany.body.record_count).toBe(2);
    else expect(tooMany).toMatchObject({ status: 422 });
  });

  it('production shows neither playground, metrics nor schema', async () => {
    for (const path of ['/playground', '/playground/', '/metrics'])
      expect((await fetch(strict.url + path)).status).toBe(404);
    const token = await viewer(TENANT);
    const schema = await strict.graphql(token, '{ __schema { queryType { name } } }');
    expect(schema.body.data).toBeUndefined();
    const typo = await strict.graphql(token, '{ logz { nodes { id } } }');
    expect(JSON.stringify(typo.body)).not.toMatch(/did you mean/i);
  });

  it('REEL_BROWSER_LOGGING=off closes createLog to people alone', async () => {
    const closed = await startReel({ REEL_BROWSER_LOGGING: 'off' });
    try {
      expect(await status(closed, await person({ tenants: [TENANT] }), 'create')).toBe(403);
      expect(await status(closed, await moduleToken(), 'create', {}, { tenant_id: TENANT })).toBe(201);
    } finally {
      await closed.close();
    }
  });
});

async function report2(at: TestReel, headers: Record<string, string>): Promise<Answer['body']> {
  const made = await at.rest(await moduleToken(), 'POST', '/logs', { ...ENTRY, tenant_id: TENANT }, headers);
  expect(made.status).toBe(201);
  return made.body;
}

/** The status of a request that no client would send; the first line and headers as they go over the wire. */
function rawStatus(at: TestReel, lines: string[]): Promise<number> {
  const { hostname, port } = new URL(at.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${[...lines, `Host: ${hostname}`, 'Connection: close'].join('\r\n')}\r\n\r\n`),
    );
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(Number(text.slice(9, 12)))).on('error', reject);
  });
}

/** A server that answers as the test at hand says. */
async function pretend(): Promise<{
  url: string;
  seen: { url: string; authorization: string | undefined }[];
  answer: (as: (request: IncomingMessage, response: ServerResponse) => void) => void;
  server: Server;
}> {
  let as: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end();
  const seen: { url: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    as(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = (next: typeof as) => {
    as = next;
  };
  return { url, seen, answer, server };
}

const json =
  (body: unknown, code = 200) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));

describe('Mentor over HTTP', () => {
  let mentor: Awaited<ReturnType<typeof pretend>>;
  let asking: TestReel;
  const VIEWS = { action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null };
  const here = { 'x-tenant-id': TENANT };
  beforeAll(async () => {
    mentor = await pretend();
    asking = await startReel({ REEL_MENTOR: 'http', REEL_MENTOR_URL: `${mentor.url}/grants?of=reel` });
    await report(asking, {});
  });
  afterEach(() => mentor.seen.splice(0));
  afterAll(async () => {
    await asking.close();
    mentor.server.closeAllConnections();
    mentor.server.close();
  });

  it("is asked with the person's own credential, once for each token and tenant", async () => {
    mentor.answer(json({ grants: [VIEWS] }));
    // What the token claims does not count here.
    const token = await person({
      grants: [grant(ELSEWHERE, 'reel.logs.view:ACCOUNT')],
      tenants: [ELSEWHERE],
    });
    for (let at = 0; at < 3; at++) expect(await status(asking, token, 'view', here)).toBe(200);
    expect(mentor.seen).toEqual([
      { url: `/grants?of=reel&tenant_id=${TENANT}`, authorization: `Bearer ${token}` },
    ]);
    mentor.answer(json({ grants: [] }));
    expect(await status(asking, token, 'view', { 'x-tenant-id': ELSEWHERE })).toBe(403);
    expect(await status(asking, await person(), 'view', here)).toBe(403);
  });

  it('is asked once by calls that come together', async () => {
    mentor.answer((request, response) => setTimeout(() => json({ grants: [VIEWS] })(request, response), 100));
    const token = await person();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => asking.rest(token, 'GET', '/logs', undefined, here)),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(200));
    expect(mentor.seen).toHaveLength(1);
  });

  it('always needs the tenant to be named', async () => {
    mentor.answer(json({ grants: [VIEWS], member: true }));
    const token = await person({ tenants: [TENANT] });
    expect(await status(asking, token, 'view')).toBe(422);
    expect(await status(asking, token, 'create')).toBe(422);
    expect(mentor.seen).toEqual([]);
  });

  it('says who is a member', async () => {
    mentor.answer(json({ grants: [], member: true }));
    const member = await person();
    expect(await status(asking, member, 'create', here)).toBe(201);
    expect(await status(asking, member, 'view', here)).toBe(403);
    mentor.answer(json({ grants: [], member: false }));
    expect(await status(asking, await person(), 'create', here)).toBe(403);
  });

  it("does not let another tenant's grants count", async () => {
    mentor.answer(json({ grants: [{ ...VIEWS, tenant_id: ELSEWHERE }] }));
    expect(await status(asking, await person(), 'view', here)).toBe(403);
  });

  it('is not asked for a module', async () => {
    expect(await status(asking, await moduleToken(), 'create', {}, { tenant_id: TENANT })).toBe(201);
    expect(await status(asking, await moduleToken(), 'view', here)).toBe(403);
    expect(mentor.seen).toEqual([]);
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void, number]>([
    ['401', json({}, 401), 401],
    ['403', json({}, 403), 403],
    ['404', json('<html>', 404), 403],
    ['500', json({ grants: [VIEWS] }, 500), 503],
    ['201', json({ grants: [VIEWS] }, 201), 503],
    ['204', (_, response) => void response.writeHead(204).end(), 503],
    ['429', json({}, 429), 503],
    [
      'a redirect',
      (_, response) => void response.writeHead(302, { location: `${mentor.url}/ok` }).end(),
      503,
    ],
    ['no JSON', json('<html>'), 503],
    ['nothing', json(''), 503],
    ['a list', json([VIEWS]), 503],
    ['null', json('null'), 503],
    ['no grants', json({ member: true }), 503],
    ['null grants', json({ grants: null, member: true }), 503],
    ['grants that are an object', json({ grants: { 0: VIEWS } }), 503],
    ['a grant without a tenant', json({ grants: [{ ...VIEWS, tenant_id: undefined }] }), 503],
    ['a grant that is text', json({ grants: ['reel.logs.view'] }), 503],
    ['a membership that is text', json({ grants: [VIEWS], member: 'yes' }), 503],
    ['more than 1 MiB', json({ grants: [VIEWS], more: 'x'.repeat(1024 * 1024) }), 503],
    ['a broken connection', (request) => void request.socket.destroy(), 503],
    [
      'half an answer',
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{"grants":[');
        setTimeout(() => request.socket.destroy(), 20);
      },
      503,
    ],
  ])('answering %s', async (_, as, expected) => {
    mentor.answer(as);
    const token = await person({ grants: [grant(TENANT, 'reel.logs.view:ACCOUNT')] });
    expect(await status(asking, token, 'view', here)).toBe(expected);
    expect(await status(asking, token, 'create', here)).toBe(expected);
    if (expected !== 503) return;
    // A failure is not kept.
    mentor.answer(json({ grants: [VIEWS] }));
    expect(await status(asking, token, 'view', here)).toBe(200);
  });

  it('answering anything but its shape is never open, and never a 500', async () => {
    const known = fc.constantFrom<unknown>(
      'reel.logs.view',
      'ACCOUNT',
      'CLIENT',
      TENANT,
      FIRST,
      null,
      true,
      1,
      'x',
    );
    const grants = fc.array(
      fc.dictionary(fc.constantFrom('action', 'scope', 'tenant_id', 'client_id'), known, { maxKeys: 4 }),
      { maxLength: 3 },
    );
    const answers = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.record({
        grants: fc.oneof(grants, fc.jsonValue({ maxDepth: 2 })),
        member: fc.oneof(known, fc.boolean()),
      }),
    );
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        mentor.answer(json(JSON.stringify(answer)));
        const got = await asking.rest(await person(), 'GET', '/logs', undefined, here);
        const { grants, member = false } = (answer ?? {}) as { grants?: unknown; member?: unknown };
        const opens =
          Array.isArray(grants) &&
          grants.some(
            (each) =>
              each?.action === 'reel.logs.view' &&
              each.tenant_id === TENANT &&
              (each.scope === 'ACCOUNT' ||
                (each.scope === 'CLIENT' && [TENANT, FIRST].includes(each.client_id))),
          );
        const wellFormed = Array.isArray(grants) && typeof member === 'boolean';
        expect(got.status).toSatisfy((code: number) =>
          [...(opens ? [200] : []), ...(wellFormed ? [403] : []), 503].includes(code),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('being late, from the start or in the middle, is 503 after two seconds', async () => {
    const late = async (as: (request: IncomingMessage, response: ServerResponse) => void) => {
      mentor.answer(as);
      const began = performance.now();
      const answer = await asking.rest(await person(), 'GET', '/logs', undefined, here);
      expect(answer.status).toBe(503);
      const took = performance.now() - began;
      expect(took).toBeGreaterThan(1_900);
      expect(took).toBeLessThan(5_000);
    };
    await late(() => {});
    await late((_request, response) => void response.writeHead(200).write('{"grants":'));
  });

  it('being away is 503, and nobody is let in', async () => {
    const away = await startReel({ REEL_MENTOR: 'http', REEL_MENTOR_URL: 'http://127.0.0.1:9/' });
    try {
      expect(await status(away, await viewer(TENANT), 'view', here)).toBe(503);
      expect(await status(away, await viewer(TENANT), 'export', here)).toBe(503);
    } finally {
      await away.close();
    }
  });
});

describe('a key set', () => {
  let keys: Awaited<ReturnType<typeof pretend>>;
  let behind: TestReel;
  const pairs = {
    RS256: generateKeyPair('RS256'),
    ES256: generateKeyPair('ES256'),
    EdDSA: generateKeyPair('EdDSA'),
  };
  const signed = async (alg: string, key: CryptoKey, kid: string = alg, claims: JWTPayload = CLAIMS) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
  beforeAll(async () => {
    keys = await pretend();
    const set = await Promise.all(
      Object.entries(pairs).map(async ([alg, pair]) => ({
        ...(await exportJWK((await pair).publicKey)),
        kid: alg,
        alg,
        use: 'sig',
      })),
    );
    keys.answer(json({ keys: set }));
    behind = await startReel({ REEL_JWT_SECRET: '', REEL_JWKS_URL: `${keys.url}/jwks` });
  });
  afterAll(async () => {
    await behind.close();
    keys.server.closeAllConnections();
    keys.server.close();
  });

  it.each(['RS256', 'ES256', 'EdDSA'] as const)('lets in what was signed by %s', async (alg) => {
    expect(await status(behind, await signed(alg, (await pairs[alg]).privateKey), 'view')).toBe(200);
  });

  it('lets in nothing else', async () => {
    const stranger = await generateKeyPair('RS256');
    const publicJwk = JSON.stringify(await exportJWK((await pairs.RS256).publicKey));
    for (const token of [
      await signed('RS256', stranger.privateKey),
      await signed('RS256', stranger.privateKey, 'unknown'),
      await signed('PS256', (await generateKeyPair('PS256')).privateKey, 'RS256'),
      await new SignJWT(CLAIMS)
        .setProtectedHeader({ alg: 'HS256', kid: 'RS256' })
        .sign(Buffer.from(publicJwk)),
      await sign(CLAIMS),
      unsigned(CLAIMS),
      await signed('ES256', (await pairs.ES256).privateKey, 'ES256', { ...CLAIMS, exp: now() - 5 }),
      await signed('ES256', (await pairs.ES256).privateKey, 'ES256', ENDLESS),
      await signed('EdDSA', (await pairs.EdDSA).privateKey, 'EdDSA', { ...CLAIMS, iat: now() + 120 }),
    ])
      expect(await status(behind, token, 'view')).toBe(401);
  });

  it("does not matter to a module's credential", async () => {
    expect(await status(behind, await moduleToken(), 'create', {}, { tenant_id: TENANT })).toBe(201);
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['away', (request) => void request.socket.destroy()],
    ['an error', json({ keys: [] }, 500)],
    ['no key set', json({ keys: 'x' })],
    ['no JSON', json('<html>')],
    ['too large', json({ keys: [], more: 'x'.repeat(1024 * 1024) })],
    ['a redirect', (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ])('that is %s is 503, never open', async (_, as) => {
    const other = await pretend();
    other.answer(as);
    const blind = await startReel({ REEL_JWT_SECRET: '', REEL_JWKS_URL: `${other.url}/jwks` });
    try {
      const token = await signed('RS256', (await pairs.RS256).privateKey);
      expect(await status(blind, token, 'view')).toBe(503);
    } finally {
      await blind.close();
      other.server.closeAllConnections();
      other.server.close();
    }
  });
});

describe('the other paths', () => {
  it.each(['/', '/playground'])('%s carries a strict policy', async (path) => {
    const { status: code, headers } = await fetch(reel.url + path);
    expect(code).toBe(200);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe-eval');
    const scripts = /script-src[^;]*/.exec(policy)?.[0] ?? '';
    expect(scripts).not.toContain('unsafe-inline');
    if (path === '/') expect(policy).not.toContain('unsafe-inline');
    expect(policy).not.toMatch(/https?:|\*/);
    expect(headers.get('x-frame-options')?.toLowerCase()).toBe('deny');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('health says so, and metrics name nobody', async () => {
    expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    const text = await (await fetch(`${reel.url}/metrics`)).text();
    expect(text).toMatch(/^reel_\w+/m);
    for (const secret of [TENANT, FIRST, 'ana@example.com', JWT_SECRET, SERVICE_SECRET, 'guardian'])
      expect(text).not.toContain(secret);
  });

  it('an export link is not kept by anybody on the way', async () => {
    const token = await person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
    const { body } = await reel.rest(token, 'POST', '/logs/export', {});
    const file = await fetch(reel.url + body.download_url);
    expect(file.status).toBe(200);
    expect(file.headers.get('cache-control')).toBe('no-store');
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    expect(file.headers.get('referrer-policy')).toBe('no-referrer');
    expect(file.headers.get('x-frame-options')).toBe('DENY');
    expect(file.headers.get('content-security-policy')).toContain("default-src 'none'");
    await file.text();
  });
});
