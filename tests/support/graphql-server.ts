import { ActorType } from '../../src/log/entry/actor-type.js';
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { pino } from 'pino';
import type { Caller } from '../../src/auth/caller.js';
import type { Author, Scope } from '../../src/auth/scope.js';
import { ReelError, unauthenticated } from '../../src/errors.js';
import { type GraphqlOptions, graphqlRoutes } from '../../src/graphql/routes.js';
import type { Services } from '../../src/graphql/services.js';
import { headerValues } from '../../src/http/incoming-call.js';
import { parseJson } from '../../src/http/json.js';
import { CountPrecision } from '../../src/log/counts/log-count.js';
import type { LogEntry } from '../../src/log/entry/log-entry.entity.js';

export const TENANT = '6f2b4c0e-0000-4000-8000-000000000001';
const MODULE_AUTHOR: Author & { kind: 'module' } = {
  kind: 'module',
  module: 'guardian',
  ip: null,
  agent: null,
};

export const entry = (overrides: Partial<LogEntry> = {}): LogEntry =>
  ({
    id: randomUUID(),
    module: 'guardian',
    action: 'users.login',
    severity: 'INFO',
    origin: 'MODULE',
    actorId: null,
    actorEmail: null,
    actorName: null,
    onBehalfOfId: null,
    actorType: ActorType.USER,
    onBehalfOfName: null,
    resourceName: null,
    outcome: null,
    repaired: [],
    tenantId: TENANT,
    clientId: null,
    resourceType: null,
    resourceId: null,
    data: null,
    ipAddress: null,
    userAgent: null,
    requestId: null,
    occurredAt: '2026-01-05T10:00:00.123456Z',
    createdAt: '2026-01-05T10:00:00.123456Z',
    sequence: null,
    erasedAt: null,
    ...overrides,
  }) as LogEntry;

export const NOBODY: Caller = {
  credential: null,
  tenantId: null,
  clientId: null,
  ip: null,
  agent: null,
  requestId: randomUUID(),
  authorization: null,
};

const noStream = async () => {
  throw new ReelError('NOT_FOUND', 'No stream');
};
const NO_STREAMS: Services['streams'] = {
  list: async () => [],
  get: async () => null,
  create: noStream,
  update: noStream,
  pause: noStream,
  resume: noStream,
  replay: noStream,
  test: noStream,
  retryParked: noStream,
  parked: noStream,
  remove: noStream,
};

const noView = async () => {
  throw new ReelError('NOT_FOUND', 'No view');
};

/** Services without a database. The Authorization header is the kind of credential: `viewer`, `module`, or an invalid one. */
export function fakeServices(overrides: Partial<Services> = {}): Services {
  const kind = ({ authorization }: Caller) => {
    if (authorization === null) throw unauthenticated();
    return authorization;
  };
  const scope: Scope = { tenantId: TENANT, clients: null };
  const require = async (caller: Caller, action: string, scopes: readonly string[]) => {
    if (kind(caller) !== 'viewer' || !scopes.includes('ACCOUNT'))
      throw new ReelError('FORBIDDEN', `Missing action ${action}`, { extensions: { action } });
    return scope;
  };
  return {
    report: () => randomUUID(),
    audit: { viewed: async () => {} },
    streams: NO_STREAMS,
    views: { list: async () => [], save: noView, remove: noView },
    actions: { list: async () => [], register: async () => [] },
    authorizer: {
      require,
      viewScope: async (caller) => (kind(caller) === 'viewer' ? scope : null),
      exportScope: async () => scope,
      author: async (caller) => {
        kind(caller);
        return MODULE_AUTHOR;
      },
      countBytes: async () => {},
      countViewChange: async () => {},
      authenticated: (caller) => ({
        kind: 'module',
        module: kind(caller),
        expiresAt: Number.POSITIVE_INFINITY,
      }),
      standings: async () => [],
      internal: (caller) => {
        if (kind(caller) !== 'module') throw new ReelError('FORBIDDEN', 'This needs a module');
        return MODULE_AUTHOR;
      },
    },
    reel: {
      create: async (_author, input) => entry({ ...(input as Partial<LogEntry>), requestId: randomUUID() }),
      createMany: async (_author, inputs) => inputs.map((input) => entry(input as Partial<LogEntry>)),
      writeEach: async (_author, inputs) =>
        inputs.map((input) => ({ entry: entry(input as Partial<LogEntry>), replayed: false })),
    },
    reader: {
      list: async () => ({ entries: [entry()], hasNextPage: false, hasPreviousPage: false, stopped: null }),
      count: async (_criteria, reach) => ({
        value: 7,
        precision: reach === 'exact' ? CountPrecision.EXACT : CountPrecision.AT_LEAST,
      }),
      get: async () => null,
      byRequests: async () => new Map(),
    },
    stats: {
      stats: () => ({
        totals: async () => ({
          totalEntries: 3,
          entriesBySeverity: [],
          entriesByModule: [],
          entriesToday: 1,
          entriesThisWeek: 2,
        }),
        timeline: async () => [],
        facet: async (field) => [{ key: field, label: null, count: 3 }],
        reach: async () => ({ precision: CountPrecision.EXACT, searchedUntil: null }),
      }),
    },
    exports: {
      prepare: async () => ({
        downloadUrl: '/api/v1/reel/exports/logs.csv',
        filename: 'logs.csv',
        recordCount: 3_000_000_000,
        expiresAt: '2026-01-05T10:00:00.000000Z',
      }),
    },
    seal: {
      checkpoint: async () => null,
      consistencyProof: async (_scope, first, second) => ({ first, second, path: [] }),
      inclusionProofs: async () => new Map(),
    },
    tail: { follow: async function* () {} },
    ...overrides,
  };
}

export interface ApiResponse {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests access the body by name.
  body: any;
}

export interface QueryOptions {
  as?: 'viewer' | 'module' | 'bad' | 'lost' | 'down' | null;
  accept?: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

/** Starts a server with these services on a free port. */
export async function bootGraphql(
  services: Partial<Services> = {},
  config: Partial<GraphqlOptions['config']> = {},
  websockets: GraphqlOptions['websockets'] = {},
) {
  const app = Fastify({ loggerInstance: pino({ level: 'silent' }) });
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  await app.register(graphqlRoutes, {
    ...fakeServices(services),
    config: {
      env: 'production',
      introspection: false,
      allowedOrigins: [],
      defaultPageSize: 50,
      maxPageSize: 100,
      ...config,
    },
    log,
    parseJson,
    websockets,
    readCaller: (call) => {
      const authorization = headerValues(call, 'authorization')[0] ?? null;
      if (authorization === 'bad') throw unauthenticated();
      if (authorization === 'broken') throw new Error('the key set is a secret');
      if (authorization === 'down') throw new ReelError('UNAVAILABLE', 'No keys', { retryAfter: 2 });
      if (authorization === 'lost')
        throw new ReelError('BAD_USER_INPUT', 'X-Tenant-Id: expected one UUID', {
          faults: [{ type: 'uuid_parsing', loc: ['header', 'X-Tenant-Id'], msg: 'x', input: 'zzz' }],
        });
      const credential =
        authorization === null
          ? null
          : { kind: 'module' as const, module: '*', expiresAt: Number.POSITIVE_INFINITY };
      return { ...NOBODY, requestId: randomUUID(), authorization, credential };
    },
  } as GraphqlOptions);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/graphql`;
  const send = async (init: RequestInit & { search?: string }): Promise<ApiResponse> => {
    const response = await fetch(url + (init.search ?? ''), init);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text ? JSON.parse(text) : text,
    };
  };
  const ask = (query: string, { as = 'viewer', accept, ...rest }: QueryOptions = {}): Promise<ApiResponse> =>
    send({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(as === null ? {} : { authorization: as }),
        ...(accept === undefined ? {} : { accept }),
      },
      body: JSON.stringify({ query, ...rest }),
    });
  return { url, send, ask, logged, server: app.server, close: () => app.close() };
}
