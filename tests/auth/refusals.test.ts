import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { issuePersonToken } from '../../src/auth/token.js';
import { readConfig } from '../../src/config/config.js';
import { router } from '../../src/router.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { grant, JWT_SECRET, SERVICE_SECRET } from '../support/reel.js';

const TENANT = randomUUID();
const CLIENT = randomUUID();
const CLAIMS = { jwtIssuer: 'https://guardian.example', jwtAudience: 'reel' };

let own: TestDatabase;
let app: FastifyInstance;
let lines: string[] = [];
beforeAll(async () => {
  own = await createDatabase();
  app = Fastify({ logger: { level: 'trace', stream: { write: (line: string) => void lines.push(line) } } });
  const config = readConfig({
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: `${'n'.repeat(40)},${JWT_SECRET}`,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_JWT_ISSUER: CLAIMS.jwtIssuer,
    REEL_JWT_AUDIENCE: CLAIMS.jwtAudience,
  });
  await app.register(router, { config });
  await app.ready();
});
afterAll(async () => {
  await app?.close();
  await own?.drop();
});
beforeEach(() => {
  lines = [];
});

const who = {
  id: 'auth0|ana',
  email: 'ana@example.com',
  grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
};
const refusals = () =>
  lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'a credential was refused');

it.each<[string, () => Promise<string>, string]>([
  [
    'a token for another service',
    () => issuePersonToken(JWT_SECRET, who, { ...CLAIMS, jwtAudience: 'billing' }),
    'claim aud: expected "reel", got "billing"',
  ],
  [
    'an issuer that would write into the log',
    () => issuePersonToken(JWT_SECRET, who, { ...CLAIMS, jwtIssuer: 'x"}\n{"level":60' }),
    'claim iss: expected "https://guardian.example", got "x\\"}\\n{\\"level\\":60"',
  ],
  [
    'another secret',
    () => issuePersonToken('x'.repeat(40), who, CLAIMS),
    'signature: of none of the accepted keys and algorithms',
  ],
])('why %s was refused stands in the log with the request’s id, and nowhere else', async (_, make, why) => {
  const token = await make();
  const [rest, graphql] = [
    await app.inject({ url: '/api/v1/reel/logs', headers: { authorization: `Bearer ${token}` } }),
    await app.inject({
      method: 'POST',
      url: '/graphql',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      payload: { query: '{ logs { nodes { id } } }' },
    }),
  ];
  expect([rest.statusCode, rest.body]).toEqual([401, '{"detail":"Not authenticated"}']);
  expect(graphql.statusCode).toBe(401);
  expect(graphql.json().errors).toMatchObject([
    { message: 'Not authenticated', extensions: { code: 'UNAUTHENTICATED' } },
  ]);
  expect(rest.body + graphql.body).not.toContain('claim');
  expect(refusals()).toMatchObject(
    [rest, graphql].map(({ headers }) => ({ level: 40, why, reqId: headers['x-request-id'] })),
  );
  for (const line of lines) expect(line).not.toContain(token.split('.')[2]!);
});

it('a header at fault is told without what stood in it', async () => {
  for (const authorization of ['Basic c2VjcmV0OnNlY3JldA==', 'Bearer c2VjcmV0 c2VjcmV0'])
    expect((await app.inject({ url: '/api/v1/reel/logs', headers: { authorization } })).statusCode).toBe(401);
  expect(refusals().map(({ why }) => why)).toEqual(Array(2).fill('Authorization: no bearer token'));
  expect(lines.join('')).not.toContain('c2VjcmV0');
});

it('TRACE shows nobody what they sent', async () => {
  const sent = { authorization: 'Bearer c2VjcmV0', 'x-sent': 'c2VjcmV0' };
  for (const url of ['/', '/graphql', '/api/v1/reel/logs']) {
    const { statusCode, body } = await app.inject({ method: 'TRACE' as 'GET', url, headers: sent });
    expect(statusCode).toBeGreaterThanOrEqual(400);
    expect(body).not.toContain('c2VjcmV0');
  }
});

it('neither a token nor what a link carries is in any line, in a host’s own log neither', async () => {
  const token = await issuePersonToken(JWT_SECRET, who, CLAIMS);
  const headers = { authorization: `Bearer ${token}` };
  const made = await app.inject({ method: 'POST', url: '/api/v1/reel/logs/export', headers, payload: {} });
  const url = made.json().download_url as string;
  const secret = new URL(url, 'http://reel').searchParams.get('token')!;
  for (const each of [url, `${url}x`, url.replace('.csv', '.json'), `${url}&token=${secret}`])
    await app.inject({ url: each });
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines)
    for (const part of [...token.split('.'), ...secret.split('.')].slice(1)) expect(line).not.toContain(part);
});
