import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Grant } from '../../../src/auth/grant.js';
import { CLAIMS, now, sign } from '../../support/access.js';
import { moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const ME = `{ me {
  id email name module
  tenants { id name mayView mayManageStreams clients { id name mayView mayExport } }
} }`;
const [T1, T2, T3] = [1, 2, 3].map((n) => `0190a1b2-0000-7000-8000-0000000000f${n}`) as [
  string,
  string,
  string,
];
const [C1, C2] = [randomUUID(), randomUUID()].sort() as [string, string];
const grant = (
  action: string,
  tenantId: string,
  clientId: string | null = null,
  more: Partial<Grant> = {},
): Grant => ({
  action: `reel.${action}`,
  scope: clientId === null ? 'ACCOUNT' : 'CLIENT',
  tenantId,
  clientId,
  ...more,
});
const nobody = { id: null, email: null, name: null, module: null, tenants: [] };

describe('me, of a token with grants', () => {
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel();
  });
  afterAll(() => reel?.close());
  const me = async (token: string | null, headers: Record<string, string> = {}) =>
    reel.graphql(token, ME, {}, headers);

  test('says where the person belongs, by name, and what they may do there', async () => {
    const token = await person({
      id: '0190A1B2-0000-7000-8000-00000000000A',
      email: 'ana@example.com',
      name: 'Ana',
      grants: [
        grant('logs.view', T2, C2),
        grant('logs.export', T2, C1, { clientName: 'Loja 1', tenantName: 'Zebra' }),
        grant('streams.manage', T1),
        grant('logs.export', T1),
        grant('logs.view', T1),
        grant('other.thing', T1, C1),
      ],
      tenants: [T3, { id: T1, name: 'aurora' }],
    });
    const tenant = { mayView: false, mayManageStreams: false, clients: [] };
    expect((await me(token)).body).toEqual({
      data: {
        me: {
          id: '0190a1b2-0000-7000-8000-00000000000a',
          email: 'ana@example.com',
          name: 'Ana',
          module: null,
          tenants: [
            { ...tenant, id: T3, name: null },
            {
              id: T1,
              name: 'aurora',
              mayView: true,
              mayManageStreams: true,
              clients: [{ id: C1, name: null, mayView: true, mayExport: false }],
            },
            {
              ...tenant,
              id: T2,
              name: 'Zebra',
              mayView: true,
              clients: [
                { id: C2, name: null, mayView: true, mayExport: false },
                { id: C1, name: 'Loja 1', mayView: false, mayExport: true },
              ],
            },
          ],
        },
      },
    });
    // The tenant of the call changes nothing, not even one of others.
    for (const tenantId of [T2, randomUUID()])
      expect((await me(token, { 'X-Tenant-Id': tenantId })).body.data.me.tenants).toHaveLength(3);
  });

  test('takes an e-mail address as sub for that, and belonging nowhere for an answer', async () => {
    const token = await sign({ sub: 'ana@example.com', exp: now() + 600 });
    expect((await me(token)).body.data.me).toEqual({ ...nobody, email: 'ana@example.com' });
    const other = await sign({ ...CLAIMS, sub: 'auth0|5f1', email: undefined, grants: [] });
    expect((await me(other)).body.data.me).toEqual({ ...nobody, id: 'auth0|5f1' });
  });

  test('names a module, and is refused without a credential', async () => {
    for (const module of ['guardian', '*'])
      expect((await me(await moduleToken(module))).body.data.me).toEqual({ ...nobody, module });
    const refused = await me(null);
    expect(refused.status).toBe(401);
    expect(refused.body).toMatchObject({ data: null, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  test('is neither an entry of a person nor a look at the log', async () => {
    const own = await startReel({
      REEL_BROWSER_LOGGING: 'off',
      REEL_BROWSER_ENTRIES_PER_MINUTE: '1',
      REEL_AUDIT_READS: 'all',
    });
    try {
      const token = await person({ grants: [grant('logs.view', T1)] });
      for (let count = 0; count < 3; count++)
        expect((await own.graphql(token, ME)).body.data.me.tenants).toHaveLength(1);
      expect(await own.own.query('select action from reel_log_entries')).toEqual([]);
    } finally {
      await own.close();
    }
  });
});

describe('me, with Mentor over HTTP', () => {
  let reel: TestReel;
  const asked: string[] = [];
  let answers: Record<string, object> = {};
  const mentor = createServer((request, response) => {
    const tenantId = new URL(request.url ?? '', 'http://mentor').searchParams.get('tenant_id') ?? '';
    asked.push(tenantId);
    const answer = answers[tenantId];
    response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer ?? {}));
  });
  beforeAll(async () => {
    await new Promise<void>((listening) => mentor.listen(0, '127.0.0.1', listening));
    const { port } = mentor.address() as AddressInfo;
    reel = await startReel({ REEL_MENTOR: 'http', REEL_MENTOR_URL: `http://127.0.0.1:${port}/` });
  });
  afterAll(async () => {
    await reel?.close();
    mentor.close();
  });
  beforeEach(() => {
    asked.length = 0;
    answers = {
      [T1]: {
        grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: T1 }],
        tenant_name: 'Aurora',
      },
      [T2]: { grants: [], member: true },
    };
  });
  const idsOf = async (token: string, headers: Record<string, string> = {}) => {
    const { body } = await reel.graphql(token, ME, {}, headers);
    return body.data.me.tenants.map(({ id, name }: { id: string; name: string | null }) => [id, name]);
  };

  test('asks for the tenant named, and says nothing of one that the person does not belong to', async () => {
    const token = await person({ tenants: [T2] });
    expect(await idsOf(token, { 'X-Tenant-Id': T1 })).toEqual([[T1, 'Aurora']]);
    expect(await idsOf(token, { 'X-Tenant-Id': T3 })).toEqual([]);
    expect(asked).toEqual([T1, T3]);
  });

  test('asks for those that the token names, and believes Mentor alone', async () => {
    const token = await person({ grants: [grant('logs.view', T3)], tenants: [T1, T2] });
    expect(await idsOf(token)).toEqual([
      [T2, null],
      [T1, 'Aurora'],
    ]);
    expect(asked.sort()).toEqual([T1, T2, T3]);
    expect(await idsOf(await person({}))).toEqual([]);
  });

  test('never asks for more than a hundred', async () => {
    const token = await person({ tenants: Array.from({ length: 101 }, () => randomUUID()) });
    const { status, body } = await reel.graphql(token, ME);
    expect(status).toBe(422);
    expect(body.errors[0]).toMatchObject({
      message: 'X-Tenant-Id: expected a tenant, since your token names more than 100, got nothing',
      extensions: { code: 'BAD_USER_INPUT' },
    });
    expect(asked).toEqual([]);
  });

  test('is UNAVAILABLE where Mentor answers anything else', async () => {
    answers[T1] = { grants: null };
    const { status, body } = await reel.graphql(await person({ tenants: [T1] }), ME);
    expect(status).toBe(503);
    expect(body.errors[0].extensions.code).toBe('UNAVAILABLE');
  });
});
