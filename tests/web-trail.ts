import { readFileSync } from 'node:fs';
import Fastify, { type FastifyRequest } from 'fastify';
import { buildSchema, type ExecutionResult, execute, GraphQLError, parse, validate } from 'graphql';
import { useServer as answerSockets } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

export interface Asked {
  query: string;
  variables: Record<string, unknown>;
}

/** An entry as GraphQL has it, number `sequence` of its trail. */
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
    onBehalfOfId: null,
    tenantId: '11111111-1111-4111-8111-111111111111',
    clientId: null,
    resourceType: 'user',
    resourceId: String(sequence),
    data: { snake_case: { camelCase: sequence } },
    changes: [],
    ipAddress: '10.0.0.1',
    userAgent: 'Vitest',
    requestId: null,
    occurredAt: '2026-01-05T10:00:00.123456Z',
    createdAt: '2026-01-05T10:00:00.123456Z',
    sequence,
    related: [],
    erasedAt: null,
    proof: null,
    ...values,
  };
}

/** A trail in memory that answers Reel's schema, and remembers what it was asked. */
export class FakeTrail {
  readonly entries: Record<string, unknown>[] = [];
  readonly asked: Asked[] = [];
  /** Set to refuse what comes. */
  refusal: GraphQLError | null = null;
  /** Called before each answer; what it waits for, the answer waits for. */
  before: (asked: Asked) => unknown = () => {};
  private readonly listeners = new Set<() => void>();

  constructor(size = 0) {
    for (let sequence = 1; sequence <= size; sequence++) this.entries.push(entryAt(sequence));
  }

  get last(): Asked {
    const last = this.asked.at(-1);
    if (!last) throw new Error('expected a request, got none');
    return last;
  }

  add(values: Record<string, unknown> = {}): void {
    const now = new Date().toISOString().replace('Z', '000Z');
    this.entries.push(entryAt(this.entries.length + 1, { createdAt: now, ...values }));
    for (const wake of this.listeners) wake();
  }

  async answer(asked: Asked): Promise<ExecutionResult> {
    this.asked.push(asked);
    const document = parse(asked.query);
    const faults = validate(schema, document);
    if (faults.length) return { errors: faults };
    await this.before(asked);
    return execute({ schema, document, variableValues: asked.variables, rootValue: this });
  }

  private refuse(): void {
    if (this.refusal) throw this.refusal;
  }

  /** Resolvers, called by graphql-js. */
  logs({ filter, first, page }: { filter?: { modules?: string[] }; first?: number; page?: number }) {
    this.refuse();
    const { modules } = filter ?? {};
    const found = this.entries.filter(({ module }) => !modules || modules.includes(String(module))).reverse();
    const [size, from] = [first ?? 50, ((page ?? 1) - 1) * (first ?? 50)];
    return {
      nodes: found.slice(from, from + size),
      pageInfo: { hasNextPage: found.length > from + size, hasPreviousPage: from > 0 },
      totalCount: ({ exact }: { exact: boolean }) => ({
        value: found.length,
        precision: exact ? 'EXACT' : 'AT_LEAST',
      }),
    };
  }

  log({ id }: { id: string }) {
    this.refuse();
    return this.entries.find((entry) => entry.id === id) ?? null;
  }

  logStats() {
    this.refuse();
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
    this.refuse();
    this.add({ ...input });
    return this.entries.at(-1);
  }

  exportLogs() {
    this.refuse();
    return {
      downloadUrl: '/api/v1/reel/exports/logs_20260105_100000.csv?token=abc',
      filename: 'logs_20260105_100000.csv',
      recordCount: this.entries.length,
      expiresAt: '2026-01-05T11:00:00.000000Z',
    };
  }

  /** Entries after `after`, and then those that come, until the listener goes. */
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
  trail: FakeTrail;
  /** Headers of the last request over HTTP. */
  headers: () => FastifyRequest['headers'];
  /** Connection parameters of each websocket, oldest first. */
  parameters: Record<string, unknown>[];
  /** What to refuse a websocket with, if with anything. */
  closeWith: { code: number; reason: string } | null;
  /** Breaks every websocket as a lost network does. */
  breakSockets(): void;
  close(): Promise<void>;
}

/** The trail behind HTTP and graphql-transport-ws, with an export link. */
export async function serve(trail: FakeTrail, port = 0): Promise<FakeServer> {
  const app = Fastify();
  const sockets = new WebSocketServer({ server: app.server, path: '/graphql' });
  let headers: FastifyRequest['headers'] = {};
  const parameters: Record<string, unknown>[] = [];

  answerSockets(
    {
      schema,
      onConnect({ connectionParams, extra }) {
        parameters.push({ ...connectionParams });
        if (server.closeWith) extra.socket.close(server.closeWith.code, server.closeWith.reason);
      },
      onSubscribe(_context, _id, { query, variables }) {
        trail.asked.push({ query, variables: variables ?? {} });
        return trail.refusal
          ? [trail.refusal]
          : { schema, document: parse(query), variableValues: variables ?? {} };
      },
      subscribe: ({ variableValues }) => trail.follow((variableValues?.after as number | null) ?? null),
    },
    sockets,
  );
  app.post('/graphql', async (request, reply) => {
    headers = request.headers;
    const answer = await trail.answer(request.body as Asked);
    const code = answer.errors?.[0]?.extensions.code;
    return reply.code(code === 'UNAUTHENTICATED' ? 401 : 'data' in answer ? 200 : 400).send(answer);
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
    trail,
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

/** A client like axios, over the trail: what the module calls Evoke. */
export function evokeOver(trail: FakeTrail) {
  const calls: { url: string; headers: Record<string, string>; signal?: AbortSignal | undefined }[] = [];
  return {
    calls,
    async post(
      url: string,
      body: unknown,
      options: { headers: Record<string, string>; signal?: AbortSignal | undefined },
    ): Promise<{ data: unknown }> {
      calls.push({ url, ...options });
      const answer = await trail.answer(JSON.parse(JSON.stringify(body)) as Asked);
      const data: unknown = JSON.parse(JSON.stringify(answer));
      if (answer.errors?.[0]?.extensions.code !== 'UNAUTHENTICATED') return { data };
      throw Object.assign(new Error('Request failed with status code 401'), {
        response: { status: 401, data },
      });
    },
  };
}

/** A promise and what settles it. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
