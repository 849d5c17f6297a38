import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { moduleToken, startReel, type TestReel } from '../../support/reel.js';

/** Bodies as the bytes that they are: what a JSON library of the caller's would have tidied up. */

const TENANT = randomUUID();
let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken();
});
afterAll(() => reel.close());

interface Outcome {
  code: string | undefined;
  /** All that the answer says. */
  text: string;
  data: unknown;
  repaired: unknown;
  status: number;
}

type Door = (data: string, repair?: boolean) => Promise<Outcome>;

const graphqlOutcome = (
  status: number,
  body: {
    errors?: { extensions: { code: string } }[];
    data?: { createLog: { data: unknown; repaired: unknown } } | null;
  },
): Outcome => ({
  status,
  code: body.errors?.[0]?.extensions.code,
  text: JSON.stringify(body),
  data: body.data?.createLog.data,
  repaired: body.data?.createLog.repaired,
});

const send = async (
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) => {
  const response = await fetch(reel.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  };
};

const fields = (data: string, repair: boolean) =>
  `"module":"billing","action":"invoices.pay","data":${data}${repair ? ',"repair":true' : ''}`;

const variables: Door = async (data, repair = false) => {
  const query = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { data repaired } }';
  const { status, body } = await send(
    '/graphql',
    `{"query":${JSON.stringify(query)},"variables":{"input":{"tenantId":"${TENANT}",${fields(data, repair)}}}}`,
  );
  return graphqlOutcome(status, body);
};

const literal: Door = async (data, repair = false) => {
  const input = `{"tenantId":"${TENANT}",${fields(data, repair)}}`.replace(/"(\w+)":/g, '$1:');
  const { status, body } = await send(
    '/graphql',
    JSON.stringify({ query: `mutation { createLog(input: ${input}) { data repaired } }` }),
  );
  return graphqlOutcome(status, body);
};

const rest: Door = async (data, repair = false) => {
  const { status, body } = await send(
    '/api/v1/reel/logs',
    `{"tenant_id":"${TENANT}",${fields(data, repair)}}`,
  );
  return {
    status,
    code: status === 422 ? 'BAD_USER_INPUT' : status === 201 ? undefined : String(status),
    text: JSON.stringify(body),
    data: body.data,
    repaired: body.repaired,
  };
};

const DOORS: [string, Door][] = [
  ['GraphQL variables', variables],
  ['GraphQL literals', literal],
  ['REST', rest],
];

describe.each(DOORS)('%s: a number', (_, door) => {
  it.each([
    '9999999999999.9999',
    '1e21',
    '5e-324',
    '123456789012345678',
    '1e400',
    '-1e-400',
    '9007199254740993',
  ])('%s is refused at its path as it was written, and kept as text with repair', async (number) => {
    const refused = await door(`{"v":${number}}`);
    expect(refused.code).toBe('BAD_USER_INPUT');
    expect(refused.text).toContain(
      `data.v: expected a number that a double holds as written (send it as text), got ${number}`,
    );
    expect(refused.text).toMatch(/"loc":\[[^\]]*"data","v"\]/);
    expect(await door(`{"v":${number}}`, true)).toMatchObject({
      code: undefined,
      data: { v: number },
      repaired: ['data'],
    });
  });

  it('is stored as the number that was sent', async () => {
    const stored = await door('{"v":[0.1,1.10,-0,-0.0,1E2,9007199254740991,1e-290]}');
    expect(stored.code).toBeUndefined();
    expect(stored.data).toEqual({ v: [0.1, 1.1, 0, 0, 100, 9007199254740991, 1e-290] });
    expect(stored.repaired).toEqual([]);
  });

  it('is told with every other one', async () => {
    const { text } = await door('{"v":[0.1,1.10,1e21,5e-324,123456789012345678]}');
    for (const came of ['1e21', '5e-324', '123456789012345678']) expect(text).toContain(`got ${came}"`);
  });

  it('of very many digits is told in short', async () => {
    const { code, text } = await door(`{"v":${'7'.repeat(50_000)}}`);
    expect(code).toBe('BAD_USER_INPUT');
    expect(text.length).toBeLessThan(2_000);
  });

  it('is refused as data itself', async () => {
    expect((await door('1e400')).code).toBe('BAD_USER_INPUT');
  });
});

describe.each(DOORS)('%s: a name', (name, door) => {
  it.each<[string, string]>([
    ['{"amount":100,"amount":1}', 'amount'],
    ['{"list":[{"deep":{"amount":100,"b":1,"amount":100}}]}', 'amount'],
    ...(name === 'GraphQL literals'
      ? []
      : ([['{"amount":100,"amou\\u006et":1}', 'amount']] as [string, string][])),
  ])('that stands twice is refused, with repair too: %s', async (data, twice) => {
    for (const repair of [false, true]) {
      const { code, text } = await door(data, repair);
      expect(code).toBe('BAD_USER_INPUT');
      expect(text).toContain(twice);
    }
  });

  it.each(['__proto__', 'constructor', 'toString'])('%s is plain data', async (plain) => {
    const { data } = await door(`{"${plain}":{"a":1}}`);
    expect(JSON.stringify(data)).toBe(`{"${plain}":{"a":1}}`);
  });
});

describe('a name that stands twice beside data', () => {
  it('at the top of a body is refused at its place, beside the other faults', async () => {
    const { status, body } = await send(
      '/api/v1/reel/logs',
      `{"tenant_id":"${TENANT}","module":"m","action":"a","action":"b","severity":"x","data":{"v":1e400,"v":1}}`,
    );
    expect(status).toBe(422);
    const places = body.detail.map(({ loc }: { loc: unknown[] }) => loc.join('.'));
    expect(places).toEqual(['body.action', 'body.data.v', 'body.severity']);
  });

  it('in GraphQL is refused at its place', async () => {
    const { body } = await send(
      '/graphql',
      '{"query":"{ __typename }","variables":{"a":{"b":1}},"variables":{}}',
    );
    expect(body.errors).toEqual([
      {
        message: 'variables: expected each name once in an object, got "variables" twice',
        extensions: {
          code: 'BAD_USER_INPUT',
          faults: [expect.objectContaining({ loc: ['body', 'variables'] })],
        },
      },
    ]);
  });
});

describe('what would be lost of a websocket message or of a GET', () => {
  it.each([
    '{"type":"connection_init","payload":{"authorization":"a","authorization":"b"}}',
    '{"type":"connection_init","payload":{"n":9007199254740993}}',
  ])('is refused: %s', async (message) => {
    const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(message);
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4400, expect.stringContaining('expected')]);
  });

  it.each(['{"v":1,"v":2}', '{"v":1.00000000000000000001}'])('is refused: %s', async (variables) => {
    const query = new URLSearchParams({
      query: 'query ($v: Int) { logs(first: $v) { nodes { id } } }',
      variables,
    });
    const response = await fetch(`${reel.url}/graphql?${query}`, {
      headers: { authorization: `Bearer ${token}`, 'apollo-require-preflight': 'yes' },
    });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('v: expected')]);
  });
});

describe('a number that no double holds, outside data', () => {
  it.each<[string, string]>([
    ['query ($v: Count!) { consistencyProof(first: 0, second: $v) { first } }', '5.00000000000000000001'],
    ['query ($v: Int!) { logs(first: $v) { nodes { id } } }', '1.00000000000000000001'],
    ['query ($v: String!) { logs(after: $v) { nodes { id } } }', '123456789012345678901'],
    ['query ($v: LogFilter) { logs(filter: $v) { nodes { id } } }', '1e400'],
    ['query ($v: [LogSeverity!]) { logs(filter: {severities: $v}) { nodes { id } } }', '1e400'],
    ['query ($v: DateTime) { logs(filter: {startDate: $v}) { nodes { id } } }', '1e400'],
    ['mutation ($v: CreateLogInput!) { createLog(input: $v) { id } }', '1e400'],
  ])('is refused: %s', async (query, number) => {
    const { body } = await send('/graphql', `{"query":${JSON.stringify(query)},"variables":{"v":${number}}}`);
    expect(body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(body.errors[0].message.length).toBeLessThanOrEqual(260);
  });

  it.each(['tenant_id', 'module', 'severity', 'actor_name', 'occurred_at', 'data', 'repair'])(
    'is refused in REST as %s',
    async (field) => {
      const said: Record<string, string> = { tenant_id: `"${TENANT}"`, module: '"m"', action: '"a"' };
      said[field] = '9999999999999.9999';
      const text = Object.entries(said).map(([name, value]) => `"${name}":${value}`);
      const { status, body } = await send('/api/v1/reel/logs', `{${text}}`);
      expect(status).toBe(422);
      expect(body.detail[0].loc).toEqual(['body', field]);
      expect(JSON.stringify(body)).toContain('9999999999999.9999');
    },
  );
});

describe("attackers do not suppress their own record: data of a module's entry with repair", () => {
  it.each<[string, string]>([
    ['of 100 KB', `{"a":"${'x'.repeat(100_000)}"}`],
    ['of 300 KB with much to escape', `{"a":"${'\\"é'.repeat(75_000)}"}`],
    ['of 10,000 levels', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
  ])('%s is kept in part', async (_, data) => {
    for (const door of [variables, rest]) {
      const stored = await door(data, true);
      expect(stored).toMatchObject({
        code: undefined,
        data: { _truncated: true, _bytes: Buffer.byteLength(data), _sha256: expect.any(String) },
        repaired: ['data'],
      });
      expect(data.startsWith((stored.data as { _text: string })._text)).toBe(true);
      expect((await door(data)).code).toBe('BAD_USER_INPUT');
    }
  });

  it('with NUL and lone surrogates is mended', async () => {
    for (const door of [variables, rest])
      expect(await door('{"a\\u0000":"bob\\u0000","b":"\\ud800"}', true)).toMatchObject({
        code: undefined,
        data: { 'a\ufffd': 'bob\ufffd', b: '\ufffd' },
        repaired: ['data'],
      });
  });
});

describe.each([
  ['/graphql', '{"query":"{ __typename }","pad":"PAD"}', 200, 16 * 1024 * 1024, 400],
  [
    '/api/v1/reel/logs',
    `{"tenant_id":"${TENANT}","module":"m","action":"a","data":{"pad":"PAD"}}`,
    201,
    1024 * 1024,
    422,
  ],
])('a packed body at %s', (path, body, done, most, unreadable) => {
  const pack = (text: string) => new Uint8Array(gzipSync(text));
  const gzip = { 'content-encoding': 'gzip' };

  it('is unpacked', async () => {
    expect((await send(path, pack(body), gzip)).status).toBe(done);
    expect((await send(path, pack(body), { 'content-encoding': ' GZIP' })).status).toBe(done);
    expect((await send(path, pack(body), { 'content-encoding': 'x-gzip' })).status).toBe(done);
    expect((await send(path, body, { 'content-encoding': 'identity' })).status).toBe(done);
  });

  it('in several members is one', async () => {
    const parts = Buffer.concat([gzipSync(body.slice(0, 20)), gzipSync(body.slice(20))]);
    expect((await send(path, new Uint8Array(parts), gzip)).status).toBe(done);
  });

  it('may be as long as a plain one once it is unpacked, and no longer', async () => {
    const fit = body.replace('PAD', 'x'.repeat(most - body.length + 3));
    expect((await send(path, pack(fit), gzip)).status).not.toBe(413);
    const { status, body: answer } = await send(path, pack(`${fit} `), gzip);
    expect([status, JSON.stringify(answer)]).toEqual([413, expect.stringContaining(String(most))]);
  });

  it('is not unpacked further than that', async () => {
    // 1 GiB: some seconds of unpacking.
    const part = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => part));
    const start = process.cpuUsage();
    expect((await send(path, new Uint8Array(bomb), gzip)).status).toBe(413);
    expect(process.cpuUsage(start).user).toBeLessThan(1_500_000);
  });

  it('is answered before it has come whole', async () => {
    const call = request(reel.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...gzip },
    });
    call.write(gzipSync(Buffer.alloc(32 * 1024 * 1024)));
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    call.destroy();
  });

  it('of another type is left alone', async () => {
    const headers = { ...gzip, 'content-type': 'text/plain' };
    expect((await send(path, pack(body), headers)).status).toBe(415);
    const junk = new Uint8Array(randomBytes(500_000));
    expect([415, unreadable]).toContain((await send(path, junk, headers)).status);
    expect((await send(path, pack(body), gzip)).status).toBe(done);
  });

  it('that breaks off harms nobody', async () => {
    const call = request(reel.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...gzip },
    });
    call.on('error', () => {});
    await new Promise((sent) => call.write(gzipSync(body).subarray(0, 20), sent));
    call.destroy();
    expect((await send(path, pack(body), gzip)).status).toBe(done);
  });

  it.each<[string, Uint8Array]>([
    ['plain text', Buffer.from(body)],
    ['half a member', gzipSync(body + randomBytes(2_000).toString('hex')).subarray(0, 500)],
    ['a member with something after it', Buffer.concat([gzipSync(body), Buffer.from('more')])],
    ['nothing', Buffer.alloc(0)],
  ])('is refused in words where it is %s', async (_, bytes) => {
    const { status, body: answer } = await send(path, new Uint8Array(bytes), gzip);
    expect(status).toBe(unreadable);
    if (bytes.length > 0) expect(JSON.stringify(answer)).toContain('Expected a body packed by gzip');
  });

  it.each(['br', 'deflate', 'gzip, gzip', 'zstd', 'gzip;q=1', 'x'.repeat(2_000)])(
    'by another coding is refused: %.20s',
    async (coding) => {
      const { status, headers, body: answer } = await send(path, body, { 'content-encoding': coding });
      expect([status, headers.get('accept-encoding')]).toEqual([415, 'gzip']);
      expect(JSON.stringify(answer)).toContain('Expected a Content-Encoding of gzip, or none');
      expect(JSON.stringify(answer).length).toBeLessThan(500);
    },
  );

  it('is looked at only once the caller is known', async () => {
    if (path === '/graphql') return;
    const { status } = await send(path, pack(body), { ...gzip, authorization: 'Bearer x' });
    expect(status).toBe(401);
  });
});
