import { setTimeout } from 'node:timers/promises';
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify';
import { Authorizer } from '../../src/auth/authorize.js';
import type { Grant } from '../../src/auth/grant.js';
import { claimsMentor } from '../../src/auth/mentor.js';
import type { Author, Reader, Scope } from '../../src/auth/scope.js';
import { issueModuleToken, issuePersonToken, tokenVerifier } from '../../src/auth/token.js';
import { conflict } from '../../src/errors.js';
import { readCaller, readConnection } from '../../src/http/request.js';
import { CountPrecision } from '../../src/log/counts/log-count.js';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import type { CreateLogInput } from '../../src/log/entry/create-log-input.js';
import { Identifier } from '../../src/log/entry/identifier.js';
import { type LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { ExportService } from '../../src/log/export/export.js';
import type { SealedReader } from '../../src/log/export/export-content.js';
import type { Criteria } from '../../src/log/filter/criteria.js';
import type { PageRequest } from '../../src/log/read/page.js';
import type { Batch } from '../../src/log/write/batch.js';
import type { Stored } from '../../src/log/write/writer.js';
import { PATHS } from '../../src/paths.js';
import type { RestOptions } from '../../src/rest/options.js';
import { restRoutes } from '../../src/rest/routes.js';

export const TENANT = '11111111-1111-4111-8111-111111111111';
export const OTHER_TENANT = '22222222-2222-4222-8222-222222222222';
export const CLIENT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
export const OTHER_CLIENT = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
export const ANA = '99999999-9999-4999-8999-999999999999';
export const SECRETS = { jwtSecret: 'j'.repeat(32), serviceSecret: 's'.repeat(32) };

export const grant = (
  action: string,
  scope: 'ACCOUNT' | 'CLIENT',
  clientId: string | null = null,
  tenantId = TENANT,
): Grant => ({
  action,
  scope,
  tenantId,
  clientId,
});

export const person = async (...grants: Grant[]) =>
  `Bearer ${await issuePersonToken(SECRETS.jwtSecret, { id: ANA, email: 'ana@example.com', name: 'Ana', grants })}`;
export const module = async (name = '*') => `Bearer ${await issueModuleToken(SECRETS.serviceSecret, name)}`;
export const viewer = () => person(grant('reel.logs.view', 'ACCOUNT'));
export const exporter = (...clients: string[]) =>
  person(...clients.map((id) => grant('reel.logs.export', 'CLIENT', id)));

export const anEntry = (over: Partial<LogEntry> = {}): LogEntry =>
  ({
    id: '01980000-0000-7000-8000-000000000001',
    module: 'guardian',
    action: 'users.create',
    severity: LogSeverity.INFO,
    origin: LogOrigin.MODULE,
    actorId: ANA,
    actorEmail: 'ana@example.com',
    actorName: 'Ana',
    onBehalfOfId: null,
    actorType: ActorType.USER,
    onBehalfOfName: null,
    resourceName: null,
    outcome: null,
    repaired: [],
    tenantId: TENANT,
    clientId: CLIENT,
    resourceType: 'user',
    resourceId: '42',
    data: null,
    ipAddress: '10.0.0.1',
    userAgent: 'test',
    requestId: null,
    occurredAt: '2026-01-05T10:00:00.123456Z',
    createdAt: '2026-01-05T10:00:00.123456Z',
    sequence: 1,
    erasedAt: null,
    ...over,
  }) as LogEntry;

const within = (scope: Scope, entry: LogEntry) =>
  entry.tenantId === scope.tenantId &&
  (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId)));

/** The few conditions that these tests need, all but search; the real ones are tested against PostgreSQL. */
const matches = ({ scope, conditions }: Criteria, entry: LogEntry) =>
  within(scope, entry) &&
  conditions.every(({ anyOf }) =>
    anyOf.some((group) =>
      group.every(
        (test) => 'contains' in test || ('is' in test && test.is === entry[test.field as keyof LogEntry]),
      ),
    ),
  );

/** A service and a reader of entries in an array, oldest first; records what it was last asked for. */
export class FakeReel {
  readonly entries: LogEntry[] = [];
  readonly asked: { criteria?: Criteria; counted?: Criteria; page?: PageRequest } = {};
  fails: Error | null = null;
  private readonly identifier = new Identifier();

  batch(): Batch {
    throw new Error('expected no batch of a fake');
  }

  async store(author: Author, input: CreateLogInput): Promise<Stored> {
    if (this.fails) throw this.fails;
    const checked = checkInput(input, author);
    const key = checked.idempotencyKey;
    const before = key && this.entries.find((entry) => (entry as { key?: string }).key === key);
    if (before) {
      if (before.action !== checked.action) throw conflict('The idempotency key stands for another entry');
      return { entry: before, replayed: true };
    }
    const { id, createdAt } = this.identifier.next();
    const sequence = this.entries.length + 1;
    const entry = anEntry({
      ...(checked as Partial<LogEntry>),
      id,
      createdAt,
      occurredAt: createdAt,
      sequence,
    });
    this.entries.push(Object.assign(entry, { key }));
    return { entry, replayed: false };
  }

  async list(criteria: Criteria, page: PageRequest) {
    if (this.fails) throw this.fails;
    Object.assign(this.asked, { criteria, page });
    const size = page.first ?? 50;
    const from = ((page.page ?? 1) - 1) * size;
    const found = this.matching(criteria).reverse();
    const entries = found.slice(from, from + size);
    return { entries, hasNextPage: found.length > from + size, hasPreviousPage: from > 0, stopped: null };
  }

  bringsTotal(): boolean {
    return false;
  }

  async count(criteria: Criteria) {
    this.asked.counted = criteria;
    return { value: this.matching(criteria).length, precision: CountPrecision.EXACT };
  }

  async get(scope: Scope, id: string): Promise<LogEntry | null> {
    return this.entries.find((entry) => within(scope, entry) && entry.id === id) ?? null;
  }

  matching(criteria: Criteria): LogEntry[] {
    return this.entries.filter((entry) => matches(criteria, entry));
  }
}

/** Reads a FakeReel as sealed; records how many batches were read and whether the last read was ended. */
export class FakeSealed implements SealedReader {
  batches = 0;
  ended = false;
  failsAfter = Number.POSITIVE_INFINITY;
  /** Before each batch. */
  pauseMs = 0;
  constructor(private readonly reel: FakeReel) {}

  async countSequenced(criteria: Criteria, upTo: number): Promise<number> {
    return this.reel.matching(criteria).filter((entry) => entry.sequence! <= upTo).length;
  }

  async *streamSequenced(criteria: Criteria, upTo: number, size: number): AsyncGenerator<LogEntry[]> {
    try {
      for (let after = 0; after < upTo; after += size) {
        if (this.pauseMs > 0) await setTimeout(this.pauseMs);
        if (++this.batches > this.failsAfter) throw new Error('the database went away');
        yield this.reel
          .matching(criteria)
          .filter(({ sequence }) => sequence! > after && sequence! <= Math.min(after + size, upTo));
      }
    } finally {
      this.ended = true;
    }
  }
}

export interface RestServer {
  app: FastifyInstance;
  reel: FakeReel;
  sealed: FakeSealed;
  exports: ExportService;
  errors: unknown[];
  /** Moves the clock of export links. */
  now: { ms: number };
}

/** Starts the REST routes with real authorization (tokens, grants) and a fake trail. */
export async function startRestServer(
  over: { maxRecords?: number; entriesPerMinute?: number; quietMs?: number } = {},
): Promise<RestServer> {
  const reel = new FakeReel();
  const sealed = new FakeSealed(reel);
  const now = { ms: Date.UTC(2026, 0, 5, 10, 0, 0) };
  const exports = new ExportService({
    reader: sealed,
    audit: { exported: async () => {} },
    catchUp: async () => reel.entries.at(-1)?.sequence ?? 0,
    proofs: { bundles: async (_scope, entries) => entries.map(() => ({})), note: async () => null },
    secrets: [SECRETS.serviceSecret],
    linkMinutes: 60,
    maxRecords: over.maxRecords ?? 0,
    clock: () => now.ms,
  });
  const stats: RestOptions['stats'] = {
    stats: (criteria) => ({
      totals: async () => ({
        totalEntries: reel.matching(criteria).length,
        entriesBySeverity: [
          { key: 'INFO', label: null, count: 2 },
          { key: 'ERROR', label: null, count: 0 },
        ],
        entriesByModule: [{ key: '__proto__', label: null, count: 2 }],
        entriesToday: 1,
        entriesThisWeek: 2,
      }),
      timeline: async () => [],
      facet: async () => [],
      reach: async () => ({ precision: CountPrecision.EXACT, searchedUntil: null }),
    }),
  };
  const errors: unknown[] = [];
  const app = await restApp(
    { reel, reader: reel, stats, exports },
    errors,
    over.entriesPerMinute,
    over.quietMs,
  );
  return { app, reel, sealed, exports, errors, now };
}

/** The reader of exports that tests prepare directly. */
export const READER: Reader = { id: null, email: null, name: null, ip: null, agent: null, requestId: TENANT };

/** The REST routes with a given trail, and the authorization of these tests. */
export async function restApp(
  trail: Pick<RestOptions, 'reel' | 'reader' | 'stats' | 'exports'>,
  errors: unknown[],
  entriesPerMinute = 600,
  quietMs = 0,
  onRoute: (route: RouteOptions) => void = () => {},
): Promise<FastifyInstance> {
  const verify = tokenVerifier({
    jwtSecrets: [SECRETS.jwtSecret],
    serviceSecrets: [SECRETS.serviceSecret],
    jwksUrl: null,
  });
  const app = Fastify({ connectionTimeout: quietMs });
  app.addHook('onRoute', onRoute);
  await app.register(restRoutes, {
    prefix: PATHS.rest,
    ...trail,
    authorizer: new Authorizer(claimsMentor, {
      browserLogging: true,
      browserEntriesPerMinute: entriesPerMinute,
    }),
    audit: { viewed: async () => {} },
    readCaller: (request) => readCaller(request.raw, { verify, trusts: () => false }),
    readConnection: (request) => readConnection(request.raw, () => false),
    config: { defaultPageSize: 50, maxPageSize: 100 },
    log: { error: (...details: unknown[]) => void errors.push(details) },
  });
  return app;
}
