import { createSecretKey, randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issueModuleToken, issuePersonToken, tokenVerifier } from '../../src/auth/token.js';

const JWT_SECRET = 'people-'.repeat(6);
const SERVICE_SECRET = 'modules-'.repeat(6);
const NOW = Date.parse('2026-01-05T10:00:00.500Z');
const SECOND = Math.floor(NOW / 1000);
const SUB = '0190a1b2-0000-7000-8000-00000000000a';
const TENANT = '0190a1b2-0000-7000-8000-0000000000f1';
const CLIENT = '0190a1b2-0000-7000-8000-0000000000c1';
const PERSON = { sub: SUB, email: 'ana@example.com', iat: SECOND - 10, exp: SECOND + 100 };

const verify = tokenVerifier(
  { jwtSecrets: [JWT_SECRET], jwksUrl: null, serviceSecrets: [SERVICE_SECRET] },
  () => NOW,
);

const signed = (claims: JWTPayload, secret = JWT_SECRET, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(createSecretKey(Buffer.from(secret)));
const person = async (claims: Record<string, unknown> = {}) => verify(await signed({ ...PERSON, ...claims }));
const refused = { code: 'UNAUTHENTICATED', message: 'Not authenticated' };

describe("a person's token", () => {
  test('gives identity, grants and memberships', async () => {
    const token = await signed({
      ...PERSON,
      sub: SUB.toUpperCase(),
      name: 'Ana',
      grants: [
        { action: 'reel.logs.view', scope: 'CLIENT', tenant_id: TENANT.toUpperCase(), client_id: CLIENT },
        { action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT },
      ],
      tenants: [TENANT],
    });
    expect(await verify(token)).toEqual({
      kind: 'person',
      id: SUB,
      email: 'ana@example.com',
      name: 'Ana',
      grants: [
        { action: 'reel.logs.view', scope: 'CLIENT', tenantId: TENANT, clientId: CLIENT },
        { action: 'reel.logs.view', scope: 'ACCOUNT', tenantId: TENANT, clientId: null },
      ],
      tenants: [{ id: TENANT }],
      token,
      expiresAt: PERSON.exp * 1000,
    });
  });

  test('needs neither name, grants nor tenants', async () => {
    expect(await person({ name: null })).toMatchObject({ name: null, grants: [], tenants: [] });
  });

  test.each<[string, Record<string, unknown>]>([
    ['no exp', { exp: undefined }],
    ['exp as text', { exp: String(SECOND + 100) }],
    ['exp null', { exp: null }],
    ['exp now', { exp: NOW / 1000 }],
    ['exp a second ago: it has no leeway', { exp: SECOND - 1 }],
    ['nbf 62 s ahead', { nbf: SECOND + 62 }],
    ['iat 62 s ahead', { iat: SECOND + 62 }],
    ['iat far ahead', { iat: SECOND + 1e9, exp: SECOND + 2e9 }],
    ['iat as text', { iat: 'today' }],
    ['no sub', { sub: undefined }],
    ['no sub', { sub: '' }],
    ['a sub of 256 characters', { sub: 's'.repeat(256) }],
    ['a sub with a control character', { sub: 'a\nb' }],
    ['sub a number', { sub: 7 }],
    ['email a number', { email: 7 }],
    ['email with NUL', { email: 'a\0b' }],
    ['email of 321 characters', { email: 'e'.repeat(321) }],
    ['name of 256 characters', { name: 'n'.repeat(256) }],
    ['name with half a surrogate pair', { name: '\ud83d' }],
    ['grants no list', { grants: { action: 'reel.logs.view' } }],
    ['tenants no list', { tenants: TENANT }],
  ])('with %s is refused', async (_, claims) => {
    await expect(person(claims)).rejects.toMatchObject(refused);
  });

  test.each<[string, Record<string, unknown>]>([
    ['nbf 60 s ahead', { nbf: SECOND + 60 }],
    ['iat 60 s ahead', { iat: SECOND + 60 }],
    ['exp in half a second', { exp: SECOND + 1 }],
  ])('with %s is taken', async (_, claims) => {
    expect(await person(claims)).toMatchObject({ kind: 'person' });
  });

  test('leaves out grants and tenants of a wrong shape', async () => {
    const fine = { action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null };
    const grants = [
      null,
      'all',
      [],
      {},
      { ...fine, action: '' },
      { ...fine, action: ['reel.logs.view'] },
      { ...fine, scope: 'account' },
      { ...fine, scope: 'EVERYTHING' },
      { ...fine, tenant_id: '*' },
      { ...fine, tenant_id: null },
      { ...fine, scope: 'CLIENT', client_id: '*' },
      fine,
    ];
    expect(await person({ grants, tenants: [null, '*', 7, TENANT] })).toMatchObject({
      grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenantId: TENANT, clientId: null }],
      tenants: [{ id: TENANT }],
    });
  });
});

describe('issuer and audience', () => {
  const keys = { jwtSecrets: [JWT_SECRET], jwksUrl: null, serviceSecrets: [SERVICE_SECRET] };
  const strict = tokenVerifier({ ...keys, jwtIssuer: 'https://guardian', jwtAudience: 'reel' }, () => NOW);
  const ours = { ...PERSON, iss: 'https://guardian', aud: 'reel' };

  test.each<[string, JWTPayload]>([
    ['ours', ours],
    ['a list that holds it', { ...ours, aud: ['billing', 'reel'] }],
  ])('%s is taken', async (_, claims) => {
    expect(await strict(await signed(claims))).toMatchObject({ id: SUB });
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      'another issuer',
      { iss: 'https://guardian/' },
      'claim iss: expected "https://guardian", got "https://guardian/"',
    ],
    ['no issuer', { iss: undefined }, 'claim iss: expected "https://guardian", got undefined'],
    ['a list of issuers', { iss: ['https://guardian'] }, 'claim iss'],
    ['a token for another service', { aud: 'billing' }, 'claim aud: expected "reel", got "billing"'],
    ['a list without it', { aud: ['billing', 'reel2'] }, 'claim aud'],
    ['no audience', { aud: undefined }, 'claim aud'],
    ['an empty list', { aud: [] }, 'claim aud'],
    ['a list in a list', { aud: [['reel']] }, 'claim aud'],
    ['an audience that contains it', { aud: 'reel-staging' }, 'claim aud'],
  ])('%s is refused, and the log is told why', async (_, changed, why) => {
    await expect(strict(await signed({ ...ours, ...changed } as JWTPayload))).rejects.toMatchObject({
      ...refused,
      why: expect.stringContaining(why),
    });
  });

  test('each is asked alone where it alone is set', async () => {
    const byIssuer = tokenVerifier({ ...keys, jwtIssuer: 'i' }, () => NOW);
    expect(await byIssuer(await signed({ ...PERSON, iss: 'i', aud: 'other' }))).toMatchObject({ id: SUB });
    await expect(byIssuer(await signed({ ...PERSON, aud: 'reel' }))).rejects.toMatchObject(refused);
    const byAudience = tokenVerifier({ ...keys, jwtAudience: 'a' }, () => NOW);
    expect(await byAudience(await signed({ ...PERSON, aud: 'a' }))).toMatchObject({ id: SUB });
    await expect(byAudience(await signed({ ...PERSON, iss: 'i' }))).rejects.toMatchObject(refused);
  });

  test("a module's credential needs neither", async () => {
    const token = await signed({ module: 'guardian', exp: PERSON.exp }, SERVICE_SECRET);
    expect(await strict(token)).toMatchObject({ module: 'guardian' });
  });

  test('stand in what is issued here', async () => {
    const claims = { jwtIssuer: 'https://guardian', jwtAudience: 'reel' };
    const verifyNow = tokenVerifier({ ...keys, ...claims });
    const who = { id: SUB, email: 'ana@example.com' };
    expect(await verifyNow(await issuePersonToken(JWT_SECRET, who, claims))).toMatchObject({ id: SUB });
    await expect(verifyNow(await issuePersonToken(JWT_SECRET, who))).rejects.toMatchObject(refused);
  });
});

describe('while a secret is being changed', () => {
  const [next, last] = ['next-'.repeat(8), 'last-'.repeat(8)];
  const rotating = tokenVerifier(
    { jwtSecrets: [next, JWT_SECRET], jwksUrl: null, serviceSecrets: [last, SERVICE_SECRET] },
    () => NOW,
  );

  test('all are accepted, each for its own kind', async () => {
    for (const secret of [next, JWT_SECRET])
      expect(await rotating(await signed({ ...PERSON, module: '*' }, secret))).toMatchObject({
        kind: 'person',
      });
    for (const secret of [last, SERVICE_SECRET])
      expect(await rotating(await signed({ ...PERSON, module: '*' }, secret))).toMatchObject({
        kind: 'module',
      });
    await expect(rotating(await signed(PERSON, 'gone-'.repeat(8)))).rejects.toMatchObject(refused);
  });

  test('a claim at fault is refused under each', async () => {
    for (const secret of [next, JWT_SECRET, last, SERVICE_SECRET])
      await expect(
        rotating(await signed({ ...PERSON, module: '*', exp: SECOND - 1 }, secret)),
      ).rejects.toMatchObject({ ...refused, why: 'claim exp: in the past' });
  });
});

test.each<[string, () => string | Promise<string>, string]>([
  [
    'another key',
    () => signed(PERSON, 'x'.repeat(40)),
    'signature: of none of the accepted keys and algorithms',
  ],
  ['another algorithm', () => signed(PERSON, JWT_SECRET.repeat(2), 'HS512'), 'signature: of none'],
  ['no token', () => 'abc', 'token: ERR_JWS_INVALID'],
  ['no end', () => signed({ ...PERSON, exp: undefined }), 'claim exp: missing'],
  [
    'an end that is text',
    () => signed({ ...PERSON, exp: 'soon' as never }),
    'claim exp: malformed or missing',
  ],
  ['an issue ahead', () => signed({ ...PERSON, iat: SECOND + 90 }), 'claim iat: in the future'],
  ['a beginning ahead', () => signed({ ...PERSON, nbf: SECOND + 90 }), 'claim nbf: out of its time'],
  [
    'claims of the wrong shape',
    () => signed({ ...PERSON, sub: '', email: 7 }),
    'claims sub, email: malformed or missing',
  ],
])('why a token with %s is refused is for the log, and does not hold the token', async (_, make, why) => {
  const token = await make();
  const error = await verify(token).catch((thrown: { why: string; message: string }) => thrown);
  expect(error).toMatchObject({ ...refused, why: expect.stringContaining(why) });
  for (const part of token.split('.').filter((each) => each.length > 5))
    expect((error as { why: string }).why).not.toContain(part);
});

describe("a module's credential", () => {
  const claims = { module: 'guardian', exp: SECOND + 100 };

  test('names the module', async () => {
    expect(await verify(await signed(claims, SERVICE_SECRET))).toEqual({
      kind: 'module',
      module: 'guardian',
      expiresAt: claims.exp * 1000,
    });
    expect(await verify(await signed({ ...claims, module: '*' }, SERVICE_SECRET))).toMatchObject({
      module: '*',
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['no module', { module: undefined }],
    ['an empty module', { module: '' }],
    ['a list of modules', { module: ['guardian'] }],
    ['a control character', { module: 'a\nb' }],
    ['101 characters', { module: 'm'.repeat(101) }],
    ['no exp', { exp: undefined }],
    ['exp past', { exp: SECOND }],
    ['iat ahead', { iat: SECOND + 62 }],
  ])('with %s is refused', async (_, changed) => {
    await expect(verify(await signed({ ...claims, ...changed }, SERVICE_SECRET))).rejects.toMatchObject(
      refused,
    );
  });
});

describe('the kind is told by the key', () => {
  test('claims of the other kind do not change it', async () => {
    const both = { ...PERSON, module: '*' };
    expect(await verify(await signed(both))).toMatchObject({ kind: 'person', id: SUB });
    expect(await verify(await signed(both, SERVICE_SECRET))).toMatchObject({ kind: 'module', module: '*' });
  });

  test('claims of the other kind alone are refused', async () => {
    await expect(verify(await signed({ module: '*', exp: PERSON.exp }))).rejects.toMatchObject(refused);
    await expect(verify(await signed(PERSON, SERVICE_SECRET))).rejects.toMatchObject(refused);
  });
});

describe('signatures', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  test.each([
    ['alg none', `${part({ alg: 'none' })}.${part(PERSON)}.`],
    ['alg None', `${part({ alg: 'None' })}.${part(PERSON)}.`],
    ['no alg', `${part({ typ: 'JWT' })}.${part(PERSON)}.AAAA`],
    ['HS256 without signature', `${part({ alg: 'HS256' })}.${part(PERSON)}.`],
    ['no token', 'abc'],
    ['nothing', ''],
    ['dots', '..'],
  ])('%s is refused', async (_, token) => {
    await expect(verify(token)).rejects.toMatchObject(refused);
  });

  test.each(['HS384', 'HS512'])('%s is refused, though the secret is right', async (alg) => {
    await expect(verify(await signed(PERSON, JWT_SECRET.repeat(2), alg))).rejects.toMatchObject(refused);
    const long = tokenVerifier(
      { jwtSecrets: [JWT_SECRET.repeat(2)], jwksUrl: null, serviceSecrets: [SERVICE_SECRET] },
      () => NOW,
    );
    await expect(long(await signed(PERSON, JWT_SECRET.repeat(2), alg))).rejects.toMatchObject(refused);
  });

  test('a key that the token brings or names decides nothing', async () => {
    const mine = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(mine.publicKey);
    for (const brought of [
      { jwk },
      { jku: 'https://elsewhere.example/jwks' },
      { x5u: 'https://elsewhere.example' },
    ]) {
      const token = await new SignJWT(PERSON)
        .setProtectedHeader({ alg: 'ES256', ...brought })
        .sign(mine.privateKey);
      await expect(verify(token)).rejects.toMatchObject(refused);
    }
  });

  test('another secret, changed claims and an unknown crit are refused', async () => {
    await expect(verify(await signed(PERSON, 'x'.repeat(40)))).rejects.toMatchObject(refused);
    const [header, , signature] = (await signed(PERSON)).split('.');
    const forged = `${header}.${part({ ...PERSON, sub: randomUUID() })}.${signature}`;
    await expect(verify(forged)).rejects.toMatchObject(refused);
    const critical = await new SignJWT(PERSON)
      .setProtectedHeader({ alg: 'HS256', crit: ['x'], x: 1 })
      .sign(createSecretKey(Buffer.from(JWT_SECRET)), { crit: { x: true } });
    await expect(verify(critical)).rejects.toMatchObject(refused);
  });

  test('without a service secret no module is known', async () => {
    const alone = tokenVerifier({ jwtSecrets: [JWT_SECRET], jwksUrl: null, serviceSecrets: [] }, () => NOW);
    const token = await signed({ module: 'guardian', exp: PERSON.exp }, SERVICE_SECRET);
    await expect(alone(token)).rejects.toMatchObject(refused);
  });
});

describe('a key set', () => {
  let answer: RequestListener = () => {};
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });
  let url = '';
  const keys = new Map<string, CryptoKey>();
  let set: { keys: JWK[] };
  let rsaPem = '';

  beforeAll(async () => {
    const made: JWK[] = [];
    for (const [name, alg] of [
      ['rsa', 'RS256'],
      ['rsa2', 'RS256'],
      ['ec', 'ES256'],
      ['ed', 'EdDSA'],
    ] as const) {
      const pair = await generateKeyPair(alg, { extractable: true });
      keys.set(name, pair.privateKey);
      made.push({ ...(await exportJWK(pair.publicKey)), kid: name });
      if (name === 'rsa') rsaPem = await exportSPKI(pair.publicKey);
    }
    set = { keys: made };
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const fresh = (listener: RequestListener = (_, response) => response.end(JSON.stringify(set))) => {
    answer = listener;
    asked = 0;
    return tokenVerifier(
      { jwtSecrets: [JWT_SECRET], jwksUrl: url, serviceSecrets: [SERVICE_SECRET] },
      () => NOW,
    );
  };
  test('asks its tokens for issuer and audience', async () => {
    fresh();
    const verifySet = tokenVerifier(
      {
        jwtSecrets: [],
        jwksUrl: url,
        serviceSecrets: [SERVICE_SECRET],
        jwtIssuer: 'https://guardian',
        jwtAudience: 'reel',
      },
      () => NOW,
    );
    const ours = { ...PERSON, iss: 'https://guardian', aud: ['reel', 'billing'] };
    for (const [name, alg] of [
      ['rsa', 'RS256'],
      ['ec', 'ES256'],
      ['ed', 'EdDSA'],
    ] as const) {
      expect(await verifySet(await by(name, alg, name, ours))).toMatchObject({ id: SUB });
      for (const changed of [
        { iss: 'https://elsewhere' },
        { aud: 'billing' },
        { iss: undefined },
        { aud: undefined },
      ])
        await expect(verifySet(await by(name, alg, name, { ...ours, ...changed }))).rejects.toMatchObject(
          refused,
        );
    }
  });

  const by = (name: string, alg: string, kid: string | undefined = name, claims: JWTPayload = PERSON) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(keys.get(name)!);

  test('verifies RS256, ES256 and EdDSA, asked once', async () => {
    const verifySet = fresh();
    for (const [name, alg] of [
      ['rsa', 'RS256'],
      ['ec', 'ES256'],
      ['ed', 'EdDSA'],
    ] as const)
      expect(await verifySet(await by(name, alg))).toMatchObject({ kind: 'person', id: SUB });
    expect(asked).toBe(1);
  });

  test('finds the key among several where the token names none', async () => {
    const verifySet = fresh();
    const token = await new SignJWT(PERSON).setProtectedHeader({ alg: 'RS256' }).sign(keys.get('rsa2')!);
    expect(await verifySet(token)).toMatchObject({ id: SUB });
  });

  test('knows modules by the service secret still, and the secret of persons no more', async () => {
    const verifySet = fresh();
    const module = await signed({ module: 'guardian', exp: PERSON.exp }, SERVICE_SECRET);
    expect(await verifySet(module)).toMatchObject({ kind: 'module' });
    await expect(verifySet(await signed(PERSON))).rejects.toMatchObject(refused);
    expect(asked).toBe(0);
  });

  test('a public key is no HMAC secret', async () => {
    await expect(fresh()(await signed(PERSON, rsaPem))).rejects.toMatchObject(refused);
  });

  test('a key that was added is found at once, and one that was taken away is gone with the set that had it', async () => {
    const verifySet = fresh((_, response) => response.end(JSON.stringify({ keys: set.keys.slice(1) })));
    expect(await verifySet(await by('ec', 'ES256'))).toMatchObject({ id: SUB });
    await expect(verifySet(await by('rsa', 'RS256'))).rejects.toMatchObject(refused);
    answer = (_, response) => response.end(JSON.stringify({ keys: set.keys.slice(0, 2) }));
    const added = await by('rsa', 'RS256');
    await expect.poll(() => verifySet(added).catch(() => null)).toMatchObject({ id: SUB });
    await expect(
      verifySet(await by('ec', 'ES256', 'ec', { ...PERSON, name: 'again' })),
    ).rejects.toMatchObject(refused);
  });

  test('its claims are held to the same rules', async () => {
    const verifySet = fresh();
    for (const changed of [{ exp: undefined }, { exp: SECOND }, { iat: SECOND + 62 }, { sub: '' }])
      await expect(verifySet(await by('ec', 'ES256', 'ec', { ...PERSON, ...changed }))).rejects.toMatchObject(
        refused,
      );
  });

  test('PS256, a foreign key and an unknown kid are refused', async () => {
    const verifySet = fresh();
    const pss = await generateKeyPair('PS256', { extractable: true });
    const token = await new SignJWT(PERSON)
      .setProtectedHeader({ alg: 'PS256', kid: 'rsa' })
      .sign(pss.privateKey);
    await expect(verifySet(token)).rejects.toMatchObject(refused);
    await expect(verifySet(await by('rsa2', 'RS256', 'rsa'))).rejects.toMatchObject(refused);
    await expect(verifySet(await by('rsa', 'RS256', 'gone'))).rejects.toMatchObject(refused);
  });

  test.each<[string, RequestListener]>([
    ['answers 500', (_, response) => response.writeHead(500).end()],
    [
      'redirects to a good one',
      (request, response) =>
        request.url === '/elsewhere'
          ? response.end(JSON.stringify(set))
          : response.writeHead(302, { location: '/elsewhere' }).end(),
    ],
    ['answers no JSON', (_, response) => response.end('<html>')],
    ['answers no key set', (_, response) => response.end('{"keys":null}')],
    ['answers too much', (_, response) => response.end(`{"keys":[],"x":"${'x'.repeat(1_100_000)}"}`)],
    ['breaks off', (request) => request.socket.destroy()],
    ['never answers', () => {}],
    [
      'answers drop by drop',
      (request, response) => {
        const drop = setInterval(() => response.write(' '), 50);
        request.once('close', () => clearInterval(drop));
      },
    ],
    [
      'has something else in the place of the key',
      (_, response) => response.end('{"keys":[{"kty":"RSA","kid":"rsa","e":"AQAB"}]}'),
    ],
  ])('that %s: UNAVAILABLE, never open', async (_, listener) => {
    await expect(fresh(listener)(await by('rsa', 'RS256'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfter: expect.any(Number),
    });
  });
});

describe('issued tokens', () => {
  const verifyNow = tokenVerifier({
    jwtSecrets: [JWT_SECRET],
    jwksUrl: null,
    serviceSecrets: [SERVICE_SECRET],
  });

  test('are read back as they were meant', async () => {
    const grant = {
      action: 'reel.logs.export',
      scope: 'CLIENT',
      tenantId: TENANT,
      clientId: CLIENT,
    } as const;
    const token = await issuePersonToken(JWT_SECRET, {
      id: SUB,
      email: 'ana@example.com',
      name: 'Ana',
      grants: [grant],
      tenants: [TENANT],
    });
    expect(await verifyNow(token)).toMatchObject({
      id: SUB,
      name: 'Ana',
      grants: [grant],
      tenants: [{ id: TENANT }],
    });
    expect(await verifyNow(await issueModuleToken(SERVICE_SECRET, '*'))).toMatchObject({ module: '*' });
  });

  test('end when they are meant to', async () => {
    await expect(verifyNow(await issueModuleToken(SERVICE_SECRET, '*', 0))).rejects.toMatchObject(refused);
    const bare = await issuePersonToken(JWT_SECRET, { id: SUB, email: 'ana@example.com', minutes: 1 });
    const { expiresAt } = await verifyNow(bare);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(60_000);
  });
});

test('a token that was verified ends when it says, also where it is remembered', async () => {
  const secret = 'j'.repeat(32);
  let now = Date.now();
  const verify = tokenVerifier({ jwtSecrets: [secret], jwksUrl: null, serviceSecrets: [] }, () => now);
  const token = await issuePersonToken(secret, { id: randomUUID(), email: 'ana@example.com', minutes: 1 });
  const first = await verify(token);
  now += 10_000;
  expect(await verify(token)).toBe(first);
  // Another signature under the same claims is another token.
  await expect(verify(`${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`)).rejects.toThrow();
  now += 51_000;
  await expect(verify(token)).rejects.toThrow('Not authenticated');
});
