import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLAIMS,
  CREATE,
  ELSEWHERE,
  ENDLESS,
  ENTRY,
  FIRST,
  LIST,
  now,
  rawStatus,
  report,
  SECOND,
  sign,
  status,
  TENANT,
  THIRD,
  unsigned,
} from '../../support/access.js';
import {
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
  viewer,
} from '../../support/reel.js';

let reel: TestReel;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  for (const client_id of [null, FIRST, FIRST, SECOND]) await report(reel, { client_id });
  await report(reel, { tenant_id: ELSEWHERE });
});
afterAll(() => reel.close());

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
    ['a person without a sub', () => sign({ ...CLAIMS, sub: '' })],
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
