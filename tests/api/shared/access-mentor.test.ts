import { type IncomingMessage, type ServerResponse } from 'node:http';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  CLAIMS,
  ELSEWHERE,
  ENDLESS,
  FIRST,
  now,
  report,
  sign,
  status,
  TENANT,
  unsigned,
} from '../../support/access.js';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';
import { json, startStubServer } from '../../support/stub-server.js';

describe('Mentor over HTTP', () => {
  let mentor: Awaited<ReturnType<typeof startStubServer>>;
  let asking: TestReel;
  const VIEWS = { action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null };
  const here = { 'x-tenant-id': TENANT };
  beforeAll(async () => {
    mentor = await startStubServer();
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
    mentor.respondWith(json({ grants: [VIEWS] }));
    // What the token claims does not count here.
    const token = await person({
      grants: [grant(ELSEWHERE, 'reel.logs.view:ACCOUNT')],
      tenants: [ELSEWHERE],
    });
    for (let at = 0; at < 3; at++) expect(await status(asking, token, 'view', here)).toBe(200);
    expect(mentor.seen).toEqual([
      { url: `/grants?of=reel&tenant_id=${TENANT}`, authorization: `Bearer ${token}` },
    ]);
    mentor.respondWith(json({ grants: [] }));
    expect(await status(asking, token, 'view', { 'x-tenant-id': ELSEWHERE })).toBe(403);
    expect(await status(asking, await person(), 'view', here)).toBe(403);
  });

  it('is asked once by calls that come together', async () => {
    mentor.respondWith((request, response) =>
      setTimeout(() => json({ grants: [VIEWS] })(request, response), 100),
    );
    const token = await person();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => asking.rest(token, 'GET', '/logs', undefined, here)),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(200));
    expect(mentor.seen).toHaveLength(1);
  });

  it('always needs the tenant to be named', async () => {
    mentor.respondWith(json({ grants: [VIEWS], member: true }));
    const token = await person({ tenants: [TENANT] });
    expect(await status(asking, token, 'view')).toBe(422);
    expect(await status(asking, token, 'create')).toBe(422);
    expect(mentor.seen).toEqual([]);
  });

  it('says who is a member', async () => {
    mentor.respondWith(json({ grants: [], member: true }));
    const member = await person();
    expect(await status(asking, member, 'create', here)).toBe(201);
    expect(await status(asking, member, 'view', here)).toBe(403);
    mentor.respondWith(json({ grants: [], member: false }));
    expect(await status(asking, await person(), 'create', here)).toBe(403);
  });

  it("does not let another tenant's grants count", async () => {
    mentor.respondWith(json({ grants: [{ ...VIEWS, tenant_id: ELSEWHERE }] }));
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
    mentor.respondWith(as);
    const token = await person({ grants: [grant(TENANT, 'reel.logs.view:ACCOUNT')] });
    expect(await status(asking, token, 'view', here)).toBe(expected);
    expect(await status(asking, token, 'create', here)).toBe(expected);
    if (expected !== 503) return;
    // A failure is not kept.
    mentor.respondWith(json({ grants: [VIEWS] }));
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
        mentor.respondWith(json(JSON.stringify(answer)));
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
      mentor.respondWith(as);
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
  let keys: Awaited<ReturnType<typeof startStubServer>>;
  let behind: TestReel;
  const pairs = {
    RS256: generateKeyPair('RS256'),
    ES256: generateKeyPair('ES256'),
    EdDSA: generateKeyPair('EdDSA'),
  };
  const signed = async (alg: string, key: CryptoKey, kid: string = alg, claims: JWTPayload = CLAIMS) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
  beforeAll(async () => {
    keys = await startStubServer();
    const set = await Promise.all(
      Object.entries(pairs).map(async ([alg, pair]) => ({
        ...(await exportJWK((await pair).publicKey)),
        kid: alg,
        alg,
        use: 'sig',
      })),
    );
    keys.respondWith(json({ keys: set }));
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
    const other = await startStubServer();
    other.respondWith(as);
    const blind = await startReel({ REEL_JWT_SECRET: '', REEL_JWKS_URL: `${other.url}/jwks` });
    try {
      const token = await signed('RS256', (await pairs.RS256).privateKey);
      expect(await status(blind, token, 'view')).toBe(503);
      const stream = await blind.graphql(
        token,
        'subscription { logAdded { id } }',
        {},
        { accept: 'text/event-stream' },
      );
      expect([stream.status, stream.headers.get('retry-after')]).toEqual([
        503,
        expect.stringMatching(/^[1-9]/),
      ]);
    } finally {
      await blind.close();
      other.server.closeAllConnections();
      other.server.close();
    }
  });
});
