import { readFileSync } from 'node:fs';
import Fastify, { type FastifyRequest } from 'fastify';
import { buildSchema, type ExecutionResult, execute, GraphQLError, parse, validate } from 'graphql';
import { useServer as serveSockets } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

export interface ReceivedRequest {
  query: string;
  variables: Record<string, unknown>;
}

/** The entry with this sequence, in GraphQL's shape. */
export function entryAt(sequence: number, values: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: `01940000-0000-7000-8000-${String(sequence).padStart(12, '0')}`,
    module: 'guardian',
    action: 'user.create',
    severity: 'INFO',
    origin: 'MODULE',
    actorId: null,
    actorEmail: 'ana@example.com',
    actorName: 'Ana',
    actorType: 'USER',
    onBehalfOfId: null,
    onBehalfOfName: null,
    tenantId: '11111111-1111-4111-8111-111111111111',
    clientId: null,
    resourceType: 'user',
    resourceId: String(sequence),
    resourceName: null,
    outcome: null,
    data: { snake_case: { camelCase: sequence } },
    changeCount: 0,
    changes: [],
    ipAddress: '10.0.0.1',
    userAgent: 'Vitest',
    requestId: null,
    repaired: [],
    occurredAt: '2026-01-05T10:00:00.123456Z',
    createdAt: '2026-01-05T10:00:00.123456Z',
    sequence,
    related: [],
    erasedAt: null,
    proof: null,
    ...values,
  };
}

/** A log in memory behind Reel's schema, which records the requests it gets. */
export class FakeBackend {
  readonly entries: Record<string, unknown>[] = [];
  readonly requests: ReceivedRequest[] = [];
  /** Set to make requests fail. */
  error: GraphQLError | null = null;
  /** Awaited before each response. */
  beforeResponse: (request: ReceivedRequest) => unknown = () => {};
  private readonly listeners = new Set<() => void>();

  constructor(size = 0) {
    for (let sequence = 1; sequence <= size; sequence++) this.entries.push(entryAt(sequence));
  }

  get lastRequest(): ReceivedRequest {
    const last = this.requests.at(-1);
    if (!last) throw new Error('expected a request, got none');
    return last;
  }

  add(values: Record<string, unknown> = {}): void {
    const now = new Date().toISOString().replace('Z', '000Z');
    this.entries.push(entryAt(this.entries.length + 1, { createdAt: now, ...values }));
    for (const wake of this.listeners) wake();
  }

  async execute(request: ReceivedRequest): Promise<ExecutionResult> {
    this.requests.push(request);
    const document = parse(request.query);
    const errors = validate(schema, document);
    if (errors.length) return { errors };
    await this.beforeResponse(request);
    return execute({ schema, document, variableValues: request.variables, rootValue: this });
  }

  private throwError(): void {
    if (this.error) throw this.error;
  }

  /** Resolvers, called by graphql-js. */
  logs({ filter, first, page }: { filter?: { modules?: string[] }; first?: number; page?: number }) {
    this.throwError();
    const { modules } = filter ?? {};
    const matching = this.entries
      .filter(({ module }) => !modules || modules.includes(String(module)))
      .reverse();
    const [size, from] = [first ?? 50, ((page ?? 1) - 1) * (first ?? 50)];
    return {
      nodes: matching.slice(from, from + size),
      pageInfo: { hasNextPage: matching.length > from + size, hasPreviousPage: from > 0 },
      totalCount: ({ exact }: { exact: boolean }) => ({
        value: matching.length,
        precision: exact ? 'EXACT' : 'AT_LEAST',
      }),
    };
  }

  log({ id }: { id: string }) {
    this.throwError();
    return this.entries.find((entry) => entry.id === id) ?? null;
  }

  logStats() {
    this.throwError();
    return {
      totalEntries: this.entries.length,
      entriesBySeverity: [{ key: 'INFO', count: this.entries.length }],
      entriesByModule: [
        { key: 'guardian', count: 2 },
        { key: '__proto__', count: 1 },
      ],
      entriesToday: 1,
      entriesThisWeek: 2,
      timeline: [],
      facet: [],
    };
  }

  createLog({ input }: { input: Record<string, unknown> }) {
    this.throwError();
    this.add({ ...input });
    return this.entries.at(-1);
  }

  exportLogs() {
    this.throwError();
    return {
      downloadUrl: '/api/v1/reel/exports/logs_20260105_100000.csv?token=abc',
      filename: 'logs_20260105_100000.csv',
      recordCount: this.entries.length,
      expiresAt: '2026-01-05T11:00:00.000000Z',
    };
  }

  /** Entries after `after`, then new ones, until the subscription ends. */
  async *follow(after: number | null): AsyncGenerator<ExecutionResult> {
    let next = after ?? this.entries.length;
    let wake = () => {};
    const listener = () => wake();
    this.listeners.add(listener);
    try {
      for (;;) {
        while (next < this.entries.length && this.entries[next]?.sequence !== null)
          yield { data: { logAdded: this.entries[next++] as never } };
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.listeners.delete(listener);
    }
  }
}

export interface FakeServer {
  url: string;
  backend: FakeBackend;
  /** Headers of the last HTTP request. */
  headers: () => FastifyRequest['headers'];
  /** Connection parameters of each WebSocket, oldest first. */
  parameters: Record<string, unknown>[];
  /** Set to close every WebSocket as it connects. */
  closeWith: { code: number; reason: string } | null;
  /** Cuts every WebSocket without a closing handshake, as a lost network does. */
  breakSockets(): void;
  close(): Promise<void>;
}

/** Serves the backend over HTTP and graphql-transport-ws, with an export link. */
export async function startFakeServer(backend: FakeBackend, port = 0): Promise<FakeServer> {
  const app = Fastify();
  const sockets = new WebSocketServer({ server: app.server, path: '/graphql' });
  let headers: FastifyRequest['headers'] = {};
  const parameters: Record<string, unknown>[] = [];

  serveSockets(
    {
      schema,
      onConnect({ connectionParams, extra }) {
        parameters.push({ ...connectionParams });
        if (server.closeWith) extra.socket.close(server.closeWith.code, server.closeWith.reason);
      },
      onSubscribe(_context, _id, { query, variables }) {
        backend.requests.push({ query, variables: variables ?? {} });
        return backend.error
          ? [backend.error]
          : { schema, document: parse(query), variableValues: variables ?? {} };
      },
      subscribe: ({ variableValues }) => backend.follow((variableValues?.after as number | null) ?? null),
    },
    sockets,
  );
  app.post('/graphql', async (request, reply) => {
    headers = request.headers;
    const result = await backend.execute(request.body as ReceivedRequest);
    const code = result.errors?.[0]?.extensions.code;
    return reply.code(code === 'UNAUTHENTICATED' ? 401 : 'data' in result ? 200 : 400).send(result);
  });
  app.get('/api/v1/reel/exports/:name', async (request, reply) =>
    (request.query as { token?: string }).token === 'abc'
      ? reply.type('text/csv').send('id,created_at\r\n')
      : reply.code(403).send({ detail: 'This link has expired' }),
  );
  app.get('/page', async (_, reply) => reply.type('text/html').send('<!doctype html>'));
  app.post('/page', async (_, reply) => reply.type('text/html').send('<!doctype html>'));

  const server: FakeServer = {
    url: `${await app.listen({ port, host: '127.0.0.1' })}/graphql`,
    backend,
    headers: () => headers,
    parameters,
    closeWith: null,
    breakSockets() {
      for (const socket of sockets.clients) socket.terminate();
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await app.close();
    },
  };
  return server;
}

/** An axios-like client on top of the backend, which is what the module calls Evoke. */
export function evokeClient(backend: FakeBackend) {
  const calls: { url: string; headers: Record<string, string>; signal?: AbortSignal | undefined }[] = [];
  return {
    calls,
    async post(
      url: string,
      body: unknown,
      options: { headers: Record<string, string>; signal?: AbortSignal | undefined },
    ): Promise<{ data: unknown }> {
      calls.push({ url, ...options });
      const result = await backend.execute(JSON.parse(JSON.stringify(body)) as ReceivedRequest);
      const data: unknown = JSON.parse(JSON.stringify(result));
      if (result.errors?.[0]?.extensions.code !== 'UNAUTHENTICATED') return { data };
      throw Object.assign(new Error('Request failed with status code 401'), {
        response: { status: 401, data },
      });
    },
  };
}

/** A promise and the function that resolves it. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
