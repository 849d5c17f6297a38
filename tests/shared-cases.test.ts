import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from './reel.js';

/** What GraphQL and REST both show: every case here runs through both. Names are those of GraphQL. */

const TENANT = randomUUID();
const OTHER = randomUUID();
const [FIRST, SECOND] = [randomUUID(), randomUUID()] as const;
const [ANA, BEA] = [randomUUID(), randomUUID()] as const;
const REQUEST = randomUUID();
const USER = randomUUID();

type Code =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'NOT_FOUND'
  | 'TOO_MANY_REQUESTS'
  | undefined;
type Fields = Record<string, unknown>;
interface Outcome<T> {
  code: Code;
  /** The whole answer as text, for what a refusal has to name. */
  text: string;
  value: T;
}
interface Listed {
  items: Fields[];
  total: number;
}
interface Exported {
  downloadUrl: string;
  filename: string;
  recordCount: number;
  expiresAt: string;
}
interface Stats {
  totalEntries: number;
  entriesBySeverity: Record<string, number>;
  entriesByModule: Record<string, number>;
  entriesToday: number;
  entriesThisWeek: number;
}
interface Wire {
  list(
    token: string | null,
    filter: Fields,
    page?: unknown,
    size?: unknown,
    headers?: object,
  ): Promise<Outcome<Listed>>;
  get(token: string | null, id: string, headers?: object): Promise<Outcome<Fields | null>>;
  stats(token: string | null, headers?: object): Promise<Outcome<Stats>>;
  create(token: string | null, input: Fields, key?: string, headers?: object): Promise<Outcome<Fields>>;
  export(
    token: string | null,
    filter: Fields,
    more?: { format?: string; includeData?: boolean },
    headers?: object,
  ): Promise<Outcome<Exported>>;
}

const FIELDS =
  'id module action severity origin actorId actorEmail actorName onBehalfOfId tenantId clientId resourceType resourceId data ipAddress userAgent requestId occurredAt createdAt sequence'.split(
    ' ',
  );
const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const spelt = (fields: Fields, as: (name: string) => string) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [as(name), value]));

let reel: TestReel;

const graphql: Wire = (() => {
  /** REST's one module, action, severity and actor are GraphQL's lists of one. */
  const filterOf = (filter: Fields) =>
    Object.fromEntries(
      Object.entries(filter).map(([name, value]) =>
        ['module', 'action', 'actorId'].includes(name)
          ? [`${name}s`, value === '' ? [] : [value]]
          : name === 'severity'
            ? ['severities', value === '' ? [] : [value]]
            : [name, value === '' ? null : value],
      ),
    );
  const ask = async (token: string | null, query: string, variables: object, headers: object = {}) => {
    const { body } = await reel.graphql(token, query, variables, headers as Record<string, string>);
    return { code: body.errors?.[0].extensions.code as Code, text: JSON.stringify(body), data: body.data };
  };
  return {
    async list(token, filter, page, size, headers) {
      const { data, ...rest } = await ask(
        token,
        `query ($filter: LogFilter, $page: Int, $first: Int) {
          logs(filter: $filter, page: $page, first: $first) { nodes { ${FIELDS.join(' ')} } totalCount(exact: true) { value precision } }
        }`,
        { filter: filterOf(filter), page, first: size },
        headers,
      );
      if (data?.logs) expect(data.logs.totalCount.precision).toBe('EXACT');
      return { ...rest, value: { items: data?.logs?.nodes, total: data?.logs?.totalCount.value } };
    },
    async get(token, id, headers) {
      const query = `query ($id: UUID!) { log(id: $id) { ${FIELDS.join(' ')} } }`;
      const { data, ...rest } = await ask(token, query, { id }, headers);
      return { ...rest, value: data?.log ?? null };
    },
    async stats(token, headers) {
      const map = (counts: { key: string; count: number }[]) =>
        Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ key, count }) => [key, count]));
      const { data, ...rest } = await ask(
        token,
        '{ logStats { totalEntries entriesBySeverity { key count } entriesByModule { key count } entriesToday entriesThisWeek } }',
        {},
        headers,
      );
      const stats = data?.logStats;
      return {
        ...rest,
        value: stats && {
          ...stats,
          entriesBySeverity: map(stats.entriesBySeverity),
          entriesByModule: map(stats.entriesByModule),
        },
      };
    },
    async create(token, input, idempotencyKey, headers) {
      const { data, ...rest } = await ask(
        token,
        `mutation ($input: CreateLogInput!) { createLog(input: $input) { ${FIELDS.join(' ')} } }`,
        { input: { ...input, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) } },
        headers,
      );
      return { ...rest, value: data?.createLog };
    },
    async export(token, filter, more, headers) {
      const { data, ...rest } = await ask(
        token,
        'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl filename recordCount expiresAt } }',
        { input: { filter: filterOf(filter), ...more } },
        headers,
      );
      return { ...rest, value: data?.exportLogs };
    },
  };
})();

const rest: Wire = (() => {
  const CODES: Record<number, Code> = {
    401: 'UNAUTHENTICATED',
    403: 'FORBIDDEN',
    404: 'NOT_FOUND',
    409: 'CONFLICT',
    422: 'BAD_USER_INPUT',
    429: 'TOO_MANY_REQUESTS',
  };
  const ask = async (
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers: object = {},
  ) => {
    const answer = await reel.rest(token, method, path, body, headers as Record<string, string>);
    expect(answer.status).toBeLessThan(500);
    if (answer.status >= 400) expect(CODES).toHaveProperty(String(answer.status));
    return { code: CODES[answer.status], text: JSON.stringify(answer.body), body: answer.body };
  };
  return {
    async list(token, filter, page, size, headers) {
      const given = { ...spelt(filter, snake), page, page_size: size };
      const query = new URLSearchParams(
        Object.entries(given).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, String(value)]],
        ),
      );
      const { body, ...answer } = await ask(token, 'GET', `/logs?${query}`, undefined, headers);
      return {
        ...answer,
        value: { items: body.items?.map((item: Fields) => spelt(item, camel)), total: body.total },
      };
    },
    async get(token, id, headers) {
      const { body, code, text } = await ask(
        token,
        'GET',
        `/logs/${encodeURIComponent(id)}`,
        undefined,
        headers,
      );
      // GraphQL's null is REST's 404.
      return { code: code === 'NOT_FOUND' ? undefined : code, text, value: code ? null : spelt(body, camel) };
    },
    async stats(token, headers) {
      const { body, ...answer } = await ask(token, 'GET', '/logs/stats', undefined, headers);
      return { ...answer, value: spelt(body, camel) as unknown as Stats };
    },
    async create(token, input, key, headers) {
      const { body, ...answer } = await ask(token, 'POST', '/logs', spelt(input, snake), {
        ...headers,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      });
      return { ...answer, value: spelt(body, camel) };
    },
    async export(token, filter, { format, includeData } = {}, headers) {
      const { body, ...answer } = await ask(
        token,
        'POST',
        '/logs/export',
        { filter: spelt(filter, snake), format: format?.toLowerCase(), include_data: includeData },
        headers,
      );
      return { ...answer, value: spelt(body, camel) as unknown as Exported };
    },
  };
})();

const WIRES: [string, Wire][] = [
  ['GraphQL', graphql],
  ['REST', rest],
];

/** What is stored before the cases run, oldest first, as the server answered it. */
const trail: Fields[] = [];
const ENTRY = { module: 'guardian', action: 'users.create', tenantId: TENANT };
const WRITTEN: Fields[] = [
  {
    severity: 'DEBUG',
    clientId: FIRST,
    actorId: ANA,
    actorEmail: 'Ana@Example.com',
    data: { note: '50% off_now' },
  },
  { action: 'users.update', severity: 'INFO', clientId: FIRST, actorId: ANA, data: { note: '500 offXnow' } },
  {
    action: 'users',
    severity: 'WARNING',
    clientId: SECOND,
    actorId: BEA,
    data: { GRÖSSE: 'ÄÖÜ Straße ΟΔΟΣ' },
  },
  { action: 'usersx.create', severity: 'ERROR', resourceType: 'user', resourceId: USER.toUpperCase() },
  { action: 'users.*', severity: 'CRITICAL', resourceType: 'user', resourceId: 'Case/Sensitive' },
  {
    action: 'users.deep.er',
    requestId: REQUEST,
    data: { list: [1.5, true, null, { deep: 'in"side\\out' }] },
  },
  {
    action: '*',
    module: 'aurora',
    requestId: REQUEST,
    clientId: FIRST,
    data: { a: 'left', b: 'right', n: 12345678 },
  },
  { module: 'Guardian', data: { text: 'two\nlines\tand a tab' } },
  { module: 'gu,ardian "q" é', action: 'a b', resourceType: 'User', data: {} },
  { module: 'aurora', severity: 'ERROR', resourceId: '42', data: { before: { a: 1 }, after: { a: 2 } } },
  {
    module: 'aurora',
    severity: 'CRITICAL',
    clientId: SECOND,
    actorId: ANA,
    actorName: '=1+1',
    ipAddress: '10.1.2.3',
  },
];

let module: string;
let ana: string;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off', REEL_BROWSER_ENTRIES_PER_MINUTE: '1000' });
  module = await moduleToken();
  ana = await viewer(TENANT);
  for (const [at, fields] of WRITTEN.entries()) {
    const { code, value, text } = await WIRES[at % 2]![1].create(module, { ...ENTRY, ...fields });
    expect({ code, text }).toEqual({ code: undefined, text });
    trail.push(value);
  }
  for (let at = 0; at < 3; at++) await rest.create(module, { ...ENTRY, tenantId: OTHER, module: 'theirs' });
});
afterAll(() => reel.close());

const idsOf = (items: Fields[]) => items.map((item) => item.id);
const newestFirst = (keep: (entry: Fields, at: number) => boolean) => idsOf(trail.filter(keep)).reverse();
const without = (entry: Fields, ...names: string[]) =>
  Object.fromEntries(Object.entries(entry).filter(([name]) => !names.includes(name)));

describe.each(WIRES)('%s: a filter', (_, wire) => {
  const among =
    (...places: number[]) =>
    (_entry: Fields, at: number) =>
      places.includes(at);

  it.each<[string, Fields, (entry: Fields, at: number) => boolean]>([
    ['nothing', {}, () => true],
    ['a module, exactly', { module: 'guardian' }, ({ module }) => module === 'guardian'],
    ['a module in its own case', { module: 'Guardian' }, among(7)],
    ['a module with all sorts of characters', { module: 'gu,ardian "q" é' }, among(8)],
    ['a module that is not there', { module: 'guard' }, () => false],
    ['a module like a pattern', { module: 'guardia_' }, () => false],
    ['a module like everything', { module: '%' }, () => false],
    ['an action, exactly', { action: 'users' }, among(2)],
    ['what is below an action', { action: 'users.*' }, ({ action }) => /^users\./.test(String(action))],
    ['what is deeper below', { action: 'users.deep.*' }, among(5)],
    ['a star elsewhere', { action: 'us*' }, () => false],
    ['a star alone', { action: '*' }, among(6)],
    ['a star in the middle', { action: 'users.*.er' }, () => false],
    ...['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'].map(
      (severity): [string, Fields, (entry: Fields) => boolean] => [
        `severity ${severity}`,
        { severity },
        (entry) => entry.severity === severity,
      ],
    ),
    ['ERROR or graver', { minSeverity: 'ERROR' }, ({ severity }) => /ERROR|CRITICAL/.test(String(severity))],
    ['DEBUG or graver', { minSeverity: 'DEBUG' }, () => true],
    ['a severity and a graver least one', { severity: 'INFO', minSeverity: 'ERROR' }, () => false],
    ['an actor', { actorId: ANA }, ({ actorId }) => actorId === ANA],
    ['an actor in upper case', { actorId: ANA.toUpperCase() }, ({ actorId }) => actorId === ANA],
    ['a client', { clientId: SECOND }, ({ clientId }) => clientId === SECOND],
    ['a client that is not there', { clientId: randomUUID() }, () => false],
    ['a request', { requestId: REQUEST.toUpperCase() }, among(5, 6)],
    ['a kind of resource, exactly', { resourceType: 'user' }, among(3, 4)],
    ['a resource', { resourceId: 'Case/Sensitive' }, among(4)],
    ['a resource in another case', { resourceId: 'case/sensitive' }, () => false],
    ['a resource that is a UUID', { resourceId: USER }, among(3)],
    ['a resource that is a UUID in upper case', { resourceId: USER.toUpperCase() }, among(3)],
    ['all at once', { module: 'aurora', severity: 'CRITICAL', clientId: SECOND, actorId: ANA }, among(10)],
    [
      'nothing but empty values',
      { module: '', action: '', severity: '', clientId: '', search: '', startDate: '' },
      () => true,
    ],
    ['a percent sign', { search: '50%' }, among(0)],
    ['an underscore', { search: 'off_now' }, among(0)],
    ['any case', { search: 'OFF' }, among(0, 1)],
    ['any case of any script', { search: 'äöü STRASSE'.slice(0, 3) }, among(2)],
    ['a final sigma', { search: 'οδος' }, among(2)],
    ['a key', { search: 'grösse' }, among(2)],
    ['a text deep inside, as written', { search: 'in"side\\out' }, among(5)],
    ['no JSON escapes', { search: 'in\\"side' }, () => false],
    ['a line break', { search: 'two\nlines\tand' }, among(7)],
    ['a number', { search: '1.5' }, among(5)],
    ['a part of a number', { search: '234567' }, among(6)],
    ['a boolean', { search: 'TRUE' }, among(5)],
    ['no null', { search: 'null' }, () => false],
    ['no two texts in a row', { search: 'leftb' }, () => false],
    ['no punctuation between texts', { search: '","' }, () => false],
    ['a text that is not there', { search: 'nowhere to be found' }, () => false],
    ['no other columns', { search: 'guardian' }, () => false],
  ])('by %s', async (_name, filter, keep) => {
    const { code, value } = await wire.list(ana, filter);
    expect(code).toBeUndefined();
    expect(idsOf(value.items)).toEqual(newestFirst(keep));
    expect(value.total).toBe(value.items.length);
  });

  it('by dates, both inclusive to the microsecond', async () => {
    const at = (place: number) => String(trail[place]!.createdAt);
    for (const [startDate, endDate, places] of [
      [at(3), at(3), [3]],
      [at(2), at(5), [2, 3, 4, 5]],
      [at(5), undefined, [5, 6, 7, 8, 9, 10]],
      [undefined, at(1), [0, 1]],
      [at(4), at(2), []],
      ['1999-01-01T00:00:00Z', '2999-12-31T23:59:59Z', trail.map((_each, place) => place)],
      ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', trail.map((_each, place) => place)],
      [undefined, '0001-01-01T00:00:00Z', []],
      ['9999-12-31T23:59:59Z', undefined, []],
    ] as [string | undefined, string | undefined, number[]][]) {
      const filter = { ...(startDate && { startDate }), ...(endDate && { endDate }) };
      const { code, value } = await wire.list(ana, filter);
      expect(code).toBeUndefined();
      expect(idsOf(value.items)).toEqual(newestFirst(among(...places)));
      expect(value.total).toBe(places.length);
    }
  });

  it('by dates in any zone and spelling', async () => {
    const [whole = '', fraction = ''] = String(trail[6]!.createdAt).slice(0, -1).split('.');
    const shifted = (minutes: number) =>
      new Date(Date.parse(`${whole}Z`) + minutes * 60_000).toISOString().slice(0, 19);
    for (const same of [
      `${whole}.${fraction}z`,
      `${whole.replace('T', 't')}.${fraction}Z`,
      `${whole}.${fraction}999Z`,
      `${whole}.${fraction}+00:00`,
      `${whole}.${fraction}-00:00`,
      `${shifted(330)}.${fraction}+05:30`,
      `${shifted(-210)}.${fraction}-03:30`,
    ]) {
      const { code, value } = await wire.list(ana, { startDate: same, endDate: same });
      expect({ same, code, ids: value.items && idsOf(value.items) }).toEqual({
        same,
        code: undefined,
        ids: [trail[6]!.id],
      });
    }
  });

  it.each<[string, Fields]>([
    ['severity', { severity: 'error' }],
    ['severity', { severity: 'LOUD' }],
    ['severity', { severity: ' ERROR' }],
    ['minSeverity', { minSeverity: 'error' }],
    ['actorId', { actorId: 'ana' }],
    ['actorId', { actorId: `{${ANA}}` }],
    ['clientId', { clientId: ANA.replaceAll('-', '') }],
    ['requestId', { requestId: '1' }],
    ['startDate', { startDate: 'yesterday' }],
    ['startDate', { startDate: '2026-02-30T00:00:00Z' }],
    ['endDate', { endDate: '2026-01-05T25:00:00Z' }],
    ['endDate', { endDate: '1767607200' }],
    ['endDate', { endDate: '2026-01-05T10:00:00+24:00' }],
    ['search', { search: 'x'.repeat(256) }],
    ['search', { search: 'a\0b' }],
    ['module', { module: 'x'.repeat(321) }],
    ['resourceType', { resourceType: 'x'.repeat(321) }],
    ['resourceId', { resourceId: 'x'.repeat(321) }],
  ])('of a bad %s is refused by name', async (name, filter) => {
    const { code, text } = await wire.list(ana, filter);
    expect(code).toBe('BAD_USER_INPUT');
    expect(text.toLowerCase()).toMatch(
      // GraphQL names its own list of severities, modules and actors.
      new RegExp(`${name}|${snake(name)}|${name.replace(/y$/, 'ies')}`.toLowerCase()),
    );
    expect(text).not.toContain('x'.repeat(201));
  });

  it('as long as it may be is taken', async () => {
    expect((await wire.list(ana, { search: '𝕏'.repeat(255), module: '𝕏'.repeat(320) })).code).toBeUndefined();
  });
});

describe.each(WIRES)('%s: a page', (_, wire) => {
  it.each([1, 3, 4, 11, 100])('of %i: all pages in a row are the trail', async (size) => {
    const seen: unknown[] = [];
    for (let page = 1; ; page++) {
      const { value } = await wire.list(ana, {}, page, size);
      expect(value.total).toBe(trail.length);
      if (value.items.length === 0) break;
      expect(value.items.length).toBeLessThanOrEqual(size);
      seen.push(...idsOf(value.items));
    }
    expect(seen).toEqual(newestFirst(() => true));
  });

  it('past the end is empty with the true total', async () => {
    for (const page of [3, 1_000, 2_147_483_647]) {
      const { value } = await wire.list(ana, {}, page, 10);
      expect(value).toEqual({ items: [], total: trail.length });
    }
    expect((await wire.list(ana, { module: 'none' }, 5, 10)).value).toEqual({ items: [], total: 0 });
  });

  it.each([
    [0, 10],
    [-1, 10],
    [1, 0],
    [1, -5],
    [1, 101],
  ])('%i of size %i is refused', async (page, size) => {
    expect((await wire.list(ana, {}, page, size)).code).toBe('BAD_USER_INPUT');
  });

  it('is the first of 50 where nothing is said', async () => {
    const tenantId = randomUUID();
    for (let at = 0; at < 51; at++) await wire.create(module, { ...ENTRY, tenantId });
    const { value } = await wire.list(await viewer(tenantId), {});
    expect(value.items).toHaveLength(50);
    expect(value.total).toBe(51);
  });
});

describe.each(WIRES)('%s: one entry', (_, wire) => {
  it('is the same in the list, alone and as it was created, in every field', async () => {
    const { value: list } = await wire.list(ana, {});
    for (const created of trail) {
      const { value } = await wire.get(ana, String(created.id));
      // Only its place in the order may have come since.
      expect(without(value!, 'sequence')).toEqual(without(created, 'sequence'));
      const listed = list.items.find(({ id }) => id === created.id)!;
      expect(without(listed, 'sequence')).toEqual(without(created, 'sequence'));
      expect(value!.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    }
  });

  it('is found by its id in any case', async () => {
    const id = String(trail[0]!.id);
    expect((await wire.get(ana, id.toUpperCase())).value?.id).toBe(id);
  });

  it('of another tenant is as one that is not there', async () => {
    const { value: theirs } = await wire.create(module, { ...ENTRY, tenantId: OTHER });
    const [hidden, absent] = [await wire.get(ana, String(theirs.id)), await wire.get(ana, randomUUID())];
    expect(hidden).toEqual({ ...absent, value: null });
    expect((await wire.get(await viewer(OTHER), String(theirs.id))).value?.id).toBe(theirs.id);
  });

  it.each(['x', '1', `${randomUUID()}0`, '00000000000000000000000000000000', '%00'])(
    'of id %s is refused',
    async (id) => {
      expect((await wire.get(ana, id)).code).toBe('BAD_USER_INPUT');
    },
  );
});

describe.each(WIRES)('%s: statistics', (_, wire) => {
  const count = (name: string, entries = trail) => {
    const counts: Record<string, number> = {};
    for (const entry of entries) counts[String(entry[name])] = (counts[String(entry[name])] ?? 0) + 1;
    return counts;
  };

  it('count the tenant', async () => {
    expect((await wire.stats(ana)).value).toEqual({
      totalEntries: trail.length,
      entriesBySeverity: count('severity'),
      entriesByModule: count('module'),
      entriesToday: trail.length,
      entriesThisWeek: trail.length,
    });
  });

  it('count one client of it', async () => {
    const of = trail.filter(({ clientId }) => clientId === FIRST);
    const token = await person({ grants: [grant(TENANT, `reel.logs.view:CLIENT:${FIRST}`)] });
    for (const answer of [await wire.stats(ana, { 'x-client-id': FIRST }), await wire.stats(token)])
      expect(answer.value).toMatchObject({
        totalEntries: of.length,
        entriesBySeverity: count('severity', of),
        entriesByModule: count('module', of),
      });
  });

  it('of a tenant without entries are empty', async () => {
    expect((await wire.stats(await viewer(randomUUID()))).value).toEqual({
      totalEntries: 0,
      entriesBySeverity: {},
      entriesByModule: {},
      entriesToday: 0,
      entriesThisWeek: 0,
    });
  });

  it('and totals have a new entry at once', async () => {
    const tenantId = randomUUID();
    const token = await viewer(tenantId);
    for (let at = 1; at <= 15; at++) {
      await wire.create(module, { ...ENTRY, tenantId, severity: 'ERROR', module: `m${at % 2}` });
      const [stats, list, some] = await Promise.all([
        wire.stats(token),
        wire.list(token, {}),
        wire.list(token, { severity: 'ERROR', module: 'm1' }),
      ]);
      expect(stats.value).toMatchObject({
        totalEntries: at,
        entriesToday: at,
        entriesBySeverity: { ERROR: at },
      });
      expect(list.value.total).toBe(at);
      expect(some.value.total).toBe(Math.ceil(at / 2));
    }
  });
});

describe.each(WIRES)('%s: creating', (_, wire) => {
  const create = (fields: Fields, key?: string) =>
    wire.create(module, { ...ENTRY, tenantId: OTHER, ...fields }, key);

  it('fills in what was not said', async () => {
    const { value } = await wire.create(module, { ...ENTRY, tenantId: OTHER }, undefined, {
      'user-agent': 'tester/1',
    });
    expect(value).toMatchObject({
      severity: 'INFO',
      origin: 'MODULE',
      actorId: null,
      actorEmail: null,
      clientId: null,
      data: null,
      resourceId: null,
      requestId: null,
      ipAddress: '127.0.0.1',
      userAgent: 'tester/1',
    });
    expect(value.occurredAt).toBe(value.createdAt);
  });

  it('keeps what was said', async () => {
    const said = {
      ...ENTRY,
      tenantId: OTHER,
      severity: 'CRITICAL',
      actorId: ANA,
      actorEmail: 'Ana@Example.com',
      actorName: 'Ana ✓ \u{1F600}',
      clientId: FIRST,
      resourceType: 'invoice',
      resourceId: 'Nr 7',
      data: {
        b: 1,
        a: [null, { é: 'ü', empty: '', zero: 0, minus: -1.5e-7, big: 2 ** 53 - 1 }],
        __proto__x: {},
      },
      ipAddress: '2001:db8::1',
      userAgent: 'an agent',
      requestId: REQUEST,
    };
    const { value, code, text } = await wire.create(module, said);
    expect({ code, text }).toEqual({ code: undefined, text });
    const { value: read } = await wire.get(await viewer(OTHER), String(value.id));
    expect(read).toMatchObject(said);
    expect(without(read!, 'sequence')).toEqual(without(value, 'sequence'));
  });

  it('keeps UUIDs and addresses in their one form, and empty text as none', async () => {
    const { value } = await create({
      actorId: ANA.toUpperCase(),
      clientId: FIRST.toUpperCase(),
      requestId: REQUEST.toUpperCase(),
      resourceId: USER.toUpperCase(),
      ipAddress: '2001:DB8:0:0::1',
      actorEmail: '',
      actorName: '',
      resourceType: '',
    });
    expect(value).toMatchObject({
      actorId: ANA,
      clientId: FIRST,
      requestId: REQUEST,
      resourceId: USER,
      ipAddress: '2001:db8::1',
      actorEmail: null,
      actorName: null,
      resourceType: null,
    });
  });

  const BOUNDS: [field: string, most: number][] = [
    ['module', 100],
    ['action', 255],
    ['actorEmail', 320],
    ['actorName', 255],
    ['resourceType', 100],
    ['resourceId', 255],
    ['userAgent', 1_000],
  ];
  it.each(BOUNDS)('takes %s of %i characters, and not one more', async (field, most) => {
    for (const character of ['x', '𝕏']) {
      expect((await create({ [field]: character.repeat(most) })).value[field]).toBe(character.repeat(most));
      const { code, text } = await create({ [field]: character.repeat(most + 1) });
      expect(code).toBe('BAD_USER_INPUT');
      expect(text).toMatch(new RegExp(`${field}|${snake(field)}`));
      expect(text).toContain(String(most));
    }
  });

  it.each<[string, Fields]>([
    ['module', { module: '' }],
    ['module', { module: 'a\nb' }],
    ['module', { module: 'a\u0085b' }],
    ['module', { module: undefined }],
    ['module', { module: null }],
    ['action', { action: '' }],
    ['action', { action: '\u007f' }],
    ['action', { action: undefined }],
    ['severity', { severity: 'info' }],
    ['severity', { severity: 7 }],
    ['severity', { severity: null }],
    ['actorId', { actorId: 'ana' }],
    ['clientId', { clientId: 'x' }],
    ['tenantId', { tenantId: undefined }],
    ['tenantId', { tenantId: 'x' }],
    ['requestId', { requestId: 'x' }],
    ['ipAddress', { ipAddress: '300.1.1.1' }],
    ['ipAddress', { ipAddress: '10.0.0.0/8' }],
    ['data', { data: [1] }],
    ['data', { data: 'x' }],
    ['data', { data: 7 }],
    ['data', { data: { a: 'x'.repeat(65_529) } }],
    ['data', { data: { a: [2 ** 53] } }],
    ['data', { data: { a: 1e21 } }],
    ['actorName', { actorName: 7 }],
    ['actorEmail', { actorEmail: 'a\0' }],
    ['resourceId', { resourceId: ['x'] }],
  ])('refuses a bad %s by name, and stores nothing', async (field, fields) => {
    const token = await viewer(OTHER);
    const before = (await wire.list(token, {})).value.total;
    const { code, text } = await create(fields);
    expect(code).toBe('BAD_USER_INPUT');
    expect(text).toMatch(new RegExp(`${field}|${snake(field)}`));
    expect((await wire.list(token, {})).value.total).toBe(before);
  });

  it('is for modules under their own name, and never under reel', async () => {
    const own = await moduleToken('guardian');
    expect((await wire.create(own, { ...ENTRY, tenantId: OTHER })).code).toBeUndefined();
    expect((await wire.create(own, { ...ENTRY, tenantId: OTHER, module: 'aurora' })).code).toBe('FORBIDDEN');
    expect((await create({ module: 'reel' })).code).toBe('FORBIDDEN');
  });

  it("stores a person's own as theirs, and refuses what is not", async () => {
    const token = await person({ id: ANA, tenants: [OTHER] });
    const { tenantId: _tenant, ...own } = ENTRY;
    expect((await wire.create(token, own)).value).toMatchObject({
      origin: 'BROWSER',
      actorId: ANA,
      tenantId: OTHER,
    });
    expect((await wire.create(token, { ...own, actorId: BEA })).code).toBe('BAD_USER_INPUT');
    expect((await wire.create(token, { ...own, tenantId: TENANT })).code).toBe('BAD_USER_INPUT');
  });
});

describe.each(WIRES)('%s: an idempotency key', (_, wire) => {
  const tenantId = randomUUID();
  const said = { ...ENTRY, tenantId, data: { b: 1, a: 2 } };

  it('stores the same content once, and refuses other content', async () => {
    const key = randomUUID();
    const { value: first } = await wire.create(module, said, key);
    const again = await wire.create(module, { ...said, severity: 'INFO', data: { a: 2, b: 1 } }, key);
    expect(again.value.id).toBe(first.id);
    for (const other of [
      { action: 'other' },
      { data: { a: 2, b: 2 } },
      { severity: 'DEBUG' },
      { clientId: FIRST },
    ])
      expect((await wire.create(module, { ...said, ...other }, key)).code).toBe('CONFLICT');
  });

  it('holds with 20 at the same time', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => wire.create(module, said, key)));
    expect(new Set(answers.map(({ value, code }) => `${code} ${value?.id}`)).size).toBe(1);
    expect(answers[0]!.code).toBeUndefined();
  });

  it('is of one tenant and one writer', async () => {
    const key = randomUUID();
    const answers = [
      await wire.create(module, said, key),
      await wire.create(module, { ...said, module: 'aurora' }, key),
      await wire.create(module, { ...said, tenantId: OTHER }, key),
      await wire.create(await person({ tenants: [tenantId] }), { module: 'guardian', action: 'x' }, key),
      await wire.create(await person({ tenants: [tenantId] }), { module: 'guardian', action: 'x' }, key),
    ];
    for (const { code, text } of answers) expect({ code, text }).toEqual({ code: undefined, text });
    expect(new Set(answers.map(({ value }) => value.id)).size).toBe(5);
    // The module's own credential and the gateway's write as the same module.
    expect((await wire.create(await moduleToken('guardian'), said, key)).value.id).toBe(answers[0]!.value.id);
  });

  it('may be of 200 characters, and not one more', async () => {
    expect((await wire.create(module, said, 'k'.repeat(200))).code).toBeUndefined();
    const { code, text } = await wire.create(module, said, 'k'.repeat(201));
    expect(code).toBe('BAD_USER_INPUT');
    expect(text).toMatch(/idempotency-?key/i);
    expect((await wire.create(module, said, '')).code).toBe('BAD_USER_INPUT');
  });

  it('is refused again and again while its entry is at fault, and free afterwards', async () => {
    const key = randomUUID();
    for (let at = 0; at < 2; at++)
      expect((await wire.create(module, { ...said, severity: 'x' }, key)).code).toBe('BAD_USER_INPUT');
    expect((await wire.create(module, said, key)).code).toBeUndefined();
  });
});

it('the same key and content over either wire are one entry', async () => {
  const key = randomUUID();
  const said = { ...ENTRY, tenantId: OTHER, data: { a: 1 }, resourceId: USER.toUpperCase(), actorName: '' };
  const [one, two] = [await graphql.create(module, said, key), await rest.create(module, said, key)];
  expect(two.value).toEqual({ ...one.value, sequence: two.value.sequence });
  expect((await rest.create(module, { ...said, actorName: 'x' }, key)).code).toBe('CONFLICT');
});

describe.each(WIRES)('%s: an export', (_, wire) => {
  const COLUMNS =
    'id created_at module action severity actor_id actor_email actor_name tenant_id client_id resource_type resource_id ip_address'.split(
      ' ',
    );
  const TYPES: Record<string, string> = {
    CSV: 'text/csv; charset=utf-8',
    JSON: 'application/json',
    NDJSON: 'application/x-ndjson',
  };
  const exporter = () => person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
  const ofFirst = () => trail.filter(({ clientId }) => clientId === FIRST);
  const download = async (made: Exported) => {
    const answer = await fetch(reel.url + made.downloadUrl);
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const rowsOf = (text: string, format: string): Fields[] => {
    if (format === 'NDJSON')
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    if (format === 'JSON') {
      const { logs, count, ...others } = JSON.parse(text);
      expect(others).toEqual({});
      expect(count).toBe(logs.length);
      return logs;
    }
    const [header = [], ...rows] = readCsv(text);
    return rows.map((row) =>
      Object.fromEntries(header.map((name, at) => [name, row[at] === '' ? null : row[at]])),
    );
  };

  it.each([
    ['CSV', false],
    ['CSV', true],
    ['JSON', false],
    ['JSON', true],
    ['NDJSON', false],
    ['NDJSON', true],
  ])('as %s (with data: %s) holds the rows that were counted, oldest first', async (format, includeData) => {
    const { value: made } = await wire.export(await exporter(), {}, { format, includeData });
    const expected = ofFirst();
    expect(made.recordCount).toBe(expected.length);
    expect(made.filename).toMatch(new RegExp(`^logs_\\d{8}_\\d{6}\\.${format.toLowerCase()}$`));
    expect(Date.parse(made.expiresAt)).toBeGreaterThan(Date.now() + 59 * 60_000);
    expect(made.downloadUrl).toMatch(/^\/api\/v1\/reel\/exports\//);
    const { status, headers, text } = await download(made);
    expect(status).toBe(200);
    expect(headers.get('content-type')?.toLowerCase()).toContain(TYPES[format]);
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${made.filename}"`);
    const rows = rowsOf(text, format);
    expect(rows.map(({ id }) => id)).toEqual(idsOf(expected));
    for (const [at, row] of rows.entries()) {
      expect(Object.keys(row)).toEqual(includeData ? [...COLUMNS, 'data'] : COLUMNS);
      const source = expected[at]!;
      for (const name of COLUMNS) expect(row[name]).toBe(source[camel(name)]);
      if (!includeData) continue;
      const data = format === 'CSV' && row.data !== null ? JSON.parse(String(row.data)) : row.data;
      expect(data).toEqual(source.data);
    }
  });

  it('takes every filter', async () => {
    const token = await exporter();
    for (const [filter, keep] of [
      [{ module: 'aurora' }, ({ module }: Fields) => module === 'aurora'],
      [{ action: 'users.*' }, ({ action }: Fields) => String(action).startsWith('users.')],
      [{ search: 'OFF_' }, ({ id }: Fields) => id === trail[0]!.id],
      [{ minSeverity: 'INFO' }, ({ severity }: Fields) => severity !== 'DEBUG'],
      [{ endDate: trail[1]!.createdAt }, ({ id }: Fields) => id === trail[0]!.id || id === trail[1]!.id],
      [{ module: 'none' }, () => false],
      [{ module: '', severity: '', search: '' }, () => true],
    ] as [Fields, (entry: Fields) => boolean][]) {
      const { value: made } = await wire.export(token, filter, { format: 'NDJSON' });
      const expected = idsOf(ofFirst().filter(keep));
      expect(made.recordCount).toBe(expected.length);
      expect(rowsOf((await download(made)).text, 'NDJSON').map(({ id }) => id)).toEqual(expected);
    }
  });

  it('of nothing has its header still', async () => {
    const token = await exporter();
    const texts = await Promise.all(
      ['CSV', 'JSON', 'NDJSON'].map(async (format) => {
        const { value } = await wire.export(token, { module: 'none' }, { format });
        return (await download(value)).text;
      }),
    );
    expect(texts[0]!.trimEnd()).toBe(COLUMNS.join(','));
    expect(JSON.parse(texts[1]!)).toEqual({ logs: [], count: 0 });
    expect(texts[2]).toBe('');
  });

  it('has every entry acknowledged before it, and none written after', async () => {
    const [tenantId, clientId] = [randomUUID(), randomUUID()];
    const token = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
    const write = () => wire.create(module, { ...ENTRY, tenantId, clientId });
    for (let at = 1; at <= 5; at++) {
      await write();
      const { value: made } = await wire.export(token, {}, { format: 'NDJSON' });
      expect(made.recordCount).toBe(at);
      if (at < 5) continue;
      await Promise.all([write(), write(), write()]);
      for (let time = 0; time < 2; time++)
        expect(rowsOf((await download(made)).text, 'NDJSON')).toHaveLength(at);
    }
  });

  it('as CSV is quoted, and guards what a spreadsheet would run', async () => {
    const [tenantId, clientId] = [randomUUID(), randomUUID()];
    const token = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
    const names = [
      '=1+1',
      '+x',
      '-x',
      '@x',
      '\tx',
      '\rx',
      '-5',
      '+1.5',
      'a,b',
      'a"b',
      'a\r\nb',
      "'x",
      ' =x',
      '-1e3',
    ];
    for (const actorName of names) await wire.create(module, { ...ENTRY, tenantId, clientId, actorName });
    const { value } = await wire.export(token, {});
    const rows = rowsOf((await download(value)).text, 'CSV');
    const guarded = ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\rx"];
    const shown = rows.map((row) => row.actor_name);
    expect(shown).toEqual([...guarded, ...names.slice(guarded.length)]);
    const { value: verbatim } = await wire.export(token, {}, { format: 'JSON' });
    expect(rowsOf((await download(verbatim)).text, 'JSON').map((row) => row.actor_name)).toEqual(names);
  });

  it('is opened by its own link alone, unchanged', async () => {
    const { value: made } = await wire.export(await exporter(), {});
    const [path = '', token = ''] = made.downloadUrl.split('?token=');
    const half = Math.floor(token.length / 2);
    for (const link of [
      path,
      `${path}?token=`,
      `${path}?token=${token.slice(0, -2)}`,
      `${path}?token=${token.slice(0, half)}${token[half] === 'A' ? 'B' : 'A'}${token.slice(half + 1)}`,
      `${path.replace('.csv', '.json')}?token=${token}`,
    ]) {
      const answer = await fetch(reel.url + link);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toEqual({ detail: expect.any(String) });
    }
    expect((await fetch(reel.url + made.downloadUrl, { method: 'HEAD' })).status).toBe(200);
  });

  it('of a bad filter or format is refused', async () => {
    const token = await exporter();
    expect((await wire.export(token, { severity: 'error' })).code).toBe('BAD_USER_INPUT');
    expect((await wire.export(token, { startDate: 'x' })).code).toBe('BAD_USER_INPUT');
    expect((await wire.export(token, {}, { format: 'XML' })).code).toBe('BAD_USER_INPUT');
  });
});

/** RFC 4180: quoted cells may hold commas, line breaks and doubled quotes. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  while (cell.lastIndex < text.length) {
    const [, quoted, bare = '', end] = cell.exec(text) ?? expect.unreachable(`no CSV: ${text}`);
    row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe.each(WIRES)('%s: who may', (_, wire) => {
  it('is nobody without a credential', async () => {
    for (const outcome of [
      await wire.list(null, {}),
      await wire.get(null, randomUUID()),
      await wire.stats(null),
      await wire.create(null, ENTRY),
      await wire.export(null, {}),
    ])
      expect(outcome.code).toBe('UNAUTHENTICATED');
  });

  it('is nobody without the action, which is named', async () => {
    const member = await person({ tenants: [TENANT] });
    for (const [outcome, action] of [
      [await wire.list(member, {}), 'reel.logs.view'],
      [await wire.get(member, String(trail[0]!.id)), 'reel.logs.view'],
      [await wire.stats(member), 'reel.logs.view'],
      [await wire.export(ana, {}), 'reel.logs.export'],
    ] as [Outcome<unknown>, string][]) {
      expect(outcome.code).toBe('FORBIDDEN');
      expect(outcome.text).toContain(action);
    }
  });

  it('see other tenants is nobody', async () => {
    const both = await person({ grants: [TENANT, OTHER].map((id) => grant(id, 'reel.logs.view:ACCOUNT')) });
    const seen = async (tenant: string) =>
      new Set(
        (await wire.list(both, {}, 1, 100, { 'x-tenant-id': tenant })).value.items.map(
          ({ tenantId }) => tenantId,
        ),
      );
    expect(await seen(TENANT)).toEqual(new Set([TENANT]));
    expect(await seen(OTHER)).toEqual(new Set([OTHER]));
  });
});
