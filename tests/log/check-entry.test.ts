import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import type { Author } from '../../src/auth/scope.js';
import { ReelError } from '../../src/errors.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import type { CreateLogInput } from '../../src/log/entry/create-log-input.js';

const TENANT = '6f2b4c0e-0000-4000-8000-000000000001';
const OTHER = '6f2b4c0e-0000-4000-8000-00000000000f';
const CLIENT = '6f2b4c0e-0000-4000-8000-0000000000c1';
const PERSON = '6f2b4c0e-0000-4000-8000-0000000000a1';

type Module = Extract<Author, { kind: 'module' }>;
const gateway: Module = { kind: 'module', module: '*', ip: '::ffff:10.1.2.3', agent: 'gateway/1' };
const guardian: Module = { ...gateway, module: 'guardian' };
const ana: Extract<Author, { kind: 'person' }> = {
  kind: 'person',
  subject: PERSON,
  id: PERSON,
  email: 'ana@example.com',
  name: 'Ana',
  tenantId: TENANT,
  clients: [CLIENT],
  ip: '192.0.2.7',
  agent: 'Browser/1',
  requestId: 'trace-1',
};

const from = (over: Record<string, unknown> = {}) =>
  ({ module: 'guardian', action: 'users.login', tenantId: TENANT, ...over }) as unknown as CreateLogInput;
const fromAna = (over: Record<string, unknown> = {}) => from({ tenantId: undefined, ...over });

function refusal(input: CreateLogInput, author: Author = guardian): ReelError {
  try {
    checkInput(input, author);
  } catch (error) {
    if (error instanceof ReelError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

const faultsOf = (input: CreateLogInput, author?: Author) =>
  refusal(input, author).faults.map(({ type, loc }) => `${loc.join('.')} ${type}`);

const nested = (levels: number): Record<string, unknown> => (levels === 1 ? {} : { a: nested(levels - 1) });
const bytes = (count: number) => ({ a: 'x'.repeat(count - '{"a":""}'.length) });

describe("a module's entry", () => {
  it("is stored with defaults, and nothing invented: the connection is the module's, not the actor's", () => {
    expect(checkInput(from(), guardian)).toEqual({
      module: 'guardian',
      action: 'users.login',
      severity: 'INFO',
      origin: 'MODULE',
      actorId: null,
      actorEmail: null,
      actorName: null,
      onBehalfOfId: null,
      tenantId: TENANT,
      clientId: null,
      resourceType: null,
      resourceId: null,
      data: null,
      dataText: null,
      actorType: 'SYSTEM',
      onBehalfOfName: null,
      resourceName: null,
      outcome: null,
      repaired: [],
      ipAddress: null,
      userAgent: null,
      requestId: null,
      occurredAt: null,
      idempotencyKey: null,
      writer: 'module:guardian',
      contentHash: null,
    });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['UUIDs in lower case', { clientId: CLIENT.toUpperCase() }, { clientId: CLIENT }],
    ['a resource id that is a UUID, too', { resourceId: CLIENT.toUpperCase() }, { resourceId: CLIENT }],
    ['any other resource id as it is', { resourceId: 'User/ABC' }, { resourceId: 'User/ABC' }],
    [
      'instants in UTC',
      { occurredAt: '2026-01-05T10:00:00+02:00' },
      { occurredAt: '2026-01-05T08:00:00.000000Z' },
    ],
    ['addresses as PostgreSQL prints them', { ipAddress: '2001:DB8:0:0::1' }, { ipAddress: '2001:db8::1' }],
    ['data', { data: { a: [1, null] } }, { data: { a: [1, null] }, dataText: '{"a":[1,null]}' }],
    ['empty data', { data: {} }, { data: {}, dataText: '{}' }],
    ['a severity', { severity: 'CRITICAL' }, { severity: 'CRITICAL' }],
    [
      'empty texts as none',
      { actorEmail: '', actorName: '', resourceType: '', resourceId: '' },
      { actorEmail: null, actorName: null, resourceType: null, resourceId: null },
    ],
    [
      'empty texts as not said, whoever is connected',
      { ipAddress: '', userAgent: '', onBehalfOfId: '', requestId: '' },
      { ipAddress: null, userAgent: null, onBehalfOfId: null, requestId: null },
    ],
    [
      'ids of any kind',
      { actorId: 'auth0|5f1', requestId: 'r 1' },
      { actorId: 'auth0|5f1', requestId: 'r 1' },
    ],
    ['ids that are UUIDs in lower case', { actorId: CLIENT.toUpperCase() }, { actorId: CLIENT }],
    ['who acted as a person', { actorName: 'Nora Field' }, { actorType: 'USER', actorId: null }],
    ['an address alone as a person', { actorEmail: 'nora.field@example.org' }, { actorType: 'USER' }],
    ['what kind of actor is said', { actorId: 'bot-1', actorType: 'AGENT' }, { actorType: 'AGENT' }],
    [
      'how it ended and for whom',
      { outcome: 'DENIED', onBehalfOfId: 'c-1', onBehalfOfName: 'Casa Lua', resourceName: 'Invoice 1' },
      { outcome: 'DENIED', onBehalfOfId: 'c-1', onBehalfOfName: 'Casa Lua', resourceName: 'Invoice 1' },
    ],
    [
      'zeros past microseconds',
      { occurredAt: '2026-01-05T10:00:00.123456000Z' },
      { occurredAt: '2026-01-05T10:00:00.123456Z' },
    ],
    ['an address with its port', { ipAddress: '10.11.12.13:12345' }, { ipAddress: '10.11.12.13' }],
    ['a mapped address', { ipAddress: '::ffff:10.11.12.13' }, { ipAddress: '10.11.12.13' }],
    ['an address in brackets', { ipAddress: '[2001:db8::abcd]:443' }, { ipAddress: '2001:db8::abcd' }],
    ['an address with its zone', { ipAddress: 'fe80::1%eth0' }, { ipAddress: 'fe80::1' }],
    ['the longest resource id', { resourceId: 'i'.repeat(1024) }, { resourceId: 'i'.repeat(1024) }],
    [
      'nulls as none',
      { actorId: null, data: null, occurredAt: null, idempotencyKey: null },
      { actorId: null, data: null, occurredAt: null, idempotencyKey: null },
    ],
    ['characters, not units', { module: '😀'.repeat(100) }, { module: '😀'.repeat(100) }],
    [
      'the longest texts',
      { action: 'a'.repeat(255), actorEmail: 'e'.repeat(320), userAgent: 'u'.repeat(1000) },
      { userAgent: 'u'.repeat(1000) },
    ],
    ['32 levels', { data: nested(32) }, { data: nested(32) }],
    ['65,536 bytes as PostgreSQL prints it', { data: bytes(65_535) }, { data: bytes(65_535) }],
    [
      'the largest safe integers',
      { data: { a: 2 ** 53 - 1, b: -(2 ** 53 - 1), c: 1e-7 } },
      { dataText: '{"a":9007199254740991,"b":-9007199254740991,"c":1e-7}' },
    ],
    [
      'what only a caller in process can send, as JSON',
      { data: { at: new Date(0), none: undefined, list: [undefined] } },
      { data: { at: '1970-01-01T00:00:00.000Z', list: [null] } },
    ],
    [
      'a key named __proto__',
      { data: JSON.parse('{"__proto__":{"a":1}}') },
      { dataText: '{"__proto__":{"a":1}}' },
    ],
  ])('keeps %s', (_, said, kept) => {
    expect(checkInput(from(said), gateway)).toMatchObject(kept);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ module: undefined }, 'module missing'],
    [{ module: null }, 'module string_type'],
    [{ module: '' }, 'module string_too_short'],
    [{ module: 'm'.repeat(101) }, 'module string_too_long'],
    [{ module: 'a\tb' }, 'module value_error'],
    [{ module: 'a\u0085b' }, 'module value_error'],
    [{ module: '\ud800' }, 'module value_error'],
    [{ action: undefined }, 'action missing'],
    [{ action: 'a'.repeat(256) }, 'action string_too_long'],
    [{ action: '😀'.repeat(256) }, 'action string_too_long'],
    [{ tenantId: undefined }, 'tenantId missing'],
    [{ tenantId: null }, 'tenantId missing'],
    [{ tenantId: 'x' }, 'tenantId uuid_parsing'],
    [{ tenantId: 5 }, 'tenantId uuid_type'],
    [{ severity: 'error' }, 'severity enum'],
    [{ severity: null }, 'severity enum'],
    [{ module: ' guardian' }, 'module value_error'],
    [{ module: 'guar\u200bdian' }, 'module value_error'],
    [{ action: 'users.\u202eetaerc' }, 'action value_error'],
    [{ action: 'users.create\u2066' }, 'action value_error'],
    [{ tenantId: '00000000-0000-0000-0000-000000000000' }, 'tenantId value_error'],
    [{ clientId: '00000000-0000-0000-0000-000000000000' }, 'clientId value_error'],
    [{ actorId: 'a'.repeat(256) }, 'actorId string_too_long'],
    [{ actorId: 'ana@example.com' }, 'actorId value_error'],
    [{ actorType: 'ROBOT' }, 'actorType enum'],
    [{ outcome: 'success' }, 'outcome enum'],
    [{ onBehalfOfId: 'ana@example.com' }, 'onBehalfOfId value_error'],
    [{ onBehalfOfName: 'n'.repeat(256) }, 'onBehalfOfName string_too_long'],
    [{ requestId: 'r'.repeat(256) }, 'requestId string_too_long'],
    [{ resourceName: 'n'.repeat(256) }, 'resourceName string_too_long'],
    [{ resourceId: `${'é'.repeat(1024)}é` }, 'resourceId string_too_long'],
    [{ resourceId: '😀'.repeat(513) }, 'resourceId string_too_long'],
    [{ occurredAt: '2026-01-05T10:00:00.1234567Z' }, 'occurredAt value_error'],
    [{ occurredAt: '2999-01-05T10:00:00Z' }, 'occurredAt value_error'],
    [{ repair: 'yes' }, 'repair bool_type'],
    [{ actor_id: 'x' }, 'actor_id extra_forbidden'],
    [{ actorEmail: 'e'.repeat(321) }, 'actorEmail string_too_long'],
    [{ actorName: 'n'.repeat(256) }, 'actorName string_too_long'],
    [{ actorName: 'a\0b' }, 'actorName value_error'],
    [{ resourceType: 't'.repeat(101) }, 'resourceType string_too_long'],
    [{ resourceId: 'i'.repeat(1025) }, 'resourceId string_too_long'],
    [{ resourceId: 42 }, 'resourceId string_type'],
    [{ userAgent: 'u'.repeat(1001) }, 'userAgent string_too_long'],
    [{ ipAddress: '10.0.0.0/8' }, 'ipAddress value_error'],
    [{ ipAddress: 'fe80::1%' }, 'ipAddress value_error'],
    [{ ipAddress: '10.1.1.1:99999' }, 'ipAddress value_error'],
    [{ ipAddress: 'AWS Internal' }, 'ipAddress value_error'],
    [{ ipAddress: '010.1.1.1' }, 'ipAddress value_error'],
    [{ ipAddress: '10.1' }, 'ipAddress value_error'],
    [{ occurredAt: '2026-01-05T10:00:00' }, 'occurredAt datetime_parsing'],
    [{ occurredAt: '2026-02-30T10:00:00Z' }, 'occurredAt datetime_parsing'],
    [{ occurredAt: 5 }, 'occurredAt datetime_type'],
    [{ idempotencyKey: '' }, 'idempotencyKey string_too_short'],
    [{ idempotencyKey: 'k'.repeat(201) }, 'idempotencyKey string_too_long'],
    [{ idempotencyKey: 'a\nb' }, 'idempotencyKey value_error'],
    [{ data: [] }, 'data dict_type'],
    [{ data: 'text' }, 'data dict_type'],
    [{ data: nested(33) }, 'data value_error'],
    [{ data: bytes(65_537) }, 'data value_error'],
    [{ data: { a: 'é'.repeat(32_768) } }, 'data value_error'],
    [{ data: { a: [{ b: 2 ** 53 }] } }, 'data.a.0.b value_error'],
    [{ data: { a: 1e21 } }, 'data.a value_error'],
    [{ data: { a: Number.POSITIVE_INFINITY } }, 'data.a value_error'],
    [{ data: { a: 'x\0' } }, 'data.a value_error'],
    [{ data: { a: '\udc00' } }, 'data.a value_error'],
    [{ data: { 'k\0': 1 } }, 'data value_error'],
  ])('is refused for %j: %s', (said, fault) => {
    expect(faultsOf(from(said), gateway)).toEqual([fault]);
    expect(refusal(from(said), gateway).code).toBe('BAD_USER_INPUT');
  });

  it('is refused with every fault at once, in messages that repeat little of what came', () => {
    const input = from({
      action: '',
      severity: 'bad',
      actorId: 'x'.repeat(5000),
      data: { a: 1e300, b: '\0' },
    });
    expect(faultsOf(input)).toEqual([
      'action string_too_short',
      'severity enum',
      'actorId string_too_long',
      'data.a value_error',
      'data.b value_error',
    ]);
    for (const fault of refusal(input).faults) expect(fault.msg.length).toBeLessThan(300);
  });

  it('survives a cycle, a bigint and a payload past any stack', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(faultsOf(from({ data: cycle }))).toEqual(['data value_error']);
    expect(faultsOf(from({ data: { big: 1n } }))).toEqual(['data.big value_error']);
    let deep: unknown = [];
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(faultsOf(from({ data: { deep } }))).toEqual(['data value_error']);
  });

  it('may be written only under its own name, and under reel by Reel alone', () => {
    expect(refusal(from({ module: 'aurora' })).code).toBe('FORBIDDEN');
    expect(checkInput(from({ module: 'aurora' }), gateway).writer).toBe('module:aurora');
    for (const author of [gateway, guardian, { ...guardian, module: 'reel' }, ana])
      expect(refusal(from({ module: 'reel', action: '' }), author).code).toBe('FORBIDDEN');
    const own = { ...guardian, module: 'reel' };
    expect(checkInput(from({ module: 'reel' }), own, { reelItself: true }).module).toBe('reel');
  });
});

describe('an entry whose writer asks for repair', () => {
  const mended = (said: Record<string, unknown>) => checkInput(from({ repair: true, ...said }), guardian);

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      'a text that is too long',
      { actorName: 'n'.repeat(300) },
      { actorName: `${'n'.repeat(254)}…`, repaired: ['actor_name'] },
    ],
    [
      'a text that is too long in bytes',
      { resourceId: '😀'.repeat(1000) },
      { resourceId: `${'😀'.repeat(511)}…`, repaired: ['resource_id'] },
    ],
    [
      'NUL and lone surrogates',
      { userAgent: 'a\0b\ud800' },
      { userAgent: 'a\ufffdb\ufffd', repaired: ['user_agent'] },
    ],
    ['an address that is none', { ipAddress: 'AWS Internal' }, { ipAddress: null, repaired: ['ip_address'] }],
    [
      'an e-mail address as the id of an actor',
      { actorId: 'nora.field@example.org' },
      { actorId: null, actorEmail: 'nora.field@example.org', repaired: ['actor_id'] },
    ],
    [
      'an e-mail address as the id, beside an address',
      { actorId: 'nora.field@example.org', actorEmail: 'other@example.org' },
      { actorId: null, actorEmail: 'other@example.org', repaired: ['actor_id'] },
    ],
    [
      'digits past microseconds',
      { occurredAt: '2026-01-05T10:00:00.1234567Z' },
      { occurredAt: '2026-01-05T10:00:00.123456Z', repaired: ['occurred_at'] },
    ],
    [
      'several at once, sorted',
      { userAgent: 'u'.repeat(2000), actorName: 'bob\0' },
      { repaired: ['actor_name', 'user_agent'] },
    ],
    ['nothing that is well', { actorName: 'a\u0007b' }, { actorName: 'a\u0007b', repaired: [] }],
  ])('has %s mended, and says so', (_, said, stored) => {
    expect(mended(said)).toMatchObject(stored);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ module: 'm'.repeat(101) }, 'module string_too_long'],
    [{ action: 'a\0' }, 'action value_error'],
    [{ tenantId: 'x' }, 'tenantId uuid_parsing'],
    [{ severity: 'bad' }, 'severity enum'],
    [{ outcome: 'bad' }, 'outcome enum'],
    [{ resourceId: 42 }, 'resourceId string_type'],
  ])('is refused all the same for %j', (said, fault) => {
    expect(faultsOf(from({ repair: true, ...said }))).toEqual([fault]);
  });

  it('has the same content hash as what it was mended to', () => {
    const hash = (said: Record<string, unknown>) =>
      checkInput(from({ idempotencyKey: 'k', ...said }), guardian).contentHash;
    expect(hash({ repair: true, ipAddress: 'AWS Internal' })).toEqual(hash({}));
    expect(hash({ repair: true })).toEqual(hash({}));
  });
});

it.each(['reel', 'Reel', 'REEL', 'ｒｅｅｌ', 'rееl', 'reеl', 'ree1', 'reeI', 'гeel'])(
  'the name %s is taken for Reel’s own',
  (module) => {
    expect(refusal(from({ module }), gateway).code).toBe('FORBIDDEN');
  },
);
it.each(['reels', 'real', 'rel', 'freel', 'guardian'])('the name %s is somebody else’s', (module) => {
  expect(checkInput(from({ module }), gateway).module).toBe(module);
});

describe("a person's entry", () => {
  it('is theirs, whatever little it says', () => {
    expect(checkInput(fromAna(), ana)).toMatchObject({
      origin: 'BROWSER',
      tenantId: TENANT,
      actorId: PERSON,
      actorEmail: 'ana@example.com',
      actorName: 'Ana',
      onBehalfOfId: null,
      ipAddress: '192.0.2.7',
      userAgent: 'Browser/1',
      writer: `person:${PERSON}`,
      actorType: 'USER',
      requestId: 'trace-1',
    });
    expect(checkInput(fromAna({ requestId: 'own' }), ana).requestId).toBe('own');
    const address = { ...ana, subject: 'ana@example.com', id: null };
    expect(checkInput(fromAna(), address)).toMatchObject({ actorId: null, actorEmail: 'ana@example.com' });
  });

  it('may repeat what the credential says, and name a granted client', () => {
    const said = {
      tenantId: TENANT,
      actorId: PERSON.toUpperCase(),
      actorEmail: 'Ana@Example.com',
      actorName: 'Ana',
      clientId: CLIENT,
    };
    expect(checkInput(fromAna(said), ana)).toMatchObject({ actorEmail: 'ana@example.com', clientId: CLIENT });
  });

  it.each<[Record<string, unknown>, string]>([
    [{ tenantId: OTHER }, 'tenantId value_error'],
    [{ actorId: OTHER }, 'actorId value_error'],
    [{ actorEmail: 'eve@example.com' }, 'actorEmail value_error'],
    [{ actorName: 'Eve' }, 'actorName value_error'],
    [{ onBehalfOfId: PERSON }, 'onBehalfOfId value_error'],
    [{ ipAddress: '192.0.2.8' }, 'ipAddress value_error'],
    [{ userAgent: 'Other/1' }, 'userAgent value_error'],
    [{ actorType: 'AGENT' }, 'actorType value_error'],
    [{ onBehalfOfName: 'Ana' }, 'onBehalfOfName value_error'],
    [{ repair: true }, 'repair value_error'],
  ])('is refused for %j', (said, fault) => {
    expect(faultsOf(fromAna(said), ana)).toEqual([fault]);
  });

  it('is forbidden to name a client without a grant', () => {
    expect(refusal(fromAna({ clientId: OTHER }), ana).code).toBe('FORBIDDEN');
    expect(checkInput(fromAna({ clientId: OTHER }), { ...ana, clients: null }).clientId).toBe(OTHER);
  });

  it('takes long or broken words of credential and connection as far as they can be kept', () => {
    const odd: Author = {
      ...ana,
      name: 'n\0'.repeat(300),
      email: null,
      ip: 'fe80::1%eth0',
      agent: `\ud800${'😀'.repeat(2000)}`,
    };
    const entry = checkInput(fromAna(), odd);
    expect(entry.actorName).toBe('n'.repeat(255));
    expect(entry.ipAddress).toBe('fe80::1');
    expect(entry.userAgent).toBe(`\ufffd${'😀'.repeat(999)}`);
  });
});

describe('the content hash', () => {
  const hashOf = (said: Record<string, unknown>, author: Author = guardian) =>
    checkInput(from({ idempotencyKey: 'k', ...said }), author).contentHash?.toString('hex');

  it('is the same for the same content, however it is written and wherever it comes from', () => {
    const one = hashOf({ data: { a: 1, b: { c: 1, d: 2 } }, clientId: CLIENT });
    expect(one).toHaveLength(64);
    expect(
      hashOf({
        data: { b: { d: 2, c: 1 }, a: 1 },
        clientId: CLIENT.toUpperCase(),
        severity: 'INFO',
        actorName: '',
      }),
    ).toBe(one);
    expect(
      hashOf(
        { data: { a: 1, b: { c: 1, d: 2 } }, clientId: CLIENT },
        { ...guardian, ip: '10.9.9.9', agent: null },
      ),
    ).toBe(one);
    const person = hashOf({}, ana);
    expect(
      hashOf({ actorId: PERSON, actorEmail: 'ANA@example.com' }, { ...ana, name: 'Ana B.', ip: null }),
    ).toBe(person);
  });

  it.each([
    'action',
    'resourceId',
    'actorName',
    'ipAddress',
    'userAgent',
    'occurredAt',
    'data',
    'severity',
    'tenantId',
  ])('differs where %s does', (field) => {
    const values: Record<string, unknown> = {
      ipAddress: '10.9.9.9',
      occurredAt: '2026-01-05T10:00:00Z',
      data: {},
      severity: 'DEBUG',
      tenantId: OTHER,
    };
    expect(hashOf({ [field]: values[field] ?? 'else' })).not.toBe(hashOf({}));
  });
});
