import { createSecretKey, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { type JWTPayload, SignJWT } from 'jose';
import { expect } from 'vitest';
import { type ApiResponse, JWT_SECRET, moduleToken, person, type TestReel } from './reel.js';

export const TENANT = randomUUID();
export const ELSEWHERE = randomUUID();
export const [FIRST, SECOND, THIRD] = [randomUUID(), randomUUID(), randomUUID()] as const;

export async function report(at: TestReel, more: object): Promise<ApiResponse['body']> {
  const body = { module: 'guardian', action: 'users.login', tenant_id: TENANT, ...more };
  const made = await at.rest(await moduleToken(), 'POST', '/logs', body);
  expect(made.status).toBe(201);
  return made.body;
}

export const LIST = '{ logs { nodes { clientId tenantId } } }';
export const CREATE =
  'mutation ($input: CreateLogInput!) { createLog(input: $input) { id origin clientId } }';
export const ENTRY = { module: 'guardian', action: 'users.login' };

/** The REST status of a call that both APIs offer; GraphQL's code must agree with it. */
export async function status(
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
    for (const response of [rest, graphql]) {
      expect(response.status).toBe(rest.status);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
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

export const now = () => Math.floor(Date.now() / 1000);
export const sign = (claims: JWTPayload, secret = JWT_SECRET, alg = 'HS256') =>
  new SignJWT(claims)
    .setProtectedHeader({ alg })
    .sign(createSecretKey(Buffer.from(secret.repeat(2).slice(0, alg === 'HS256' ? secret.length : 86))));
export const CLAIMS = {
  sub: randomUUID(),
  email: 'ana@example.com',
  exp: now() + 600,
  iat: now(),
  grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null }],
};
export const { exp: _exp, ...ENDLESS } = CLAIMS;
export const unsigned = (claims: object) =>
  `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;

export async function entryWith(at: TestReel, headers: Record<string, string>): Promise<ApiResponse['body']> {
  const made = await at.rest(await person({ tenants: [TENANT] }), 'POST', '/logs', ENTRY, headers);
  expect(made.status).toBe(201);
  return made.body;
}

/** The status of a request that no client would send; `lines`: the request line and headers as sent. */
export function rawStatus(at: TestReel, lines: string[]): Promise<number> {
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
