import { createHmac, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, JWT_SECRET, moduleToken, person, SERVICE_SECRET, startReel, type TestReel } from './reel.js';

const TENANT = randomUUID();
const CLIENT = randomUUID();
const REST = '/api/v1/reel';
/** Far above what any answer to faulty input needs: what comes is not sent back. */
const LONGEST_ANSWER = 64 * 1024;

let reel: TestReel;
let module: string;
let ana: string;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  module = await moduleToken();
  ana = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
});
afterAll(() => reel.close());

interface Sent {
  status: number;
  text: string;
}

async function send(path: string, init: RequestInit, token: string | null = module): Promise<Sent> {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(init.headers as Record<string, string> | undefined),
  };
  const answer = await fetch(reel.url + path, { method: 'POST', redirect: 'manual', ...init, headers });
  return { status: answer.status, text: await answer.text() };
}

/** Bytes as they go over the wire, and what comes back before the connection ends. */
function sendRaw(bytes: string | Buffer, milliseconds = 3_000): Promise<string> {
  const { hostname, port } = new URL(reel.url);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.setTimeout(milliseconds, () => socket.destroy());
    socket.on('error', () => {}).on('close', () => resolve(text));
  });
}

/** Deliberately answered, in few words, without repeating what came or showing anything of the inside. */
function expectAnswered({ status, text }: Sent, came: unknown = ''): void {
  expect({ status, text: text.slice(0, 500), came }).toSatisfy(
    (answer: Sent) => answer.status >= 200 && answer.status < 500,
  );
  expect(text).not.toMatch(
    /INTERNAL_SERVER_ERROR|Internal server error|node_modules|\bat \w+ \(|SELECT|insert into/,
  );
  if (status === 201 || (status === 200 && !text.includes('"errors"'))) return;
  expect(text.length).toBeLessThan(LONGEST_ANSWER);
  const said = textsIn(readJson(text));
  for (const stretch of textsIn(came).flatMap(stretches))
    for (const each of said) expect(each).not.toContain(stretch);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Every text and every key in a value. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [key, ...textsIn(each)]);
}

/** Pieces of 201 characters out of what came, which may stand in no answer. */
function stretches(came: string): string[] {
  const found: string[] = [];
  for (let at = 0; at + 201 <= came.length && found.length < 50; at += 97)
    found.push(came.slice(at, at + 201));
  return found;
}

/** A token that no library would make, whose signature is right. */
function signed(head: unknown, claims: unknown, secret: string): string {
  const text = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const stored = async () =>
  Number((await reel.own.query('select count(*) as n from reel_log_entries'))[0]?.n ?? 0);

/** Every entry has its leaf, in the inbox or in the order, and every leaf its entry. */
async function expectWhole(expected: number): Promise<void> {
  const [row] = await reel.own.query(`
    select (select count(*) from reel_log_entries)::int as entries,
      (select count(*) from reel_log_entries e join
        (select tenant_id, entry_id from reel_log_inbox union all select tenant_id, entry_id from reel_log_sequence) p
        on p.tenant_id = e.tenant_id and p.entry_id = e.id)::int as placed,
      (select count(*) from reel_log_keys k where not exists
        (select from reel_log_entries e where e.tenant_id = k.tenant_id and e.id = k.entry_id))::int as orphans`);
  expect(row).toEqual({ entries: expected, placed: expected, orphans: 0 });
}

const LONG = 'lorem ipsum dolor sit amet, consetetur sadipscing elitr '.repeat(40);
const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    'x\udfffy',
    '\u202e\u0007\x7f',
    '__proto__',
    'constructor',
    'reel',
    "'; drop table reel_log_entries; --",
    '%_\\',
    '$1',
    '../../etc/passwd',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999Z',
    '10000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-05',
    '256.1.1.1',
    '10.0.0.0/99',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    TENANT,
    TENANT.toUpperCase(),
    LONG,
    '𝕏'.repeat(300),
  ),
  fc.string({ minLength: 250, maxLength: 2_000 }),
);
const odd: fc.Arbitrary<unknown> = fc.oneof(
  oddText,
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom<unknown>(null, true, 0, -0, -1, 1e308, 2 ** 53, -(2 ** 63), 0.1, [], {}, [[]], [null]),
  fc.dictionary(oddText, fc.oneof(oddText, fc.integer()), { maxKeys: 4 }),
);
/** Fewer or more of these keys, each with whatever. Null prototype and `__proto__` as a key of its own included. */
const fieldsOf = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), odd, {
    maxKeys: 6,
    noNullPrototype: false,
  });

const CREATE_FIELDS =
  'module action severity resource_type resource_id data actor_id actor_email actor_name tenant_id client_id ip_address user_agent request_id'.split(
    ' ',
  );
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const runs = (numRuns: number) => ({
  numRuns,
  interruptAfterTimeLimit: 2_500,
  markInterruptAsFailure: false,
});

describe('REST given garbage', () => {
  it('answers any bytes as a body', async () => {
    const before = await stored();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          oddText.map((text) => Buffer.from(text)),
        ),
        fc.constantFrom('/logs', '/logs/export'),
        async (bytes, path) => {
          const answer = await send(REST + path, { body: Buffer.from(bytes) });
          expectAnswered(answer, Buffer.from(bytes).toString('latin1'));
          expect(answer.status).not.toBe(201);
        },
      ),
      runs(120),
    );
    await expectWhole(before);
  });

  it('stores an entry of odd fields whole or not at all', async () => {
    let expected = await stored();
    await fc.assert(
      fc.asyncProperty(fieldsOf(CREATE_FIELDS), fc.boolean(), async (fields, isPerson) => {
        const entry = { module: 'fuzz', action: 'a', ...(isPerson ? {} : { tenant_id: TENANT }), ...fields };
        const answer = await send(`${REST}/logs`, { body: JSON.stringify(entry) }, isPerson ? ana : module);
        expectAnswered(answer, entry);
        if (answer.status === 201) expected += 1;
        if (answer.status === 422)
          for (const fault of JSON.parse(answer.text).detail)
            expect(fault).toMatchObject({
              type: expect.any(String),
              loc: expect.any(Array),
              msg: expect.any(String),
            });
      }),
      runs(120),
    );
    await expectWhole(expected);
  });

  it('answers any query string', async () => {
    const names =
      'page page_size module action severity actor_id client_id start_date end_date search min_severity resource_type resource_id request_id __proto__ page[] '.split(
        ' ',
      );
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom(...names),
            fc.oneof(oddText, fc.integer().map(String), fc.double().map(String)),
          ),
          {
            maxLength: 5,
          },
        ),
        async (pairs) => {
          const query = pairs
            .map(([name, value]) => `${encodeURIComponent(name)}=${escaped(value)}`)
            .join('&');
          const answer = await send(`${REST}/logs?${query}`, { method: 'GET' }, ana);
          expectAnswered(answer, pairs.map(([, value]) => value).join(''));
        },
      ),
      runs(120),
    );
  });

  it.each([
    '%',
    '%00',
    '%ff',
    '%c0%80',
    'a=%',
    '=&&&==',
    'page=1&page=2',
    'page=01',
    'page=%2b1',
    '?',
    'search=%ed%a0%80',
  ])('answers the query %s', async (query) => {
    expectAnswered(await send(`${REST}/logs?${query}`, { method: 'GET' }, ana), query);
    expectAnswered(await send(`${REST}/exports/logs.csv?token=${query}`, { method: 'GET' }, null), query);
  });

  it('answers any path', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(oddText, fc.constantFrom('logs', 'stats', 'export', 'exports', '..', '.', '')), {
          maxLength: 4,
        }),
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
        async (parts, method) => {
          const path = `${REST}/${parts.map(escaped).join('/')}`;
          const answer = await send(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) }, ana);
          expectAnswered(answer, parts.join(''));
        },
      ),
      runs(80),
    );
    for (const path of [
      '/logs/%',
      '/logs/%ff',
      '/logs/%2e%2e%2f',
      `/logs/${'x'.repeat(3_000)}`,
      '//logs',
      '/logs//',
      '/%',
    ])
      expectAnswered(await send(REST + path, { method: 'GET' }, ana), path);
  });

  it('answers any export link', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, async (name, token) => {
        const answer = await send(
          `${REST}/exports/${escaped(name)}?token=${escaped(token)}`,
          { method: 'GET' },
          null,
        );
        expectAnswered(answer, token);
        expect(answer.status).toBeGreaterThanOrEqual(300);
      }),
      runs(60),
    );
  });
});

/** As encodeURIComponent, which refuses surrogates without their half. */
const escaped = (text: string) =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

describe('one faulty value', () => {
  const raw = (more: string) => `{"module":"fuzz","action":"a","tenant_id":"${TENANT}",${more}}`;
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  it.each<[string, string, number]>([
    ['a number past all bounds', raw('"data":{"a":1e999}'), 422],
    ['a NUL in data', raw('"data":{"a":"\\u0000"}'), 422],
    ['a NUL in a key of data', raw('"data":{"\\u0000":1}'), 422],
    ['a lone surrogate in data', raw('"data":{"a":"\\ud800"}'), 422],
    ['a lone surrogate in a key of data', raw('"data":{"\\udc00":1}'), 422],
    ['a NUL in an action', `{"module":"fuzz","action":"a\\u0000","tenant_id":"${TENANT}"}`, 422],
    ['a NUL in a user agent', raw('"user_agent":"a\\u0000"'), 422],
    ['a lone surrogate in a name', raw('"actor_name":"\\ud800"'), 422],
    ['data of 32 levels', raw(`"data":${deep(32)}`), 201],
    ['data of 33 levels', raw(`"data":${deep(33)}`), 422],
    ['data of 100,000 levels', raw(`"data":${deep(100_000)}`), 422],
    ['a field of 100,000 levels', raw(`"resource_id":${'['.repeat(100_000)}${']'.repeat(100_000)}`), 422],
    ['a body of 100,000 levels', '['.repeat(100_000) + ']'.repeat(100_000), 422],
    ['data that is a list', raw('"data":[1]'), 422],
    ['data that is text', raw('"data":"x"'), 422],
    ['data of 65,537 bytes', raw(`"data":{"a":"${'x'.repeat(65_529)}"}`), 422],
    ['data of 65,536 bytes', raw(`"data":{"a":"${'x'.repeat(65_528)}"}`), 201],
    ['a prototype in data', raw('"data":{"__proto__":{"admin":true},"constructor":{"prototype":1}}'), 201],
    ['a prototype in the body', raw('"__proto__":{"severity":"ERROR"}'), 201],
    ['a key said twice', raw('"action":"b"'), 201],
    ['a severity in lower case', raw('"severity":"error"'), 422],
    ['a severity of a prototype', raw('"severity":"__proto__"'), 422],
    ['an inherited severity', raw('"severity":"constructor"'), 422],
    ['UTF-16', Buffer.from(raw('"resource_id":"x"'), 'utf16le').toString('latin1'), 422],
  ])('%s', async (_, body, expected) => {
    const before = await stored();
    const answer = await send(`${REST}/logs`, { body });
    expectAnswered(answer, body.length > 50_000 ? body : readJson(body));
    expect(answer.status).toBe(expected);
    await expectWhole(before + (expected === 201 ? 1 : 0));
    if (expected !== 201) return;
    const made = JSON.parse(answer.text);
    expect(made.severity).toBe('INFO');
    const sent = JSON.parse(body);
    expect(JSON.stringify(made.data)).toBe(JSON.stringify(sent.data ?? null));
  });

  it('in a batch stores nothing of the batch', async () => {
    const before = await stored();
    const good = { module: 'fuzz', action: 'a', tenantId: TENANT };
    for (const bad of [
      { ...good, module: '' },
      { ...good, tenantId: null },
      { ...good, data: { a: '\0' } },
      { ...good, module: 'reel' },
      { ...good, ipAddress: '1.2.3' },
    ]) {
      const { body } = await reel.graphql(
        module,
        'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
        { inputs: [good, bad, good] },
      );
      expect(body.errors).toHaveLength(1);
      expect(body.errors[0].extensions.code).toMatch(/BAD_USER_INPUT|FORBIDDEN/);
    }
    await expectWhole(before);
  });

  it('of a key in a batch stores nothing of the batch', async () => {
    const before = await stored();
    const create = (inputs: object[]) =>
      reel.graphql(module, 'mutation ($i: [CreateLogInput!]!) { createLogs(inputs: $i) { id } }', {
        i: inputs,
      });
    const entry = { module: 'fuzz', action: 'a', tenantId: TENANT, idempotencyKey: randomUUID() };
    expect((await create([entry])).body.errors).toBeUndefined();
    const { body } = await create([
      { ...entry, idempotencyKey: randomUUID() },
      { ...entry, action: 'other' },
    ]);
    expect(body.errors[0].extensions.code).toBe('CONFLICT');
    await expectWhole(before + 1);
  });
});

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
          expectAnswered(await send('/graphql', { body: text }, ana), body);
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
        expectAnswered(await send('/graphql', { body: JSON.stringify({ query }) }, ana), query);
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
          expectAnswered(
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
        expectAnswered(await send('/graphql', { body: JSON.stringify({ query, variables: { f } }) }, ana), f);
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
        expectAnswered(answer, input);
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
    expectAnswered(await send('/graphql', { body: text }, ana), body);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it('answers any address of a GET', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, async (query, variables) => {
        const path = `/graphql?query=${escaped(query)}&variables=${escaped(variables)}`;
        expectAnswered(await send(path, { method: 'GET' }, ana), query + variables);
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
        signal: AbortSignal.timeout(3_000),
      },
      ana,
    );
    expect(status).toBeLessThan(500);
    expect(text).toContain('BAD_USER_INPUT');
    expect(text).not.toContain('x'.repeat(201));
  }
});

it('any other path is a 404 that does not repeat it', async () => {
  await fc.assert(
    fc.asyncProperty(oddText, fc.constantFrom('GET', 'POST'), async (text, method) => {
      const path = `/x${escaped(text)}?token=${escaped(text)}`;
      const answer = await send(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
      expectAnswered(answer, text);
      expect(answer.status).toBe(404);
    }),
    runs(40),
  );
  expect((await send('/nothing?token=secret', { method: 'GET' })).text).toBe('{"detail":"Not Found"}');
});

describe('a database', () => {
  const QUERY = '{ logs { nodes { id } } logStats { totalEntries } }';
  const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';

  /** What each wire answers to reading and to writing. */
  async function ask() {
    const entry = { module: 'fuzz', action: 'a' };
    return [
      await reel.rest(ana, 'GET', '/logs'),
      await reel.rest(ana, 'GET', '/logs/stats'),
      await reel.rest(module, 'POST', '/logs', { ...entry, tenant_id: TENANT }),
      await reel.rest(ana, 'POST', '/logs/export', {}),
      await reel.graphql(ana, QUERY),
      await reel.graphql(module, CREATE, { input: { ...entry, tenantId: TENANT } }),
    ];
  }

  it('that lets nobody in is 503 with Retry-After on both wires, and all is well once it does', async () => {
    const before = await stored();
    const name = new URL(reel.own.runtimeUrl).pathname.slice(1);
    const admin = async (...statements: string[]) => {
      const place = new URL(reel.own.superuserUrl);
      place.pathname = '/postgres';
      const client = new pg.Client({ connectionString: place.toString() });
      await client.connect();
      for (const statement of statements) await client.query(statement);
      await client.end();
    };
    await admin(
      `alter database ${name} allow_connections false`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
    );
    try {
      for (const answer of await ask()) {
        expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 503 });
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(JSON.stringify(answer.body)).not.toContain(name);
      }
      expect((await fetch(`${reel.url}/health/ready`)).status).toBe(503);
      expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
    } finally {
      await admin(`alter database ${name} allow_connections true`);
    }
    expect((await ask()).map(({ status }) => status)).toEqual([200, 200, 201, 200, 200, 200]);
    expect((await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    await expectWhole(before + 2);
  });
});

it('a token with odd claims, well signed, is let in or refused, never a 500', async () => {
  const names = 'sub email iat exp nbf name grants tenants module iss aud jti'.split(' ');
  const grants = fc.array(fc.oneof(odd, fieldsOf(['action', 'scope', 'tenant_id', 'client_id'])), {
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fieldsOf(names), fc.record({ grants, tenants: odd })),
      fc.constantFrom(JWT_SECRET, SERVICE_SECRET),
      async (odds, secret) => {
        const soon = Math.floor(Date.now() / 1000) + 600;
        const claims = { sub: TENANT, email: 'a@example.com', exp: soon, module: 'fuzz', ...odds };
        const token = signed({ alg: 'HS256' }, claims, secret);
        for (const answer of [
          await send(`${REST}/logs`, { method: 'GET' }, token),
          await send(`${REST}/logs`, { body: '{}' }, token),
          await send('/graphql', { body: '{"query":"{ logs { nodes { id } } }"}' }, token),
        ])
          expectAnswered(answer, odds);
      },
    ),
    runs(60),
  );
});

it('a token with an odd head is a 401', async () => {
  const claims = { sub: TENANT, email: 'a@example.com', exp: Math.floor(Date.now() / 1000) + 600 };
  for (const head of [
    {},
    { alg: '' },
    { alg: 'HS256', crit: ['exp'] },
    { alg: 'HS256', b64: false, crit: ['b64'] },
    { alg: 'HS256', zip: 'DEF' },
    { alg: ['HS256'] },
    { alg: 'none' },
    { alg: 'hs256' },
    { alg: 'RS256', jwk: { kty: 'oct', k: 'AAAA' } },
    { alg: 'RS256', jku: `${reel.url}/jwks`, kid: '../../x' },
    [],
    'x',
  ]) {
    const { status } = await send(`${REST}/logs`, { method: 'GET' }, signed(head, claims, JWT_SECRET));
    // An unknown zip says nothing to a signature that is no encryption.
    expect([head, status]).toEqual([head, JSON.stringify(head).includes('zip') ? expect.any(Number) : 401]);
    expect(status).toBeLessThan(500);
  }
});

it('an export link is no credential, and a credential no export link', async () => {
  const { downloadUrl } = (await reel.graphql(ana, 'mutation { exportLogs(input: {}) { downloadUrl } }')).body
    .data.exportLogs;
  const [path, token] = downloadUrl.split('?token=');
  expect((await send(`${REST}/logs`, { method: 'GET' }, token)).status).toBe(401);
  for (const other of [module, ana])
    expect((await send(`${path}?token=${other}`, { method: 'GET' }, null)).status).toBe(403);
});

it('a page serves no file but its own', async () => {
  for (const prefix of ['/', '/assets/', '/playground/'])
    for (const way of [
      '../package.json',
      '..%2fpackage.json',
      '%2e%2e/package.json',
      '..%2f..%2fpackage.json',
      '....//package.json',
      '..%5cpackage.json',
      '%00',
      '.env',
      'index.html%00.js',
      '%2fetc%2fpasswd',
    ]) {
      const answer = await sendRaw(`GET ${prefix}${way} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect([prefix + way, answer.slice(9, 12)]).toEqual([
        prefix + way,
        expect.stringMatching(/^(400|403|404)$/),
      ]);
      expect(answer).not.toMatch(/"dependencies"|root:x/);
    }
});

describe('a websocket given garbage', () => {
  type Message = string | Uint8Array<ArrayBuffer>;

  /** What a socket is told until it is closed, or for a while. */
  const talk = (messages: Message[], protocol = 'graphql-transport-ws', milliseconds = 700) =>
    new Promise<{ code: number | null; said: string }>((resolve) => {
      const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, protocol);
      let said = '';
      const timer = setTimeout(() => resolve({ code: null, said }), milliseconds);
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
      };
      socket.onmessage = ({ data }) => {
        said += data;
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
    expect(said.length).toBeLessThan(LONGEST_ANSWER);
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

describe('a request', () => {
  it('with odd headers is answered', async () => {
    const latin = fc.string({
      unit: fc
        .integer({ min: 32, max: 255 })
        .filter((code) => code !== 127)
        .map((code) => String.fromCharCode(code)),
      maxLength: 300,
    });
    const names = [
      'authorization',
      'x-tenant-id',
      'x-client-id',
      'x-request-id',
      'idempotency-key',
      'user-agent',
      'content-type',
      'accept',
      'x-forwarded-for',
      'origin',
      'cookie',
      'accept-encoding',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), latin, { maxKeys: 4 }),
        fc.constantFrom(`${REST}/logs`, '/graphql'),
        async (given, path) => {
          const headers = { ...given };
          const body =
            path === '/graphql' ? '{"query":"{ logs { nodes { id } } }"}' : '{"module":"fuzz","action":"a"}';
          expectAnswered(await send(path, { headers, body }, ana), Object.values(headers).join(''));
        },
      ),
      runs(80),
    );
  });

  it('with an agent of any kind stores one that can be read again', async () => {
    for (const agent of ['ü'.repeat(2_000), '\xff\xfe', 'x'.repeat(9_000), ' ']) {
      const before = await stored();
      const { status, text } = await send(`${REST}/logs`, {
        headers: { 'user-agent': agent },
        body: `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`,
      });
      expect(status).toBe(201);
      expect((JSON.parse(text).user_agent ?? '').length).toBeLessThanOrEqual(1_000);
      expect(await stored()).toBe(before + 1);
    }
  });

  it.each([
    'GET / HTTP/1.1\r\n\r\n',
    'BREW /graphql HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET http://[:::1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'GET /graphql HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET /api/v1/reel/logs HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    'POST /graphql HTTP/1.1\r\nHost: [\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    'POST /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n',
    `GET /api/v1/reel/logs HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(200_000)}\r\n\r\n`,
    `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'garbage\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00',
  ])('that is hardly HTTP gets no 500 and harms nobody: %j', async (bytes) => {
    const text = await sendRaw(bytes, 500);
    expect(text).not.toMatch(/^HTTP\/1\.1 5\d\d/);
    expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
  });

  it('broken off in its body stores nothing', async () => {
    const before = await stored();
    const body = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    const head = (length: number) =>
      `POST ${REST}/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${module}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    // A whole entry, but fewer bytes than were announced.
    await Promise.all(Array.from({ length: 5 }, () => sendRaw(head(body.length + 1) + body, 300)));
    await expectWhole(before);
    expect(await sendRaw(head(body.length) + body, 500)).toMatch(/^HTTP\/1\.1 201 /);
  });

  it.each([
    ['application/xml', 415],
    ['text/plain', 415],
    ['multipart/form-data; boundary=x', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonx', 415],
    ['x', 415],
    ['application/json; charset=utf-8', 201],
    ['application/vnd.api+json', 201],
    ['APPLICATION/JSON', 201],
  ])('of type %s is %i', async (type, expected) => {
    const body = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    expect((await send(`${REST}/logs`, { headers: { 'content-type': type }, body })).status).toBe(expected);
  });

  it('of REST ends at 1 MiB, one of GraphQL at 16', async () => {
    const entry = `{"module":"fuzz","action":"a","tenant_id":"${TENANT}"}`;
    const padded = (text: string, bytes: number) => text + ' '.repeat(bytes - text.length);
    const MIB = 1024 * 1024;
    expect((await send(`${REST}/logs`, { body: padded(entry, MIB) })).status).toBe(201);
    const tooMuch = await send(`${REST}/logs`, { body: padded(entry, MIB + 1) });
    expect(tooMuch.status).toBe(413);
    expect(JSON.parse(tooMuch.text).detail).toEqual(expect.any(String));
    expect((await send(`${REST}/logs/export`, { body: padded('{}', MIB + 1) }, ana)).status).toBe(413);
    const ask = JSON.stringify({ query: '{ __typename }' });
    expect((await send('/graphql', { body: padded(ask, 16 * MIB) })).status).toBe(200);
    expect((await send('/graphql', { body: padded(ask, 16 * MIB + 1) })).status).toBe(413);
  });

  it('without an end to its size is cut off, too', async () => {
    const chunks = (async function* () {
      for (let at = 0; at < 40; at++) yield Buffer.alloc(64 * 1024, ' ');
    })();
    const answer = await send(`${REST}/logs`, {
      body: chunks as unknown as BodyInit,
      duplex: 'half',
    } as RequestInit).catch(() => ({ status: 413 }));
    expect(answer.status).toBe(413);
  });
});
