import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, person, viewer } from '../../support/reel.js';
import {
  ANA,
  ana,
  ENTRY,
  FIRST,
  type Fields,
  idsOf,
  module,
  newestFirst,
  OTHER,
  type Outcome,
  REQUEST,
  reel,
  SECOND,
  snake,
  startTrail,
  TENANT,
  trail,
  USER,
  WIRES,
  without,
} from '../../support/wires.js';

beforeAll(startTrail);
afterAll(() => reel.close());

describe.each(WIRES)('%s: a filter', (name, wire) => {
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
    ['a module in any case', { search: 'GUARDIAN' }, ({ module }) => /guardian/i.test(String(module))],
    ['no severity', { search: 'warning' }, () => false],
  ])('by %s', async (_name, filter, keep) => {
    const { code, value } = await wire.list(ana, filter);
    expect(code).toBeUndefined();
    expect(idsOf(value.items)).toEqual(newestFirst(keep));
    expect(value.total).toBe(value.items.length);
  });

  it('by actions that end in a star: in GraphQL all that begin so, in REST, which is older, that action', async () => {
    const places = async (action: string) => {
      const ids = idsOf((await wire.list(ana, { action })).value.items);
      return trail.flatMap(({ id }, at) => (ids.includes(id) ? [at] : []));
    };
    const isRest = name === 'REST';
    expect(await places('user*')).toEqual(isRest ? [] : [0, 1, 2, 3, 4, 5, 7, 9, 10]);
    expect(await places('*')).toEqual(isRest ? [6] : trail.map((_each, at) => at));
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
    ['actorId', { actorId: 'x'.repeat(321) }],
    ['clientId', { clientId: ANA.replaceAll('-', '') }],
    ['requestId', { requestId: 'x'.repeat(321) }],
    ['startDate', { startDate: 'yesterday' }],
    ['startDate', { startDate: '2026-02-30T00:00:00Z' }],
    ['endDate', { endDate: '2026-01-05T25:00:00Z' }],
    ['endDate', { endDate: '1767607200' }],
    ['endDate', { endDate: '2026-01-05T10:00:00+24:00' }],
    ['search', { search: 'x'.repeat(256) }],
    ['search', { search: 'a\0b' }],
    ['search', { search: ' \t' }],
    ['search', { search: '\u200b\u00ad' }],
    ['module', { module: 'x'.repeat(321) }],
    ['resourceType', { resourceType: 'x'.repeat(321) }],
    ['resourceId', { resourceId: 'x'.repeat(1_025) }],
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
      precision: 'EXACT',
      searchedUntil: null,
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
      precision: 'EXACT',
      searchedUntil: null,
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
