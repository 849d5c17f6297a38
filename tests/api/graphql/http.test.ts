import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ExecutionResult, parse, subscribe } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { badInput, forbidden, overloaded, tooManyRequests } from '../../../src/errors.js';
import { createContext } from '../../../src/graphql/context.js';
import { errorFormatter } from '../../../src/graphql/format-error.js';
import { negotiateType } from '../../../src/graphql/response.js';
import { buildReelSchema } from '../../../src/graphql/schema.js';
import type { Services } from '../../../src/graphql/services.js';
import { Subscriptions } from '../../../src/graphql/subscriptions.js';
import { documentValidator } from '../../../src/graphql/validation.js';
import { Answers } from '../../../src/http/answer.js';
import { CountPrecision } from '../../../src/log/counts/log-count.js';
import { toCriteria } from '../../../src/log/filter/criteria.js';
import {
  bootGraphql,
  entry,
  fakeServices,
  NOBODY,
  type QueryOptions,
  TENANT,
} from '../../support/graphql-server.js';

const PAGE_SIZES = { defaultPageSize: 50, maxPageSize: 100 };
const RESPONSE = 'application/graphql-response+json';
const JSON_TYPE = 'application/json';
const services = fakeServices() as { -readonly [K in keyof Services]: Services[K] };

let server: Awaited<ReturnType<typeof bootGraphql>>;
/** Whose settings allow introspection, whatever REEL_ENV is. */
let development: Awaited<ReturnType<typeof bootGraphql>>;
beforeAll(async () => {
  server = await bootGraphql(services);
  development = await bootGraphql(services, { introspection: true });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => Promise.all([server.close(), development.close()]));

describe('an answer', () => {
  it('needs no credential for { __typename }', async () => {
    const answer = await server.ask('{ __typename }', { as: null });
    expect(answer).toMatchObject({ status: 200, body: { data: { __typename: 'Query' } } });
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('has the media type asked for', async () => {
    const answer = await server.ask('{ __typename }', { accept: `${RESPONSE}, application/json;q=0.9` });
    expect(answer.headers.get('content-type')).toBe(`${RESPONSE}; charset=utf-8`);
  });

  it.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/json, application/graphql-response+json', 'application/json'],
    ['application/graphql-response+json, application/json', RESPONSE],
    ['application/graphql-response+json;q=0.5, application/json;q=0.6', 'application/json'],
    ['*/*;q=0.1, application/graphql-response+json; charset=utf-8', RESPONSE],
    ['application/json;q=0, */*', RESPONSE],
    ['text/html, APPLICATION/JSON', 'application/json'],
    ['application/graphql-response+json, */*', RESPONSE],
    ['text/html', null],
    ['application/json;q=0', null],
  ])('to Accept: %s is %s', (accept, type) => {
    expect(negotiateType(accept)?.split(';')[0] ?? null).toBe(type);
  });
});

describe('what is wrong with the document or its variables', () => {
  it.each<[string, string, QueryOptions['variables']?, string?]>([
    ['a document that cannot be parsed', '{'],
    ['a field that is not there', '{ nothing }'],
    ['a literal that does not fit', '{ log(id: "x") { id } }'],
    ['a variable that does not fit', 'query ($id: UUID!) { log(id: $id) { id } }', { id: 'x' }],
    ['a variable that is missing', 'query ($id: UUID!) { log(id: $id) { id } }', {}],
    ['a variable that is null', 'query ($id: UUID!) { log(id: $id) { id } }', { id: null }],
    [
      'an input field that is not there',
      'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
      { f: { x: 1 } },
    ],
    [
      'more faulty variables than are looked at',
      'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
      { f: { severities: Array(80).fill('X') } },
    ],
    ['an operation that is not there', 'query A { __typename }', {}, 'B'],
    ['several operations and no name', 'query A { __typename } query B { __typename }', {}],
    ['several operations and another name', 'query A { __typename } query B { __typename }', {}, 'C'],
    ['several operations, one of them not valid', 'query A { __typename } query B { nothing }', {}, 'A'],
    ['a subscription among others', 'query A { __typename } subscription B { logAdded { id } }', {}, 'B'],
    ['a subscription', 'subscription { logAdded { id } }'],
    ['introspection in production', '{ __schema { types { name } } }'],
  ])('%s is 400 or 200, and BAD_USER_INPUT', async (_, query, variables, operationName) => {
    for (const [accept, status] of [
      [RESPONSE, 400],
      [JSON_TYPE, 200],
      [undefined, 200],
    ] as const) {
      const answer = await server.ask(query, { accept, variables, operationName });
      expect(answer.status).toBe(status);
      expect(answer.body).not.toHaveProperty('data');
      for (const error of answer.body.errors) expect(error.extensions).toEqual({ code: 'BAD_USER_INPUT' });
    }
  });

  it('is told with suggestions where introspection is on, and without where it is off', async () => {
    const variables = { f: { modulez: [] } };
    for (const [query, hint] of [
      ['{ logz { nodes { id } } }', /Did you mean .*"logs"/],
      ['query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }', /Did you mean "modules"/],
      ['{ logs(filter: { modulez: [] }) { nodes { id } } }', /Did you mean "modules"/],
      ['{ logs(orderBy: NEWEST_FIRS) { nodes { id } } }', /Did you mean the enum value "NEWEST_FIRST"/],
    ] as const) {
      const asked = query.startsWith('query') ? { variables } : {};
      expect((await development.ask(query, asked)).body.errors[0].message).toMatch(hint);
      expect((await server.ask(query, asked)).body.errors[0].message).not.toMatch(
        /mean|"logs"|modules"|NEWEST_FIRST"/,
      );
    }
    expect(
      (await development.ask('{ __schema { queryType { name } } }')).body.data.__schema.queryType.name,
    ).toBe('Query');
  });

  it.each<[string, string, QueryOptions['variables']?]>([
    ['a field name', `{ ${'x'.repeat(5_000)} }`],
    ['an argument', `{ logs(${'x'.repeat(5_000)}: 1) { nodes { id } } }`],
    ['text in the document', `{ log(id: "${'x'.repeat(5_000)}") { id } }`],
    ['a number in the document', `{ logs(first: ${'9'.repeat(5_000)}) { nodes { id } } }`],
    ['a block string out of place', `{ """${'x'.repeat(400)}"${'x'.repeat(400)}""" }`],
    ['a UUID', 'query ($v: UUID!) { log(id: $v) { id } }', { v: 'x'.repeat(5_000) }],
    ['an Int', 'query ($v: Int) { logs(first: $v) { nodes { id } } }', { v: { ['x'.repeat(5_000)]: 1 } }],
    ['an enum', 'query ($v: LogOrder!) { logs(orderBy: $v) { nodes { id } } }', { v: 'x'.repeat(5_000) }],
    [
      'an input',
      'query ($v: LogFilter) { logs(filter: $v) { nodes { id } } }',
      { v: { ['x'.repeat(5_000)]: 1 } },
    ],
    [
      'a list',
      'query ($v: LogFilter) { logs(filter: $v) { nodes { id } } }',
      { v: { modules: [['x'.repeat(5_000)]] } },
    ],
    [
      'text in text',
      'query ($v: LogFilter) { logs(filter: $v) { nodes { id } } }',
      { v: `${'x'.repeat(300)}"; ${'x'.repeat(300)}` },
    ],
    [
      'the name of a variable',
      `query ($${'x'.repeat(5_000)}: UUID!) { log(id: $${'x'.repeat(5_000)}) { id } }`,
      { ['x'.repeat(5_000)]: 'y' },
    ],
    [
      'the name of an operation',
      `query ${'x'.repeat(5_000)} { __typename } query ${'x'.repeat(5_000)} { __typename }`,
    ],
  ])('repeats no more than 200 characters of %s', async (_, query, variables) => {
    for (const each of [server, development]) {
      const { body } = await each.ask(query, { variables });
      expect(body.errors.length).toBeGreaterThan(0);
      for (const { message } of body.errors) {
        expect(message.replace(/[^x9]/g, '').length).toBeLessThanOrEqual(200);
        expect(message.length).toBeLessThan(400);
      }
    }
  });

  it('says where in a variable the fault is, and why', async () => {
    const query = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
    const inputs = [
      { module: 'm', action: 'a' },
      { module: 'm', action: 'a', tenantId: 'ana' },
    ];
    const { body } = await server.ask(query, { as: 'module', variables: { inputs } });
    expect(body.errors[0].message).toBe('Variable "$inputs[1].tenantId": expected a UUID, got "ana"');
  });

  it("an argument that is null by a variable is the caller's fault, too", async () => {
    vi.spyOn(services.reader, 'get').mockResolvedValue(entry());
    const query =
      'query ($n: Int) { log(id: "6f2b4c0e-0000-4000-8000-000000000001") { related(first: $n) { id } } }';
    const { status, body } = await server.ask(query, { variables: { n: null } });
    expect(status).toBe(200);
    expect(body.errors[0]).toMatchObject({
      extensions: { code: 'BAD_USER_INPUT' },
      path: ['log', 'related'],
    });
  });
});

describe('what is wrong with the HTTP request', () => {
  const headers = { 'content-type': 'application/json', authorization: 'viewer' };

  it.each<[string, RequestInit & { search?: string }, number]>([
    ['no JSON', { method: 'POST', headers, body: '{' }, 400],
    ['an empty body', { method: 'POST', headers, body: '' }, 400],
    ['no UTF-8', { method: 'POST', headers, body: new Uint8Array([0x7b, 0xff, 0x7d]) }, 400],
    ['no query', { method: 'POST', headers, body: '{"qeury":"{ __typename }"}' }, 400],
    ['a query that is no text', { method: 'POST', headers, body: '{"query":{"kind":"Document"}}' }, 400],
    [
      'variables that are no object',
      { method: 'POST', headers, body: '{"query":"{ __typename }","variables":[]}' },
      400,
    ],
    [
      'a number no double can hold',
      { method: 'POST', headers, body: '{"query":"{ __typename }","variables":1e400}' },
      400,
    ],
    [
      'a name that occurs twice',
      { method: 'POST', headers, body: '{"query":"{ __typename }","variables":{"a":{"b":1,"\\u0062":1}}}' },
      400,
    ],
    [
      'a GET with a name that stands twice',
      { headers: { authorization: 'viewer' }, search: '?query={__typename}&variables={"a":1,"a":2}' },
      400,
    ],
    [
      'a GET with a number no double can hold',
      {
        headers: { authorization: 'viewer' },
        search: '?query={__typename}&variables={"a":9007199254740993}',
      },
      400,
    ],
    ['a batch', { method: 'POST', headers, body: '[{"query":"{ __typename }"}]' }, 400],
    [
      'text/plain',
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"query":"{ __typename }"}' },
      415,
    ],
    [
      'a form',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'query=x' },
      415,
    ],
    [
      'an Accept that takes no JSON',
      { method: 'POST', headers: { ...headers, accept: 'text/html' }, body: '{"query":"{ __typename }"}' },
      406,
    ],
    ['PUT', { method: 'PUT', headers, body: '{"query":"{ __typename }"}' }, 405],
    ['a GET that any page could send', { search: '?query={__typename}' }, 400],
    ['a GET without a query', { headers: { authorization: 'viewer' } }, 400],
    [
      'a GET whose variables are no JSON',
      { headers: { authorization: 'viewer' }, search: '?query={__typename}&variables=x' },
      400,
    ],
    [
      'a mutation chosen among queries by GET',
      {
        headers: { authorization: 'viewer' },
        search:
          '?operationName=B&query=query A{__typename} mutation B{createLog(input:{module:"m",action:"a"}){id}}',
      },
      405,
    ],
    [
      'a mutation by GET',
      {
        headers: { authorization: 'viewer' },
        search: '?query=mutation{createLog(input:{module:"m",action:"a"}){id}}',
      },
      405,
    ],
  ])('%s is refused', async (_, init, status) => {
    const create = vi.spyOn(services.reel, 'create');
    const answer = await server.send(init);
    expect(answer.status).toBe(status);
    expect(answer.body.errors).toHaveLength(1);
    expect(answer.body.errors[0]).toMatchObject({
      message: expect.any(String),
      extensions: { code: 'BAD_USER_INPUT' },
    });
    expect(answer.body).not.toHaveProperty('data');
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/POST/);
    expect(create).not.toHaveBeenCalled();
  });

  it('a body over 16 MiB is 413', async () => {
    const text = (bytes: number) => {
      const body = { query: '{ __typename }', variables: { pad: '' } };
      body.variables.pad = 'x'.repeat(bytes - JSON.stringify(body).length);
      return JSON.stringify(body);
    };
    const MiB = 1024 * 1024;
    expect((await server.send({ method: 'POST', headers, body: text(16 * MiB) })).status).toBe(200);
    const answer = await server.send({ method: 'POST', headers, body: text(16 * MiB + 1) });
    expect(answer.status).toBe(413);
    expect(answer.body.errors[0]).toEqual({
      message: 'Expected a body of at most 16777216 bytes',
      extensions: { code: 'BAD_USER_INPUT', faults: undefined },
    });
  });

  it('a GET of a query is answered', async () => {
    const search = `?${new URLSearchParams({ query: 'query ($e: Boolean!) { logs { totalCount(exact: $e) { value } } }', variables: '{"e":true}' })}`;
    const answer = await server.send({ headers: { authorization: 'viewer', accept: RESPONSE }, search });
    expect(answer).toMatchObject({ status: 200, body: { data: { logs: { totalCount: { value: 7 } } } } });
    const plain = await server.send({
      headers: { 'apollo-require-preflight': 'true' },
      search: '?query={__typename}',
    });
    expect(plain.status).toBe(200);
    const create = vi.spyOn(services.reel, 'create');
    const chosen = await server.send({
      headers: { authorization: 'viewer' },
      search:
        '?operationName=A&query=query A{__typename} mutation B{createLog(input:{module:"m",action:"a"}){id}}',
    });
    expect(chosen).toMatchObject({ status: 200, body: { data: { __typename: 'Query' } } });
    expect(create).not.toHaveBeenCalled();
  });
});

describe('a refusal', () => {
  const LOGS = '{ logs { nodes { id } } }';

  it.each<[string, QueryOptions['as'], number, string]>([
    ['no credential', null, 401, 'UNAUTHENTICATED'],
    ['a bad token', 'bad', 401, 'UNAUTHENTICATED'],
    ['a bad tenant header', 'lost', 422, 'BAD_USER_INPUT'],
    ['keys that are unavailable', 'down', 503, 'UNAVAILABLE'],
    ['a module that wants to view', 'module', 200, 'FORBIDDEN'],
  ])('of %s has its status, whatever the media type', async (_, as, status, code) => {
    for (const accept of [RESPONSE, JSON_TYPE]) {
      const answer = await server.ask(LOGS, { as, accept });
      expect(answer.status).toBe(status);
      expect(answer.body.errors[0].extensions.code).toBe(code);
      expect(answer.body.errors[0].message).not.toMatch(/Context/);
      expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
      expect(answer.headers.get('retry-after')).toBe(status === 503 ? '2' : null);
    }
  });

  it('names the missing action', async () => {
    const { body } = await server.ask(LOGS, { as: 'module' });
    expect(body).toMatchObject({
      data: null,
      errors: [
        {
          message: 'Missing action reel.logs.view',
          extensions: { action: 'reel.logs.view' },
          path: ['logs'],
        },
      ],
    });
  });

  it.each([
    ['OVERLOADED', 503, '1', overloaded()],
    ['TOO_MANY_REQUESTS', 429, '12', tooManyRequests('Enough', 11.2)],
    ['BAD_USER_INPUT', 200, null, badInput('module', 'at most 100 characters', 'x'.repeat(500))],
  ])('%s of a field is %i', async (code, status, retryAfter, thrown) => {
    vi.spyOn(services.reel, 'create').mockRejectedValue(thrown);
    for (const accept of [RESPONSE, JSON_TYPE]) {
      const answer = await server.ask('mutation { createLog(input: { module: "m", action: "a" }) { id } }', {
        accept,
      });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('retry-after')).toBe(retryAfter);
      expect(answer.body.errors[0].extensions.code).toBe(code);
    }
  });

  it('tells every fault, without what came', async () => {
    vi.spyOn(services.reel, 'create').mockRejectedValue(
      badInput('module', 'at most 100 characters', 'x'.repeat(500)),
    );
    const { body } = await server.ask('mutation { createLog(input: { module: "m", action: "a" }) { id } }');
    const { faults } = body.errors[0].extensions;
    expect(faults).toEqual([{ type: 'value_error', loc: ['module'], msg: body.errors[0].message }]);
  });

  it('of anything unforeseen is an id, under which the log has it', async () => {
    vi.spyOn(services.reader, 'list').mockRejectedValue(new Error('password=hunter2'));
    const field = await server.ask(LOGS);
    const call = await server.ask(LOGS, { as: 'broken' as QueryOptions['as'] });
    expect(field.status).toBe(200);
    expect(call.status).toBe(500);
    for (const { body } of [field, call]) {
      const [error] = body.errors;
      expect(error).toMatchObject({
        message: 'Internal server error',
        extensions: { code: 'INTERNAL_SERVER_ERROR' },
      });
      expect(Object.keys(error.extensions).sort()).toEqual(['code', 'errorId']);
      expect(JSON.stringify(body)).not.toMatch(/hunter2|secret|stack|\.ts/);
      expect(server.logged.find(({ errorId }) => errorId === error.extensions.errorId)).toMatchObject({
        err: { message: expect.stringMatching(/hunter2|secret/) },
      });
    }
  });
});

describe('directives', () => {
  it('@internal takes no person, @authenticated takes both', async () => {
    const create = (name: string) => `mutation { ${name} { module } }`;
    const one = create('createLog(input: { module: "m", action: "a" })');
    const many = create('createLogs(inputs: [{ module: "m", action: "a" }])');
    expect((await server.ask(many)).body.errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await server.ask(many, { as: 'module' })).body.data).toEqual({ createLogs: [{ module: 'm' }] });
    expect((await server.ask(one)).body.data).toEqual({ createLog: { module: 'm' } });
    expect((await server.ask(one, { as: null })).status).toBe(401);
  });

  it('are asked before the resolver, and the service is not', async () => {
    const list = vi.spyOn(services.reader, 'list');
    await server.ask('{ logs { nodes { id } } logStats { totalEntries } }', { as: 'module' });
    expect(list).not.toHaveBeenCalled();
  });

  it('count an export by its client grant alone', async () => {
    const { body } = await server.ask('mutation { exportLogs(input: {}) { filename } }');
    expect(body.errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN', action: 'reel.logs.export' } });
  });
});

describe('a subscription, executed by graphql-js alone', () => {
  const schema = buildReelSchema();
  const open = (query: string, authorization: string, over: Partial<Services>) =>
    subscribe({
      schema,
      document: parse(query),
      contextValue: createContext(
        { ...NOBODY, authorization },
        { ...services, ...over },
        PAGE_SIZES,
        new Answers().begin(),
      ),
      variableValues: { after: 3 },
    });
  const FOLLOW = `subscription ($after: Count) {
    logAdded(after: $after, filter: { modules: ["m"] }) { id sequence changes { path } related { id } }
  }`;

  it('yields a result an entry, for the scope that its directive granted', async () => {
    const requestId = randomUUID();
    const batches = [
      [entry({ sequence: 4, requestId }), entry({ sequence: 5, data: { before: { a: 1 }, after: {} } })],
      [entry({ sequence: 6, requestId })],
    ];
    const follow = vi.fn(async function* () {
      yield* batches;
    });
    const byRequests = vi.fn(async () => new Map([[requestId, batches.flat()]]));
    const results = await open(FOLLOW, 'viewer', {
      tail: { follow },
      reader: { ...services.reader, byRequests },
    });
    const seen: unknown[] = [];
    for await (const result of results as AsyncIterable<ExecutionResult>) seen.push(result);
    const [four, five, six] = batches.flat().map(({ id }) => ({ id }));
    expect(seen).toEqual([
      { data: { logAdded: { ...four, sequence: 4, changes: [], related: [five, six] } } },
      { data: { logAdded: { ...five, sequence: 5, changes: [{ path: '/a' }], related: [] } } },
      { data: { logAdded: { ...six, sequence: 6, changes: [], related: [four, five] } } },
    ]);
    expect(follow).toHaveBeenCalledExactlyOnceWith(
      toCriteria({ tenantId: TENANT, clients: null }, { modules: ['m'] }, new Date()),
      3,
      expect.any(AbortSignal),
      expect.any(Function),
    );
    // Once a batch: what was related to an earlier one may have grown since.
    expect(byRequests).toHaveBeenCalledTimes(2);
  });

  it('ends at once when it is returned, though no entry comes', async () => {
    const follow: Services['tail']['follow'] = async function* (_criteria, _after, stopped) {
      await once(stopped, 'abort');
      yield* [];
    };
    const results = (await open(FOLLOW, 'viewer', { tail: { follow } })) as AsyncGenerator<ExecutionResult>;
    const next = results.next();
    await results.return(undefined);
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('is refused to a caller who may not view', async () => {
    const follow = vi.fn();
    const refused = (await open(FOLLOW, 'module', { tail: { follow } })) as ExecutionResult;
    expect(refused.errors?.[0]?.message).toBe('Missing action reel.logs.view');
    expect(follow).not.toHaveBeenCalled();
  });
});

describe('results of subscriptions', () => {
  const viewer = { ...NOBODY, authorization: 'viewer' };
  const follow = (selection: string, tail: Services['tail']) => {
    const schema = buildReelSchema();
    const subscriptions = new Subscriptions({
      schema,
      services: { ...services, tail },
      answers: new Answers(),
      pageSizes: PAGE_SIZES,
      validateDocument: documentValidator(schema, { introspection: false }),
      format: errorFormatter({ log: { error: () => {} }, hints: false }),
    });
    return async (after: number) => {
      const query = `subscription ($after: Count) { logAdded(after: $after) { ${selection} } }`;
      const results = await subscriptions.subscribe({ query, variables: { after } }, viewer);
      const seen: unknown[] = [];
      for await (const result of results as AsyncIterable<unknown>) seen.push(result);
      return seen;
    };
  };

  it.each([
    ['sequence changes { path }', true],
    ['sequence related { id }', false],
    ['sequence @include(if: true)', false],
  ])('{ %s } are shared by all who are given the same entries: %s', async (selection, isShared) => {
    const entries = [entry({ sequence: 1 }), entry({ sequence: 2 })];
    const open = follow(selection, {
      follow: async function* () {
        yield entries;
      },
    });
    const [one, other] = [await open(0), await open(1)];
    expect(one).toEqual(other);
    expect(one.map((result, index) => result === other[index])).toEqual([isShared, isShared]);
  });

  it('end with one that says why, where the source fails', async () => {
    const open = follow('sequence', {
      follow: async function* () {
        yield [entry({ sequence: 1 })];
        throw forbidden('No longer');
      },
    });
    expect(JSON.parse(JSON.stringify(await open(0)))).toEqual([
      { data: { logAdded: { sequence: 1 } } },
      { errors: [{ message: 'No longer', extensions: { code: 'FORBIDDEN' } }] },
    ]);
  });
});

describe('fields', () => {
  const requestId = randomUUID();

  it('of a list: counts only when asked, cursors, pages', async () => {
    const entries = [entry(), entry()];
    const count = vi.spyOn(services.reader, 'count');
    const list = vi
      .spyOn(services.reader, 'list')
      .mockResolvedValue({ entries, hasNextPage: true, hasPreviousPage: false, stopped: null });
    const after = randomUUID().toUpperCase();
    const query =
      'query ($after: String) { logs(first: 2, after: $after, filter: { modules: ["a"] }) { edges { cursor node { id } } pageInfo { hasNextPage startCursor endCursor } } }';
    const { body } = await server.ask(query, { variables: { after } });
    expect(body.data.logs).toEqual({
      edges: entries.map(({ id }) => ({ cursor: id, node: { id } })),
      pageInfo: { hasNextPage: true, startCursor: entries[0]!.id, endCursor: entries[1]!.id },
    });
    const [criteria, request] = list.mock.calls[0]!;
    expect(criteria).toEqual(toCriteria({ tenantId: TENANT, clients: null }, { modules: ['a'] }, new Date()));
    expect(request).toMatchObject({
      first: 2,
      after: after.toLowerCase(),
      orderBy: 'NEWEST_FIRST',
    });
    expect(count).not.toHaveBeenCalled();
    const counted = await server.ask(
      '{ logs { totalCount { value precision } exact: totalCount(exact: true) { precision } } }',
    );
    expect(counted.body.data.logs).toEqual({
      totalCount: { value: 7, precision: 'AT_LEAST' },
      exact: { precision: 'EXACT' },
    });
  });

  it.each([
    'first: 0',
    'first: 101',
    'first: -1',
    'last: 101',
    'first: 1, last: 1',
    'after: "x"',
    'before: ""',
    'page: 0',
    `after: "${requestId}", before: "${requestId}"`,
    'page: 1, last: 1',
    `page: 1, after: "${requestId}"`,
    `page: 1, before: "${requestId}"`,
  ])('of a list refuse %s', async (args) => {
    const { status, body } = await server.ask(`{ logs(${args}) { nodes { id } } }`);
    expect(status).toBe(200);
    expect(body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(body.errors[0].message).toMatch(/^(first|last|page|after|before): expected .*, got /);
  });

  it('of one request go by one instant, however long it takes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const later = () => vi.setSystemTime(Date.now() + 3_600_000);
      const list = vi.spyOn(services.reader, 'list').mockImplementation(async () => {
        later();
        return { entries: [], hasNextPage: false, hasPreviousPage: false, stopped: null };
      });
      const count = vi.spyOn(services.reader, 'count').mockImplementation(async () => {
        later();
        return { value: 0, precision: CountPrecision.EXACT };
      });
      const stats = vi.spyOn(services.stats, 'stats');
      const filter = 'filter: { query: "since:-1h until:-1m" }';
      const page = `logs(${filter}) { nodes { id } totalCount { value } }`;
      await server.ask(`{ ${page} again: ${page} logStats(${filter}) { totalEntries } }`);
      const asked = [...list.mock.calls, ...count.mock.calls, ...stats.mock.calls].map(
        ([criteria]) => criteria,
      );
      expect(asked).toHaveLength(5);
      expect(new Set(asked.map(({ start, end }) => `${start} ${end}`)).size).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('related are looked up in one query a level, without the entry itself', async () => {
    const [one, two, lone] = [entry({ requestId }), entry({ requestId }), entry({ requestId: randomUUID() })];
    vi.spyOn(services.reader, 'list').mockResolvedValue({
      entries: [one, two, lone, entry()],
      hasNextPage: false,
      hasPreviousPage: false,
      stopped: null,
    });
    const byRequests = vi.spyOn(services.reader, 'byRequests').mockImplementation(
      async () =>
        new Map([
          [requestId, [one, two]],
          [lone.requestId!, [lone]],
        ]),
    );
    const { body } = await server.ask(
      '{ logs { nodes { related(first: 1) { id related(first: 1) { id } } } } }',
    );
    expect(body.data.logs.nodes.map(({ related }: { related: unknown }) => related)).toEqual([
      [{ id: two.id, related: [{ id: one.id }] }],
      [{ id: one.id, related: [{ id: two.id }] }],
      [],
      [],
    ]);
    expect(byRequests).toHaveBeenCalledTimes(1);
    expect(byRequests.mock.calls[0]!.slice(1)).toEqual([[requestId, lone.requestId], 2]);
    const refused = await server.ask('{ logs { nodes { related(first: 101) { id } } } }');
    expect(refused.body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
  });

  it('related and proof are nothing to who may not view', async () => {
    const byRequests = vi.spyOn(services.reader, 'byRequests');
    const proofs = vi.spyOn(services.seal, 'inclusionProofs');
    const query =
      'mutation { createLog(input: { module: "m", action: "a" }) { requestId related { id } proof { leafHash } } }';
    const { body } = await server.ask(query, { as: 'module' });
    expect(body.data.createLog).toMatchObject({ requestId: expect.any(String), related: [], proof: null });
    expect(byRequests).not.toHaveBeenCalled();
    expect(proofs).not.toHaveBeenCalled();
    expect((await server.ask(query)).body.data.createLog.proof).toBeNull();
    expect(proofs).toHaveBeenCalledOnce();
  });

  it('changes are told of data; the seal and the statistics say what there is', async () => {
    vi.spyOn(services.reader, 'get').mockResolvedValue(
      entry({ data: { before: { a: 1 }, after: { a: 2 } } }),
    );
    const { body } = await server.ask(
      `{ log(id: "${requestId}") { data changes { path before after } changeCount } checkpoint { note } consistencyProof(first: 1, second: 2) { second }
         logStats { totalEntries timeline { start } facet(field: MODULE) { key count } } }`,
    );
    expect(body).toEqual({
      data: {
        log: {
          data: { before: { a: 1 }, after: { a: 2 } },
          changes: [{ path: '/a', before: '1', after: '2' }],
          changeCount: 1,
        },
        checkpoint: null,
        consistencyProof: { second: 2 },
        logStats: { totalEntries: 3, timeline: [], facet: [{ key: 'MODULE', count: 3 }] },
      },
    });
  });
});
