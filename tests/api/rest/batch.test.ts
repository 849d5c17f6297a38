import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longestHold } from '../../support/loop-hold.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

const PATH = '/api/v1/reel/logs/batch';
const MIB = 1_048_576;
let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken();
});
afterAll(() => reel.close());

const said = (tenant: string, more: object = {}) => ({
  module: 'guardian',
  action: 'users.create',
  tenant_id: tenant,
  ...more,
});

const send = async (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  as = token,
) => {
  const response = await fetch(reel.url + PATH, {
    method: 'POST',
    redirect: 'manual',
    headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
};
const NDJSON = { 'content-type': 'application/x-ndjson' };
const json = (entries: unknown[]) => send(JSON.stringify({ entries }));
const ndjson = (entries: unknown[]) => send(entries.map((each) => JSON.stringify(each)).join('\n'), NDJSON);
const places = (detail: { loc: unknown[]; type: string }[]) =>
  detail.map(({ loc, type }) => `${loc.join('.')} ${type}`);
const statuses = (body: { results: { status: number }[] }) => body.results.map(({ status }) => status);
const count = async (tenant: string) =>
  (await reel.rest(await viewer(tenant), 'GET', '/logs')).body.total as number;

describe.each([
  ['JSON', json],
  ['NDJSON', ndjson],
])('a batch as %s', (_, store) => {
  it('stores each entry on its own, and answers in the order given', async () => {
    const [tenant, other] = [randomUUID(), randomUUID()];
    const { status, headers, body } = await store([
      said(tenant, { resource_id: 'a' }),
      said(tenant, { resource_id: 'b', severity: 'error', actor_id: 7 }),
      said(other, { resource_id: 'c' }),
      said(tenant, { module: 'reel' }),
      said(tenant, { module: 'rеel' }),
      { action: 'x', resourceType: 'invoice' },
      7,
      null,
      [],
      said(tenant, { resource_id: 'd' }),
    ]);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(Object.keys(body)).toEqual(['results']);
    expect(statuses(body)).toEqual([201, 422, 201, 403, 403, 422, 422, 422, 422, 201]);
    const { results } = body;
    for (const index of [0, 2, 9]) expect(Object.keys(results[index])).toEqual(['status', 'entry']);
    expect([0, 2, 9].map((index) => results[index].entry.resource_id)).toEqual(['a', 'c', 'd']);
    expect(Object.keys(results[0].entry).slice(0, 3)).toEqual(['id', 'module', 'action']);
    expect(places(results[1].detail)).toEqual([
      'body.entries.1.severity enum',
      'body.entries.1.actor_id string_type',
    ]);
    expect(results[1].detail[0].msg).toMatch(/^severity: expected one of .*, got "error"$/);
    expect(results[3].detail).toBe('The module name reel is reserved');
    expect(places(results[5].detail)).toEqual([
      'body.entries.5.resourceType extra_forbidden',
      'body.entries.5.module missing',
      'body.entries.5.tenant_id missing',
    ]);
    expect(results[5].detail[0].msg).toContain('did you mean resource_type?');
    for (const index of [6, 7, 8])
      expect(places(results[index].detail)).toEqual([`body.entries.${index} model_attributes_type`]);
    expect([await count(tenant), await count(other)]).toEqual([2, 1]);
  });

  it('tells replays, and conflicts of one entry alone', async () => {
    const tenant = randomUUID();
    const one = said(tenant, { idempotency_key: 'one' });
    const first = await store([
      one,
      one,
      { ...one, action: 'other' },
      said(tenant, { idempotency_key: '' }),
      said(tenant, { idempotency_key: null }),
    ]);
    expect(statuses(first.body)).toEqual([201, 201, 409, 422, 201]);
    const [fresh, twice, conflict, faulty] = first.body.results;
    expect(fresh).not.toHaveProperty('replayed');
    expect(twice).toEqual({ ...fresh, replayed: true });
    expect(conflict).toEqual({ status: 409, detail: expect.stringContaining('idempotency') });
    expect(places(faulty.detail)).toEqual(['body.entries.3.idempotency_key string_too_short']);
    const again = await store([one]);
    expect(again.body.results[0]).toMatchObject({
      status: 201,
      entry: { id: fresh.entry.id },
      replayed: true,
    });
    // The key is that of a single create, too.
    const single = await reel.rest(token, 'POST', '/logs', said(tenant), { 'idempotency-key': 'one' });
    expect([single.status, single.body.id, single.headers.get('idempotent-replayed')]).toEqual([
      201,
      fresh.entry.id,
      'true',
    ]);
    expect(await count(tenant)).toBe(2);
  });

  it('mends what asks for repair', async () => {
    const tenant = randomUUID();
    const { body } = await store([
      said(tenant, { repair: true, actor_name: 'bob\0', ip_address: 'nowhere' }),
      said(tenant, { actor_name: 'bob\0' }),
    ]);
    expect(statuses(body)).toEqual([201, 422]);
    expect(body.results[0].entry).toMatchObject({
      actor_name: 'bob\ufffd',
      ip_address: null,
      repaired: ['actor_name', 'ip_address'],
    });
  });

  it('is of 1 to 1,000 entries', async () => {
    const tenant = randomUUID();
    const most = await store(Array.from({ length: 1_000 }, () => said(tenant)));
    expect(new Set(statuses(most.body))).toEqual(new Set([201]));
    expect(await count(tenant)).toBe(1_000);
    for (const [entries, type] of [
      [[], 'too_short'],
      [Array.from({ length: 1_001 }, () => said(tenant)), 'too_long'],
    ] as const) {
      const { status, body } = await store([...entries]);
      expect([status, places(body.detail)]).toEqual([422, [`body.entries ${type}`]]);
    }
    expect(await count(tenant)).toBe(1_000);
  });

  it("is a module's, under its own name", async () => {
    const tenant = randomUUID();
    const entries = [said(tenant), said(tenant, { module: 'billing' })];
    const body =
      store === json ? JSON.stringify({ entries }) : entries.map((each) => JSON.stringify(each)).join('\n');
    const type = store === json ? {} : NDJSON;
    expect(statuses((await send(body, type, await moduleToken('billing'))).body)).toEqual([403, 201]);
    const ana = await person({ tenants: [tenant] });
    for (const [as, status] of [
      [ana, 403],
      ['nonsense', 401],
    ] as const)
      expect((await send(body, type, as)).status).toBe(status);
    expect(await count(tenant)).toBe(1);
  });
});

describe('a JSON batch', () => {
  it.each([
    ['', 'body missing'],
    ['{', 'body json_invalid'],
    ['nonsense', 'body json_invalid'],
    ['[]', 'body model_attributes_type'],
    ['null', 'body model_attributes_type'],
    ['7', 'body model_attributes_type'],
    ['{}', 'body.entries missing'],
    [' { } ', 'body.entries missing'],
    ['{"entries":7}', 'body.entries list_type'],
    ['{"entries":{}}', 'body.entries list_type'],
    ['{"entries":null}', 'body.entries list_type'],
    ['{"entries":[]}', 'body.entries too_short'],
    ['{"entries":[ ] }', 'body.entries too_short'],
    ['{"entrys":[{}]}', 'body.entrys extra_forbidden|body.entries missing'],
    ['{"entries":[{}],"more":1}', 'body.more extra_forbidden'],
    ['{"entries":[{}],"entries":[{}]}', 'body.entries value_error'],
    ['{"entries":[{}],"ent\\u0072ies":[{}]}', 'body.entries value_error'],
    ['{"entries":[{}]', 'body json_invalid'],
    ['{"entries":[{}]}}', 'body json_invalid'],
    ['{"entries":[{}],}', 'body json_invalid'],
    ['{"entries":[{},]}', 'body json_invalid'],
    ['{"entries":[{} {}]}', 'body json_invalid'],
    ['{"entries":[{"a":[}]}]}', 'body json_invalid'],
    ['{"entries":[{"a":1},{"a":nul}]}', 'body json_invalid'],
    ['{"entries":[{"a":"\u0001"}]}', 'body json_invalid'],
    ['{"entries":[{"a":"x]}', 'body json_invalid'],
    ['{"entries":[:]}', 'body json_invalid'],
    ['{entries:[{}]}', 'body json_invalid'],
    ['{"entries"[{}]}', 'body json_invalid'],
    ['{"entries":[{}],"x":}', 'body json_invalid'],
    ['{"entries":[{}]}\0', 'body json_invalid'],
  ])('that is wrong around its entries is refused whole: %s', async (text, expected) => {
    const { status, body } = await send(text);
    expect([status, places(body.detail).join('|')]).toEqual([422, expected]);
  });

  it('of bytes that are no UTF-8 is refused whole', async () => {
    const { status, body } = await send(
      new Uint8Array([...Buffer.from('{"entries":[{"a":"'), 0xff, 0x22, 0x7d, 0x5d, 0x7d]),
    );
    expect([status, places(body.detail)]).toEqual([422, ['body json_invalid']]);
  });

  it('stores nothing where the body breaks off behind well entries', async () => {
    const tenant = randomUUID();
    const text = JSON.stringify({ entries: [said(tenant), said(tenant)] });
    expect((await send(`${text.slice(0, -1)},"x":1}`)).status).toBe(422);
    expect((await send(text.slice(0, -2))).status).toBe(422);
    expect(await count(tenant)).toBe(0);
  });

  it('may be spaced as JSON may, with brackets and quotes in its texts', async () => {
    const tenant = randomUUID();
    const odd = { data: { '}]"\\': '{[",\\"', a: [[], {}, '', '\\'] } };
    const text = `\r\n{ "entries"\t: [ ${JSON.stringify(said(tenant, odd), null, 2)} ,\n ${JSON.stringify(said(tenant))} ] }\n`;
    const { body } = await send(text);
    expect(statuses(body)).toEqual([201, 201]);
    expect(body.results[0].entry.data).toEqual(odd.data);
  });
});

describe('an NDJSON batch', () => {
  it('ends with a line break or without, and has lines of white space', async () => {
    const tenant = randomUUID();
    const line = JSON.stringify(said(tenant));
    for (const text of [line, `${line}\n`, `${line}\r\n`, `\n \t\n${line}\r\n\r\n  `, `\ufeff${line}`])
      expect(statuses((await send(text, NDJSON)).body)).toEqual([201]);
  });

  it('with a line that is no JSON refuses that one, and names the line', async () => {
    const tenant = randomUUID();
    const line = JSON.stringify(said(tenant));
    const bytes = Buffer.concat([
      Buffer.from(`${line}\n\n{"module":\n${line}\nnonsense\n`),
      Buffer.from([0xff, 0x0a]),
      Buffer.from(`${line} ${line}\n${line}`),
    ]);
    const { body } = await send(new Uint8Array(bytes), NDJSON);
    expect(statuses(body)).toEqual([201, 422, 201, 422, 422, 422, 201]);
    for (const [index, at] of [
      [1, 3],
      [3, 5],
      [4, 6],
      [5, 7],
    ] as const) {
      expect(places(body.results[index].detail)).toEqual([`body.entries.${index} json_invalid`]);
      expect(body.results[index].detail[0].msg).toBe(`JSON decode error in line ${at}`);
    }
  });

  it.each(['', '\n', ' \n\r\n\t '])('of no line but white space is refused: %j', async (text) => {
    const { status, body } = await send(text, NDJSON);
    expect([status, places(body.detail)]).toEqual([422, ['body.entries too_short']]);
  });
});

describe('what holds for every path holds here', () => {
  it('the method, the trailing slash, the types and codings', async () => {
    const call = (method: string, path: string) =>
      fetch(reel.url + path, { method, redirect: 'manual', headers: { authorization: `Bearer ${token}` } });
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status, headers } = await call(method, PATH);
      expect([status, headers.get('allow')]).toEqual([405, 'POST']);
    }
    const moved = await call('POST', `${PATH}/?a=b`);
    expect([moved.status, moved.headers.get('location')]).toEqual([307, `${PATH}?a=b`]);
    const body = JSON.stringify({ entries: [said(randomUUID())] });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/ndjsonx',
      'x'.repeat(500),
    ]) {
      const { status, body: answer } = await send(body, { 'content-type': type });
      expect([status, answer.detail]).toEqual([
        415,
        expect.stringMatching(/^Expected a (well-formed )?Content-Type/),
      ]);
      expect(answer.detail.length).toBeLessThan(300);
    }
    for (const type of ['application/json; charset=utf-8', 'application/vnd.x+json'])
      expect((await send(body, { 'content-type': type })).status).toBe(200);
    const coded = await send(body, { 'content-encoding': 'br' });
    expect([coded.status, coded.headers.get('accept-encoding')]).toEqual([415, 'gzip']);
  });

  it('gzip', async () => {
    const tenant = randomUUID();
    const line = JSON.stringify(said(tenant));
    const gzip = { 'content-encoding': 'gzip' };
    expect(statuses((await send(new Uint8Array(gzipSync(`{"entries":[${line}]}`)), gzip)).body)).toEqual([
      201,
    ]);
    expect(
      statuses((await send(new Uint8Array(gzipSync(`${line}\n${line}`)), { ...gzip, ...NDJSON })).body),
    ).toEqual([201, 201]);
  });

  it('an Idempotency-Key in the header is refused, since it would be passed over', async () => {
    const { status, body } = await send(JSON.stringify({ entries: [said(randomUUID())] }), {
      'idempotency-key': 'x',
    });
    expect([status, places(body.detail)]).toEqual([422, ['header.Idempotency-Key value_error']]);
  });

  it('16 MiB at most, also once it is unpacked', async () => {
    const tenant = randomUUID();
    const line = JSON.stringify(said(tenant));
    const padded = (size: number) => `{"entries":[${line}]${' '.repeat(size - line.length - 14)}}`;
    for (const pack of [false, true]) {
      const of = (size: number) =>
        pack
          ? send(new Uint8Array(gzipSync(padded(size))), { 'content-encoding': 'gzip' })
          : send(padded(size));
      expect((await of(16 * MIB)).status).toBe(200);
      const { status, body } = await of(16 * MIB + 1);
      expect([status, body]).toEqual([413, { detail: 'Expected a body of at most 16777216 bytes' }]);
    }
    const single = await reel.rest(token, 'POST', '/logs', `${line}${' '.repeat(MIB)}`);
    expect([single.status, single.body]).toEqual([
      413,
      { detail: 'Expected a body of at most 1048576 bytes' },
    ]);
  });
});

/** Bodies that take long to read, check, store or answer. */
const lines = (entries: object[]) => entries.map((each) => JSON.stringify(each));
const large = (tenant: string) =>
  lines(
    Array.from({ length: 1_000 }, () => said(tenant, { data: { a: randomBytes(7_600).toString('hex') } })),
  );
const HEAVY: [name: string, body: (tenant: string) => string, headers?: Record<string, string>][] = [
  ['1,000 entries of 16 KB as JSON', (tenant) => `{"entries":[${large(tenant)}]}`],
  ['1,000 entries of 16 KB as NDJSON', (tenant) => large(tenant).join('\n'), NDJSON],
  [
    'entries of many members',
    (tenant) => {
      const data = Object.fromEntries(Array.from({ length: 4_000 }, (_, at) => [`k${at}`, at]));
      return `{"entries":[${lines(Array.from({ length: 40 }, () => said(tenant, { data })))}]}`;
    },
  ],
  [
    'entries of many unknown names',
    (tenant) => {
      const unknown = Object.fromEntries(Array.from({ length: 100 }, (_, at) => ['n'.repeat(100) + at, 1]));
      return `{"entries":[${lines(Array.from({ length: 200 }, () => said(tenant, unknown)))}]}`;
    },
  ],
  [
    'entries to be mended',
    (tenant) => {
      const data = { a: Array.from({ length: 20_000 }, (_, at) => at) };
      return lines(Array.from({ length: 30 }, () => said(tenant, { repair: true, data }))).join('\n');
    },
    NDJSON,
  ],
  ['one long entry', () => `{"entries":[{"data":[${'[1e400,0.12345678901234567],'.repeat(150_000)}0]}]}`],
  ['deep brackets', () => `{"entries":[${'['.repeat(8_000_000)}${']'.repeat(8_000_000)}]}`],
  ['unknown members', () => `{${'"a":0,'.repeat(2_700_000)}"entries":[{}]}`],
  ['white space', () => `${' '.repeat(16 * MIB - 3)}{}`],
  ['line breaks', () => `${'\n'.repeat(16 * MIB - 3)}{}`, NDJSON],
  ['a list that is none', () => `[${'{},'.repeat(2_500_000)}0]`],
  ['backslashes', () => `{"entries":[{"a":"${'\\\\'.repeat(8_000_000)}"}]}`],
];

describe('the event loop is left to others', () => {
  it.each(HEAVY)(
    'by %s',
    async (_, make, headers = {}) => {
      const body = Buffer.from(make(randomUUID()));
      expect(body.length).toBeLessThanOrEqual(16 * MIB);
      const call = request(reel.url + PATH, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      });
      const longest = await longestHold(async () => {
        call.end(body);
        const [answer] = (await once(call, 'response')) as [IncomingMessage];
        expect([200, 422]).toContain(answer.statusCode);
        await once(answer.resume(), 'end');
      });
      // 100 ms are the aim; the rest is for a slow machine, and for the client, which shares the loop here.
      expect(longest).toBeLessThan(500);
    },
    120_000,
  );

  it('by a long body over GraphQL', async () => {
    const tenantId = randomUUID();
    const inputs = Array.from({ length: 1_000 }, () => ({
      tenantId,
      module: 'guardian',
      action: 'users.create',
      data: { a: randomBytes(7_000).toString('hex') },
    }));
    const query =
      'mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { entry { id } code } }';
    const body = Buffer.from(JSON.stringify({ query, variables: { inputs } }));
    const call = request(`${reel.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    const longest = await longestHold(async () => {
      call.end(body);
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(200);
      await once(answer.resume(), 'end');
    });
    expect(longest).toBeLessThan(500);
    expect(await count(tenantId)).toBe(1_000);
  }, 120_000);
});
