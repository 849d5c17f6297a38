import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const [TENANT, ELSEWHERE, CLIENT, OTHER_CLIENT] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const ANA = 'auth0|ana';
const CREATE =
  'mutation ($input: CreateLogInput!) { createLog(input: $input) { id origin actorId actorEmail actorName actorType tenantId clientId ipAddress userAgent onBehalfOfId } }';

let reel: TestReel;
let ana: string;
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  ana = await person({ id: ANA, email: 'ana@example.com', name: 'Ana', tenants: [TENANT] });
});
afterAll(() => reel?.close());

const said = { module: 'shop', action: 'cart.open' };
const byGraphql = async (more: object, headers = {}, token = ana) =>
  (await reel.graphql(token, CREATE, { input: { ...said, ...more } }, headers)).body;
const byRest = (more: object, headers = {}, token = ana) =>
  reel.rest(token, 'POST', '/logs', { ...said, ...more }, headers);
const stored = async () => Number((await reel.own.query('select count(*) as n from reel_log_entries'))[0]?.n);

describe('what a person may not claim', () => {
  it.each<[string, unknown]>([
    ['actorId', 'auth0|bea'],
    ['actorEmail', 'bea@example.com'],
    ['actorName', 'Bea'],
    ['actorType', 'SYSTEM'],
    ['actorType', 'USER'],
    ['onBehalfOfId', 'auth0|bea'],
    ['onBehalfOfName', 'Bea'],
    ['ipAddress', '10.0.0.1'],
    ['userAgent', 'curl/8'],
    ['tenantId', ELSEWHERE],
    ['repair', true],
    ['origin', 'MODULE'],
    ['id', randomUUID()],
    ['sequence', 1],
    ['createdAt', '2026-01-05T10:00:00Z'],
    ['erasedAt', '2026-01-05T10:00:00Z'],
    ['repaired', ['data']],
  ])('over GraphQL: %s as %j is BAD_USER_INPUT, and nothing is stored', async (field, value) => {
    const before = await stored();
    const { errors } = await byGraphql({ [field]: value });
    expect(errors[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(JSON.stringify(errors)).toContain(field);
    expect(await stored()).toBe(before);
  });

  it.each<[string, unknown]>([
    ['actor_id', 'auth0|bea'],
    ['actor_type', 'SYSTEM'],
    ['on_behalf_of_id', 'auth0|bea'],
    ['on_behalf_of_name', 'Bea'],
    ['tenant_id', ELSEWHERE],
    ['repair', true],
    ['origin', 'MODULE'],
    ['id', randomUUID()],
    ['sequence', 1],
    ['created_at', '2026-01-05T10:00:00Z'],
    ['repaired', ['data']],
  ])('over REST: %s as %j is 422, and nothing is stored', async (field, value) => {
    const before = await stored();
    const { status, body } = await byRest({ [field]: value });
    expect(status).toBe(422);
    expect(JSON.stringify(body.detail)).toContain(field);
    expect(await stored()).toBe(before);
  });

  it('over REST: what the first edition’s clients send of themselves is not believed', async () => {
    const { status, body } = await byRest(
      {
        actor_email: 'bea@example.com',
        actor_name: 'Bea',
        ip_address: '10.0.0.1',
        user_agent: 'forged/1',
      },
      { 'user-agent': 'browser/1' },
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({
      actor_id: ANA,
      actor_email: 'ana@example.com',
      actor_name: 'Ana',
      actor_type: 'USER',
      origin: 'BROWSER',
      ip_address: '127.0.0.1',
      user_agent: 'browser/1',
      tenant_id: TENANT,
    });
  });

  it('no header moves the address, while no proxy is trusted', async () => {
    const forged = '203.0.113.9';
    const headers = {
      'x-forwarded-for': forged,
      'x-real-ip': forged,
      forwarded: `for=${forged}`,
      'cf-connecting-ip': forged,
      'x-client-ip': forged,
    };
    expect((await byGraphql({}, headers)).data.createLog.ipAddress).toBe('127.0.0.1');
    expect((await byRest({}, headers)).body.ip_address).toBe('127.0.0.1');
  });

  it('an idempotency key is the person’s own', async () => {
    const bea = await person({ id: 'auth0|bea', tenants: [TENANT] });
    const key = randomUUID();
    const [mine, hers, again] = [
      await byRest({}, { 'idempotency-key': key }),
      await byRest({ action: 'cart.close' }, { 'idempotency-key': key }, bea),
      await byRest({}, { 'idempotency-key': key }),
    ];
    expect([mine.status, hers.status, again.status]).toEqual([201, 201, 201]);
    expect(hers.body.actor_id).toBe('auth0|bea');
    expect(again.body.id).toBe(mine.body.id);
  });

  it('a client in which no grant is held is FORBIDDEN, one that does not exist as well, a replay too', async () => {
    const id = 'auth0|clara';
    const view = (client: string) => grant(TENANT, `reel.logs.view:CLIENT:${client}`);
    const [one, both] = [
      await person({ id, grants: [view(CLIENT)] }),
      await person({ id, grants: [view(CLIENT), view(OTHER_CLIENT)] }),
    ];
    const key = { 'idempotency-key': randomUUID() };
    expect((await byRest({ client_id: CLIENT }, {}, one)).status).toBe(201);
    expect((await byRest({ client_id: OTHER_CLIENT }, key, both)).status).toBe(201);
    for (const client_id of [OTHER_CLIENT, randomUUID()]) {
      const { status, body } = await byRest({ client_id }, key, one);
      expect([status, body.detail]).toEqual([403, `No grant for client ${client_id}`]);
    }
  });

  it('many at once are modules’', async () => {
    const before = await stored();
    for (const field of ['createLogs', 'writeLogs']) {
      const selection = field === 'createLogs' ? 'id' : 'code';
      const { body } = await reel.graphql(
        ana,
        `mutation ($inputs: [CreateLogInput!]!) { ${field}(inputs: $inputs) { ${selection} } }`,
        { inputs: [said] },
      );
      expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
    }
    expect((await reel.rest(ana, 'POST', '/logs/batch', { entries: [said] })).status).toBe(403);
    expect(await stored()).toBe(before);
  });
});

describe('the name of Reel’s own', () => {
  const ALIKE = [
    ...[
      'reel',
      'REEL',
      'ｒｅｅｌ',
      '𝓻𝓮𝓮𝓵',
      'rееl',
      'гeel',
      'ree1',
      'reeI',
      'ree|',
      'reeӏ',
      'ᏒᎬᎬᏞ',
      'ꮢeel',
      'ꓣꓰꓰꓡ',
      'ʀᴇᴇʟ',
    ],
    ...['réel', 'r\u0335eel', 'reel\u2800', 'reel\u3164', 'r\u034feel', 'reel\ufe0f', 'rₑₑₗ'],
  ];
  const code = (body: { errors?: { extensions: { code: string } }[] }) => body.errors?.[0]?.extensions.code;

  it('and what is taken for it are closed at every way in', async () => {
    const before = await stored();
    const gateway = await moduleToken('*');
    const inputs = ALIKE.map((module) => ({ ...said, module, tenantId: TENANT }));
    const each = await reel.graphql(
      gateway,
      'mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { code } }',
      { inputs },
    );
    expect(each.body.data.writeLogs).toEqual(ALIKE.map(() => ({ code: 'FORBIDDEN' })));
    const batch = await reel.rest(gateway, 'POST', '/logs/batch', {
      entries: ALIKE.map((module) => ({ ...said, module, tenant_id: TENANT })),
    });
    expect(batch.body.results.map(({ status }: { status: number }) => status)).toEqual(ALIKE.map(() => 403));
    for (const module of ['reel', 'гeel', 'reeI', 'reel\u2800']) {
      expect([module, code(await byGraphql({ module }))]).toEqual([module, 'FORBIDDEN']);
      expect([module, (await byRest({ module })).status]).toEqual([module, 403]);
      for (const token of [await moduleToken(module), gateway]) {
        const one = await reel.rest(token, 'POST', '/logs', { ...said, module, tenant_id: TENANT });
        expect([module, one.status]).toEqual([module, 403]);
        const all = await reel.graphql(
          token,
          'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
          { inputs: [{ ...said, module, tenantId: TENANT }] },
        );
        expect([module, code(all.body)]).toEqual([module, 'FORBIDDEN']);
      }
    }
    expect(await stored()).toBe(before);
  });

  it.each<[string, string]>([
    ['a zero-width space', 'guard\u200bian'],
    ['a byte order mark', '\ufeffguardian'],
    ['a soft hyphen', 'guard\u00adian'],
    ['right to left', 'guardian\u202e'],
    ['an isolate', '\u2066guardian\u2069'],
    ['a line separator', 'guard\u2028ian'],
    ['a control character', 'guard\u0007ian'],
    ['a C1 control', 'guard\u0085ian'],
    ['a tag character', 'guardian\u{e0041}'],
    ['a space before', ' guardian'],
    ['a no-break space behind', 'guardian\u00a0'],
    ['an ideographic space behind', 'guardian\u3000'],
  ])('%s is refused in module and action', async (_, name) => {
    for (const field of ['module', 'action']) {
      expect(code(await byGraphql({ [field]: name }))).toBe('BAD_USER_INPUT');
      expect((await byRest({ [field]: name })).status).toBe(422);
    }
  });
});
