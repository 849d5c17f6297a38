import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Credential } from '../../../src/auth/credential.js';
import { unauthenticated } from '../../../src/errors.js';
import { readCaller, trustedProxies, withConnectionParams } from '../../../src/http/request.js';
import { requestIdOf } from '../../../src/http/request-id.js';

const T1 = '0190a1b2-0000-7000-8000-0000000000f1';
const T2 = '0190a1b2-0000-7000-8000-0000000000f2';
const PERSON: Credential = {
  kind: 'person',
  id: '0190a1b2-0000-7000-8000-00000000000a',
  email: null,
  name: null,
  grants: [],
  tenants: [],
  token: 'person',
  expiresAt: 0,
};
const MODULE: Credential = { kind: 'module', module: 'guardian', expiresAt: 0 };

const door = (proxies: string[] = []) => ({
  trusts: trustedProxies(proxies),
  verify: async (token: string) => {
    if (token === 'person') return PERSON;
    if (token === 'module') return MODULE;
    throw unauthenticated();
  },
});
type Headers = [string, string][];
const call = (headers: Headers, remoteAddress: string | undefined = '192.0.2.1') => ({
  rawHeaders: headers.flat(),
  socket: { remoteAddress },
});
const read = (headers: Headers, remote?: string, proxies?: string[]) =>
  readCaller(call(headers, remote), door(proxies));
const SIGNED: [string, string] = ['Authorization', 'Bearer person'];

describe('Authorization', () => {
  test.each(['Bearer person', 'bearer person', 'BEARER   person'])('%j is read', async (value) => {
    expect(await read([['authorization', value]])).toMatchObject({
      credential: PERSON,
      authorization: value,
    });
  });

  test.each<[string, Headers]>([
    ['absent', []],
    ['empty', [['Authorization', '']]],
  ])('%s: nobody', async (_, headers) => {
    expect(await read(headers)).toMatchObject({ credential: null, authorization: null });
  });

  test.each<[string, Headers]>([
    ['another scheme', [['Authorization', 'Basic cGVyc29u']]],
    ['no token', [['Authorization', 'Bearer']]],
    ['no scheme', [['Authorization', 'person']]],
    ['two tokens', [['Authorization', 'Bearer person person']]],
    ['a comma', [['Authorization', 'Bearer person,Bearer module']]],
    ['a bad token', [['Authorization', 'Bearer other']]],
    ['twice', [SIGNED, SIGNED]],
    ['twice, of two kinds', [SIGNED, ['AUTHORIZATION', 'Bearer module']]],
  ])('%s: UNAUTHENTICATED', async (_, headers) => {
    await expect(read(headers)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a bad token comes before a bad tenant', async () => {
    await expect(
      read([
        ['Authorization', 'Bearer other'],
        ['X-Tenant-Id', 'x'],
      ]),
    ).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe.each([
  ['X-Tenant-Id', 'tenantId'],
  ['X-Client-Id', 'clientId'],
] as const)('%s', (header, field) => {
  const value = async (...values: string[]) =>
    (await read([SIGNED, ...values.map((each): [string, string] => [header.toLowerCase(), each])]))[field];

  test('is read in any case, empty as absent, twice the same as once', async () => {
    expect(await value(T1)).toBe(T1);
    expect(await value(T1.toUpperCase())).toBe(T1);
    expect(await value()).toBeNull();
    expect(await value('')).toBeNull();
    expect(await value('  ')).toBeNull();
    expect(await value(T1, T1.toUpperCase())).toBe(T1);
    expect(await value('', T1)).toBe(T1);
  });

  test.each([[['x']], [[T1, T2]], [[T1, 'x']], [[`${T1}, ${T2}`]], [[`{${T1}}`]], [['*']], [['null']]])(
    '%j is BAD_USER_INPUT',
    async (values) => {
      await expect(value(...values)).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        status: 422,
        faults: [{ loc: ['header', header] }],
      });
    },
  );

  test('a long one is not repeated whole', async () => {
    const refused = await value('x'.repeat(5000)).catch((error: Error) => error.message);
    expect(String(refused).length).toBeLessThan(260);
  });

  test('does not matter to a module or to nobody', async () => {
    for (const bad of ['x', T1]) {
      expect(
        await read([
          ['Authorization', 'Bearer module'],
          [header, bad],
        ]),
      ).toMatchObject({ credential: MODULE, tenantId: null, clientId: null });
      expect(await read([[header, bad]])).toMatchObject({ credential: null, tenantId: null, clientId: null });
    }
  });
});

describe('the address', () => {
  const address = async (remote: string | undefined, forwarded: string[], proxies: string[] = []) =>
    (
      await readCaller(
        call(
          forwarded.map((each): [string, string] => ['X-Forwarded-For', each]),
          remote,
        ),
        door(proxies),
      )
    ).ip;

  test.each<[string, string, string[], string[], string]>([
    ['the connection', '192.0.2.1', [], [], '192.0.2.1'],
    ['IPv4 mapped into IPv6', '::ffff:192.0.2.1', [], [], '192.0.2.1'],
    ['IPv6, with a zone', 'FE80:0:0::1%eth0', [], [], 'fe80::1'],
    ['nobody trusted', '192.0.2.1', ['198.51.100.7'], [], '192.0.2.1'],
    ['another trusted', '192.0.2.1', ['198.51.100.7'], ['10.0.0.0/8'], '192.0.2.1'],
    ['one proxy', '10.0.0.1', ['198.51.100.7'], ['10.0.0.1'], '198.51.100.7'],
    ['a lie before the truth', '10.0.0.1', ['1.2.3.4, 198.51.100.7'], ['10.0.0.0/8'], '198.51.100.7'],
    ['two proxies', '10.0.0.1', ['1.2.3.4, 198.51.100.7, 10.0.0.2'], ['10.0.0.0/8'], '198.51.100.7'],
    ['two headers', '10.0.0.1', ['1.2.3.4', '198.51.100.7, 10.0.0.2'], ['10.0.0.0/8'], '198.51.100.7'],
    ['all trusted', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], ['10.0.0.0/8'], '10.0.0.3'],
    ['rubbish', '10.0.0.1', ['unknown'], ['10.0.0.0/8'], '10.0.0.1'],
    ['rubbish in between', '10.0.0.1', ['1.2.3.4, _x, 10.0.0.2'], ['10.0.0.0/8'], '10.0.0.2'],
    ['an empty header', '10.0.0.1', [''], ['10.0.0.0/8'], '10.0.0.1'],
    ['a port', '10.0.0.1', ['198.51.100.7:5123'], ['10.0.0.1'], '198.51.100.7'],
    ['IPv6 with a port', '10.0.0.1', ['[2001:db8::7]:443'], ['10.0.0.1'], '2001:db8::7'],
    ['an IPv6 proxy', 'fd00::5', ['::ffff:198.51.100.7'], ['fd00::/8'], '198.51.100.7'],
    ['a mapped proxy', '::ffff:10.0.0.1', ['198.51.100.7'], ['10.0.0.0/8'], '198.51.100.7'],
    ['a mapped block', '10.0.0.1', ['198.51.100.7'], ['::ffff:10.0.0.0/104'], '198.51.100.7'],
    ['octal and short forms', '10.0.0.1', ['0177.1'], ['10.0.0.1'], '10.0.0.1'],
  ])('%s', async (_, remote, forwarded, proxies, expected) => {
    expect(await address(remote, forwarded, proxies)).toBe(expected);
  });

  test('there may be none', async () => {
    const unix = { rawHeaders: ['X-Forwarded-For', '1.2.3.4'], socket: {} };
    expect((await readCaller(unix, door(['0.0.0.0/0']))).ip).toBeNull();
  });

  test('what stands left of an address that is not trusted is never believed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.ipV4()), async (lies) => {
        const header = [...lies, '198.51.100.7', '10.9.8.7'].join(', ');
        expect(await address('10.0.0.1', [header], ['10.0.0.0/8'])).toBe('198.51.100.7');
      }),
    );
  });
});

describe('the agent', () => {
  const agent = async (value: string) => (await read([['User-Agent', value]])).agent;

  test('is cut at 1,000 characters, and storable', async () => {
    expect(await agent('Mozilla/5.0')).toBe('Mozilla/5.0');
    expect(await agent('')).toBeNull();
    expect(await agent('x'.repeat(1001))).toBe('x'.repeat(1000));
    expect(await agent('a\0b')).toBe('ab');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 1500, size: 'max' }), async (value) => {
        const read = (await agent(value)) ?? '';
        expect([...read].length).toBeLessThanOrEqual(1000);
        expect(read.isWellFormed() && !read.includes('\0')).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect((await agent(`${'x'.repeat(999)}\ud83d`))?.isWellFormed()).toBe(true);
  });
});

describe('the request id', () => {
  const id = async (...headers: Headers) => (await read(headers)).requestId;
  const header = (value: string): [string, string] => ['X-Request-Id', value];
  const trace = (value: string): [string, string] => ['traceparent', value];
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

  test.each([T1, 'req-1', 'Root=1-67891233-abcdef012345678912345678', '~', 'x'.repeat(255)])(
    'is the one that came: %.60s',
    async (value) => {
      expect(await id(header(value), trace(`00-${TRACE}-00f067aa0ba902b7-01`))).toBe(value);
    },
  );

  test('a UUID is kept in lower case', async () => {
    expect(await id(header(T1.toUpperCase()))).toBe(T1);
  });

  test.each(['', 'two words', 'tab\there', 'x'.repeat(256), 'caf\u00e9', 'a\u0007', 'a\u0085b', '\u007f'])(
    'is a fresh one where what came is not well formed: %j',
    async (value) => {
      const fresh = [await id(header(value)), await id(header(value))];
      for (const each of fresh) expect(each).toMatch(UUID);
      expect(fresh[0]).not.toBe(fresh[1]);
    },
  );

  test.each([
    `00-${TRACE}-00f067aa0ba902b7-01`,
    `00-${TRACE}-00f067aa0ba902b7-00`,
    `cc-${TRACE}-00f067aa0ba902b7-01-later`,
  ])('is the trace id of %s where none came', async (value) => {
    expect(await id(trace(value))).toBe(TRACE);
    expect(await id(header('not well formed'), trace(value))).toBe(TRACE);
  });

  test.each([
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-00f067aa0ba902b7-01`,
    `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
    `00-${TRACE}-00f067aa0ba902b7-01-more`,
    `00-${TRACE}-00f067aa0ba902b7`,
    `cc-${TRACE}-00f067aa0ba902b7-01later`,
    TRACE,
    '',
  ])('is a fresh one with the traceparent %s', async (value) => {
    expect(await id(trace(value))).toMatch(UUID);
  });

  test('is a fresh one where the traceparent comes twice', async () => {
    const value = trace(`00-${TRACE}-00f067aa0ba902b7-01`);
    expect(await id(value, value)).toMatch(UUID);
  });

  test('made up, it is the same one each time the request is looked at', async () => {
    const one = call([]);
    expect(requestIdOf(one)).toBe(requestIdOf(one));
    expect((await readCaller(one, door())).requestId).toBe(requestIdOf(one));
  });
});

test('connection parameters stand instead of the headers of a websocket', async () => {
  const raw = call([
    ['Authorization', 'Bearer other'],
    ['User-Agent', 'Browser'],
  ]);
  const spoken = withConnectionParams(raw, {
    authorization: 'Bearer person',
    'x-tenant-id': T1,
    'X-Forwarded-For': '1.2.3.4',
    'user-agent': 'Other',
    'X-Client-Id': 7,
  });
  expect(await readCaller(spoken, door(['192.0.2.1']))).toMatchObject({
    credential: PERSON,
    tenantId: T1,
    clientId: null,
    agent: 'Browser',
    ip: '192.0.2.1',
  });
  await expect(readCaller(withConnectionParams(raw, undefined), door())).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
  });
});
