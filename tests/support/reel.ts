import { randomBytes, randomUUID } from 'node:crypto';
import type { Grant } from '../../src/auth/grant.js';
import { withDevelopmentSecrets } from '../../src/auth/secrets.js';
import { issueModuleToken, issuePersonToken, type PersonToken } from '../../src/auth/token.js';
import { readConfig } from '../../src/config/config.js';
import { createReelServer } from '../../src/server.js';
import { createDatabase, type TestDatabase } from './postgres.js';

export const JWT_SECRET = randomBytes(32).toString('base64url');
export const SERVICE_SECRET = randomBytes(32).toString('base64url');

export interface ApiResponse {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests access the body by name.
  body: any;
}

export interface TestReel {
  url: string;
  own: TestDatabase;
  /** POST /graphql; `headers` may name X-Tenant-Id and the like. */
  graphql(
    token: string | null,
    query: string,
    variables?: object,
    headers?: Record<string, string>,
  ): Promise<ApiResponse>;
  /** A call under /api/v1/reel. */
  rest(
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<ApiResponse>;
  close(): Promise<void>;
}

/** The real server on a real database, which is dropped when it closes: an empty one, or `given`; settings as environment variables. */
export async function startReel(
  settings: Record<string, string> = {},
  given?: TestDatabase,
  options: Parameters<typeof createReelServer>[1] = {},
): Promise<TestReel> {
  const own = given ?? (await createDatabase());
  const config = readConfig({
    REEL_PORT: '0',
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    ...settings,
  });
  const server = await createReelServer(await withDevelopmentSecrets(config), options);
  const call = async (
    token: string | null,
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ) => {
    const response = await fetch(server.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  };
  return {
    url: server.url,
    own,
    graphql: (token, query, variables, headers = {}) =>
      call(token, 'POST', '/graphql', { query, variables }, headers),
    rest: (token, method, path, body, headers = {}) =>
      call(token, method, `/api/v1/reel${path}`, body, headers),
    close: async () => {
      await server.close();
      await own.drop();
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A grant as `reel.logs.view:ACCOUNT` or `reel.logs.export:CLIENT:<client id>` in a tenant. */
export function grant(tenantId: string, text: string): Grant {
  const [action = '', scope, clientId = null] = text.split(':');
  return { action, scope: scope as Grant['scope'], tenantId, clientId };
}

export const person = (more: Partial<PersonToken> = {}): Promise<string> =>
  issuePersonToken(JWT_SECRET, { id: randomUUID(), email: 'ana@example.com', ...more });

/** Someone who views a whole tenant. */
export const viewer = (tenantId: string) => person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] });

export const moduleToken = (name = '*'): Promise<string> => issueModuleToken(SERVICE_SECRET, name);
