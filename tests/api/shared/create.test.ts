import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moduleToken, person, viewer } from '../../support/reel.js';
import {
  ANA,
  BEA,
  ENTRY,
  FIRST,
  type Fields,
  graphql,
  module,
  OTHER,
  REQUEST,
  reel,
  rest,
  snake,
  startTrail,
  TENANT,
  USER,
  WIRES,
  without,
} from '../../support/wires.js';

beforeAll(startTrail);
afterAll(() => reel.close());

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
      ipAddress: null,
      userAgent: null,
      actorType: 'SYSTEM',
      repaired: [],
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
    ['resourceName', 255],
    ['onBehalfOfName', 255],
    ['requestId', 255],
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
    ['actorId', { actorId: 'ana@example.com' }],
    ['actorType', { actorType: 'ROBOT' }],
    ['outcome', { outcome: 'success' }],
    ['clientId', { clientId: 'x' }],
    ['tenantId', { tenantId: undefined }],
    ['tenantId', { tenantId: 'x' }],
    ['requestId', { requestId: 7 }],
    ['clientId', { clientId: '00000000-0000-0000-0000-000000000000' }],
    ['occurredAt', { occurredAt: '2999-01-05T10:00:00Z' }],
    ['occurredAt', { occurredAt: '2026-01-05T10:00:00.1234567Z' }],
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
    ['resourceId', { resourceId: 'x'.repeat(1_025) }],
    ['resourceId', { resourceId: '𝕏'.repeat(513) }],
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
