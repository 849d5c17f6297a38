import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ana,
  expectHandled,
  expectWhole,
  MAX_RESPONSE_LENGTH,
  reel,
  send,
  startMisuseServer,
  stored,
  TENANT,
} from '../../support/misuse.js';
import {
  CREATE_FIELDS,
  camel,
  escaped,
  fieldsOf,
  LONG,
  odd,
  oddText,
  runs,
} from '../../support/odd-values.js';

beforeAll(startMisuseServer);
afterAll(() => reel.close());

describe('GraphQL given garbage', () => {
  const WORDS =
    'query mutation subscription fragment on { } ( ) [ ] : ! $ @ ... = | & "" """ #x 1 -1 1e999 0.1 true null logs log logStats nodes id first page filter after createLog input module action __typename __schema __type F a $a @skip if include mentor action \u0000 \ufeff'.split(
      ' ',
    );
  const documents = [
    'query ($a: Int) { logs(first: $a) { nodes { id data related { id } } totalCount { value } } }',
    'query Q($f: LogFilter) { logs(filter: $f) { edges { cursor node { ...F } } } } fragment F on LogEntry { id changes { path } }',
    'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
    '{ logStats(timeZone: "UTC") { timeline(interval: DAY) { start } facet(field: MODULE) { key } } }',
  ];

  it('answers any body', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          odd,
          fc.record(
            { query: odd, variables: odd, operationName: odd, extensions: odd },
            { requiredKeys: [] },
          ),
        ),
        async (body) => {
          const text = JSON.stringify(body);
          expectHandled(await send('/graphql', { body: text }, ana), body);
        },
      ),
      runs(80),
    );
  });

  it('answers any soup of words, and any document cut or spoilt', async () => {
    const spoilt = fc
      .tuple(fc.constantFrom(...documents), fc.nat(200), fc.nat(20), oddText)
      .map(([document, at, length, text]) => document.slice(0, at) + text + document.slice(at + length));
    const soup = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((words) => words.join(' '));
    const before = await stored();
    await fc.assert(
      fc.asyncProperty(fc.oneof(soup, spoilt), async (query) => {
        expectHandled(await send('/graphql', { body: JSON.stringify({ query }) }, ana), query);
      }),
      runs(120),
    );
    await expectWhole(before);
  });

  it('answers any variables', async () => {
    const FILTER =
      'startDate endDate modules notModules actions notActions severities minSeverity origin actorIds actorEmail resourceType resourceId clientId requestId ipAddress search query'.split(
        ' ',
      );
    const LISTS =
      'query ($filter: LogFilter, $first: Int, $last: Int, $page: Int, $after: String, $before: String, $zone: String!, $id: UUID!) { logs(filter: $filter, first: $first, last: $last, page: $page, after: $after, before: $before) { nodes { id changes { path } } pageInfo { endCursor } totalCount { value } } log(id: $id) { id } logStats(filter: $filter, timeZone: $zone) { totalEntries timeline { count } facet(field: ACTOR) { key } } }';
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            filter: fc.oneof(
              odd,
              fieldsOf(FILTER),
              fc.dictionary(
                fc.constantFrom(...FILTER),
                fc.oneof(oddText, fc.array(oddText, { maxLength: 25 })),
                { maxKeys: 3 },
              ),
            ),
            first: fc.oneof(fc.integer(), odd),
            last: fc.oneof(fc.constant(undefined), odd),
            page: fc.oneof(fc.integer(), odd),
            after: odd,
            before: fc.oneof(fc.constant(undefined), odd),
            zone: fc.oneof(fc.constant('UTC'), oddText),
            id: fc.oneof(fc.constant(TENANT), odd),
          },
          { requiredKeys: [] },
        ),
        async (given) => {
          const variables = { zone: 'UTC', id: TENANT, ...given };
          expectHandled(
            await send('/graphql', { body: JSON.stringify({ query: LISTS, variables }) }, ana),
            given,
          );
        },
      ),
      runs(120),
    );
  });

  it('answers filters that are right in type with anything in them', async () => {
    const filter = fc.record(
      {
        modules: fc.array(oddText, { maxLength: 3 }),
        notActions: fc.array(oddText, { maxLength: 3 }),
        actions: fc.array(oddText, { maxLength: 21 }),
        actorEmail: oddText,
        resourceId: oddText,
        ipAddress: oddText,
        search: oddText,
        query: fc.oneof(
          oddText,
          fc
            .array(
              fc.constantFrom(
                'module:',
                'a',
                '-',
                ':',
                '"',
                '\\',
                ',',
                ' ',
                'since:',
                '-24h',
                'ip:',
                '::/0',
                '>=',
                'severity',
                'ERROR',
                '\0',
                'actor:',
                '@',
              ),
              { maxLength: 12 },
            )
            .map((parts) => parts.join('')),
        ),
      },
      { requiredKeys: [] },
    );
    const query =
      'query ($f: LogFilter) { logs(filter: $f) { nodes { id } totalCount { value } } logStats(filter: $f) { totalEntries } }';
    await fc.assert(
      fc.asyncProperty(filter, async (f) => {
        expectHandled(await send('/graphql', { body: JSON.stringify({ query, variables: { f } }) }, ana), f);
      }),
      runs(120),
    );
  });

  it('stores odd entries whole or not at all', async () => {
    let expected = await stored();
    const query = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';
    const names = [...CREATE_FIELDS.map(camel), 'onBehalfOfId', 'occurredAt', 'idempotencyKey'];
    await fc.assert(
      fc.asyncProperty(fieldsOf(names), async (fields) => {
        const input = { module: 'fuzz', action: 'a', tenantId: TENANT, ...fields };
        const text = JSON.stringify({ query, variables: { input } });
        const answer = await send('/graphql', { body: text });
        expectHandled(answer, input);
        if (!answer.text.includes('"errors"')) expected += 1;
      }),
      runs(120),
    );
    // The same key with the same content is stored once; the generator never says one twice but by its constants.
    expect(await stored()).toBeLessThanOrEqual(expected);
    await expectWhole(await stored());
  });

  it.each<[string, unknown]>([
    ['a document of 100,000 levels', { query: '{a'.repeat(100_000) }],
    ['a value of 100,000 levels', { query: `{ logs(filter: ${'['.repeat(100_000)}` }],
    [
      '100,000 aliases',
      { query: `{${Array.from({ length: 100_000 }, (_, at) => `a${at}:__typename`).join(' ')}}` },
    ],
    ['a name of 100,000 characters', { query: `{ ${'x'.repeat(100_000)} }` }],
    ['text of 100,000 characters', { query: `{ log(id: "${'x'.repeat(100_000)}") { id } }` }],
    [
      'a circle of fragments',
      { query: '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }' },
    ],
    [
      'fragments that double',
      {
        query: `{ ...F0 } ${Array.from({ length: 30 }, (_, at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`).join(' ')} fragment F30 on Query { __typename }`,
      },
    ],
    ['a field asked for 2,900 times', { query: `{${' __typename'.repeat(2_900)}}` }],
    ['conflicting fields', { query: `{ ${'logs { nodes { id } } '.repeat(150)} }` }],
    ['2,000 directives', { query: `{ __typename ${'@skip(if: false) '.repeat(400)} }` }],
    ['2,000 operations', { query: 'query A { __typename } '.repeat(500) }],
    ['a variable of 100,000 levels', undefined],
    ['a batch', Array(50).fill({ query: '{ __typename }' })],
    [
      'a list of 100,000 faulty items',
      {
        query: 'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
        variables: { f: { severities: Array(100_000).fill('X') } },
      },
    ],
    [
      'an enum of 5,000 characters',
      {
        query: 'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
        variables: { f: { minSeverity: LONG.repeat(3) } },
      },
    ],
    [
      'an unknown key of 5,000 characters',
      {
        query: 'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
        variables: { f: { [LONG.repeat(3)]: 1 } },
      },
    ],
    [
      'an operation name of 5,000 characters',
      { query: 'query A { __typename }', operationName: LONG.repeat(3) },
    ],
    [
      'a prototype among variables',
      {
        query: 'query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }',
        variables: JSON.parse('{"__proto__":{"f":1},"f":{"__proto__":{"modules":["x"]}}}'),
      },
    ],
  ])('answers %s at once', async (_, body) => {
    const text =
      body === undefined
        ? `{"query":"query ($f: LogFilter) { logs(filter: $f) { nodes { id } } }","variables":{"f":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`
        : JSON.stringify(body);
    const began = performance.now();
    expectHandled(await send('/graphql', { body: text }, ana), body);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('answers any address of a GET', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, async (query, variables) => {
        const path = `/graphql?query=${escaped(query)}&variables=${escaped(variables)}`;
        expectHandled(await send(path, { method: 'GET' }, ana), query + variables);
      }),
      runs(60),
    );
  });
});

it('a subscription with a faulty filter is refused at once, and not when an entry comes', async () => {
  for (const filter of ['{ query: "modul:x" }', '{ ipAddress: "x" }', `{ search: "${'x'.repeat(256)}" }`]) {
    const query = `subscription { logAdded(filter: ${filter}) { id } }`;
    const { status, text } = await send(
      '/graphql',
      {
        headers: { accept: 'text/event-stream' },
        body: JSON.stringify({ query }),
        signal: AbortSignal.timeout(15_000),
      },
      ana,
    );
    expect(status).toBeLessThan(500);
    expect(text).toContain('BAD_USER_INPUT');
    expect(text).not.toContain('x'.repeat(201));
  }
});

describe('a websocket given garbage', () => {
  type Message = string | Uint8Array<ArrayBuffer>;

  /** What a socket is told until it is closed, or for a while. */
  const talk = (messages: Message[], protocol = 'graphql-transport-ws', milliseconds = 5_000) =>
    new Promise<{ code: number | null; said: string }>((resolve) => {
      const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, protocol);
      let said = '';
      const timer = setTimeout(() => resolve({ code: null, said }), milliseconds);
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
      };
      socket.onmessage = ({ data }) => {
        said += data;
        // Either is all that will be said.
        if (/"errors?"/.test(data) || (messages.length === 1 && /connection_ack/.test(data)))
          socket.close(1000);
      };
      socket.onerror = () => {};
      socket.onclose = ({ code, reason }) => {
        clearTimeout(timer);
        resolve({ code, said: said + reason });
      };
    });
  const init = (payload?: unknown) => JSON.stringify({ type: 'connection_init', payload });
  const subscribe = (payload: unknown) => JSON.stringify({ id: '1', type: 'subscribe', payload });

  it.each<[string, (token: string) => Message[]]>([
    ['no JSON', () => ['x']],
    ['bytes', () => [new Uint8Array([0xff, 0xfe, 0])]],
    ['a message of no type', () => ['{}']],
    ['null', () => ['null']],
    ['two beginnings', (token) => [init({ authorization: `Bearer ${token}` }), init({})]],
    ['a subscription before its beginning', () => [subscribe({ query: 'subscription { logAdded { id } }' })]],
    ['a bad token', () => [init({ authorization: 'Bearer x' })]],
    ['odd parameters', () => [init([1, { authorization: { a: 1 } }])]],
    ['odd headers', () => [init({ authorization: 7, 'x-tenant-id': [TENANT] })]],
    ['a message of 1 MiB', () => ['x'.repeat(1024 * 1024)]],
    ['100,000 levels', () => ['['.repeat(100_000)]],
    ['a soup', (token) => [init({ authorization: `Bearer ${token}` }), subscribe({ query: '{{{' })]],
    ['no document', (token) => [init({ authorization: `Bearer ${token}` }), subscribe(null)]],
    [
      'a faulty filter',
      (token) => [
        init({ authorization: `Bearer ${token}` }),
        subscribe({ query: 'subscription { logAdded(filter: { query: "modul:x" }) { id } }' }),
      ],
    ],
    [
      'a document of many levels',
      (token) => [init({ authorization: `Bearer ${token}` }), subscribe({ query: '{a'.repeat(50_000) })],
    ],
  ])('such as %s is told so or closed, and harms nobody', async (_, messages) => {
    const { code, said } = await talk(messages(ana));
    expect(said).not.toMatch(/INTERNAL_SERVER_ERROR|node_modules|\bat \w+ \(/);
    expect(said.length).toBeLessThan(MAX_RESPONSE_LENGTH);
    // Closed for the fault, or an error message of the protocol; 4500 and 1011 are the server's own failures.
    expect(code === null ? said : code).not.toBe('');
    expect([1011, 4500]).not.toContain(code);
    expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
  });

  it('of another protocol is refused', async () => {
    const { code } = await talk([init()], 'graphql-ws');
    expect(code).not.toBeNull();
  });
});
