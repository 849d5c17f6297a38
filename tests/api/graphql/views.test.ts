import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand, settingsOf } from '../../support/cli.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const FIELDS = 'id name shared ownerId query range from to columns orderBy updatedAt';
const CLIENT = randomUUID();

let reel: TestReel;
beforeAll(async () => {
  reel = await startReel();
});
afterAll(() => reel?.close());

/** Somebody who calls. */
interface Somebody {
  id: string;
  token: string;
  client?: string;
}
async function somebody(tenantId: string, grants: string[], id: string = randomUUID()): Promise<Somebody> {
  const token = await person({
    id,
    email: id.includes('@') ? id : 'ana@example.com',
    name: 'Ana',
    grants: grants.map((text) => grant(tenantId, text)),
  });
  return { id, token };
}

interface Refusal {
  code: string;
  message: string;
}
const ask = async (who: Somebody, query: string, variables: object = {}) => {
  const headers: Record<string, string> = who.client ? { 'x-client-id': who.client } : {};
  const { body } = await reel.graphql(who.token, query, variables, headers);
  const [error] = body.errors ?? [];
  if (error) throw { code: error.extensions.code, message: error.message } satisfies Refusal;
  return body.data;
};
const save = async (who: Somebody, input: object) =>
  (await ask(who, `mutation ($input: SaveViewInput!) { saveView(input: $input) { ${FIELDS} } }`, { input }))
    .saveView;
const remove = async (who: Somebody, id: string) =>
  (await ask(who, 'mutation ($id: UUID!) { removeView(id: $id) }', { id })).removeView;
const list = async (who: Somebody) => (await ask(who, `{ views { ${FIELDS} } }`)).views;
const names = async (who: Somebody) => (await list(who)).map(({ name }: { name: string }) => name);
const refusal = (call: Promise<unknown>): Promise<Refusal> =>
  call.then(
    () => {
      throw new Error('expected a refusal, got an answer');
    },
    (refused: Refusal) => refused,
  );

/** A tenant with a viewer of all of it, another, one of a client alone, and somebody of another tenant. */
async function people() {
  const tenantId = randomUUID();
  const [ana, bob, clara, other] = await Promise.all([
    somebody(tenantId, ['reel.logs.view:ACCOUNT']),
    somebody(tenantId, ['reel.logs.view:ACCOUNT']),
    somebody(tenantId, [`reel.logs.view:CLIENT:${CLIENT}`]),
    somebody(randomUUID(), ['reel.logs.view:ACCOUNT']),
  ]);
  return { tenantId, ana, bob, clara, other };
}

test('a view is kept as it was saved, with defaults for what was left out', async () => {
  const { ana } = await people();
  const made = await save(ana, { name: 'Deletions' });
  expect(made).toEqual({
    id: expect.any(String),
    name: 'Deletions',
    shared: false,
    ownerId: ana.id,
    query: '',
    range: null,
    from: null,
    to: null,
    columns: [],
    orderBy: 'NEWEST_FIRST',
    updatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  const whole = {
    name: 'Failures of 2026',
    shared: true,
    query: 'outcome:FAILURE since:2026-01-01',
    from: '2026-01-01T00:00:00.123456+02:00',
    to: '2026-12-31T23:59:59Z',
    columns: ['time', 'actor', 'data.invoice.amount'],
    orderBy: 'OLDEST_FIRST',
  };
  const changed = await save(ana, { id: made.id, ...whole });
  expect(changed).toEqual({
    ...whole,
    id: made.id,
    ownerId: ana.id,
    range: null,
    from: '2025-12-31T22:00:00.123456Z',
    to: '2026-12-31T23:59:59.000000Z',
    updatedAt: expect.any(String),
  });
  expect(await list(ana)).toEqual([changed]);
  const relative = await save(ana, { id: made.id, name: 'Now', range: '24h' });
  expect(relative).toMatchObject({
    name: 'Now',
    shared: false,
    query: '',
    range: '24h',
    from: null,
    columns: [],
  });
  expect(await remove(ana, made.id)).toBe(true);
  expect(await list(ana)).toEqual([]);
});

test('who sees it, and who changes it', async () => {
  const { ana, bob, clara, other } = await people();
  const [own, shared] = [
    await save(clara, { name: 'own' }),
    await save(clara, { name: 'shared', shared: true }),
  ];
  const lists = await Promise.all([ana, bob, clara, other].map(names));
  expect(lists).toEqual([['shared'], ['shared'], ['own', 'shared'], []]);
  // Another's own is as if there were none; so is anything of another tenant.
  for (const [who, view] of [
    [ana, own],
    [other, own],
    [other, shared],
  ] as const)
    for (const call of [() => save(who, { id: view.id, name: 'mine' }), () => remove(who, view.id)])
      expect(await refusal(call())).toEqual({ code: 'NOT_FOUND', message: `No view ${view.id}` });

  // Shared ones are changed by a viewer of the whole tenant, narrowed to a client or not; and stay their owner's.
  expect(
    await save({ ...ana, client: CLIENT }, { id: shared.id, name: 'by ana', shared: true }),
  ).toMatchObject({
    ownerId: clara.id,
  });
  const bobs = await save(bob, { name: 'of bob', shared: true });
  for (const call of [() => save(clara, { id: bobs.id, name: 'mine' }), () => remove(clara, bobs.id)])
    expect(await refusal(call())).toMatchObject({ code: 'FORBIDDEN' });
  expect(await names(clara)).toEqual(['by ana', 'of bob', 'own']);

  // Taken back, it is its owner's alone.
  expect(await save(ana, { id: shared.id, name: 'taken back' })).toMatchObject({
    shared: false,
    ownerId: clara.id,
  });
  expect([await names(ana), await names(clara)]).toEqual([['of bob'], ['of bob', 'own', 'taken back']]);
  expect(await remove(ana, bobs.id)).toBe(true);
});

test('needs a person who may view', async () => {
  const { tenantId, ana } = await people();
  const { id } = await save(ana, { name: 'shared', shared: true });
  const [exporter, module] = [
    await somebody(tenantId, [`reel.logs.export:CLIENT:${CLIENT}`]),
    { id: 'guardian', token: await moduleToken('guardian') },
  ];
  for (const who of [exporter, module])
    for (const call of [() => list(who), () => save(who, { name: 'x' }), () => remove(who, id)])
      expect(await refusal(call())).toMatchObject({ code: 'FORBIDDEN' });
});

describe('bounds', () => {
  test.each<[string, object, RegExp]>([
    ['an empty name', { name: ' ' }, /^name: expected 1 to 100 characters/],
    ['a long name', { name: 'x'.repeat(101) }, /^name: /],
    ['a name with a control character', { name: 'a\u0007b' }, /^name: /],
    ['a query line that is none', { query: 'modul:billing' }, /^query: unknown field/],
    ['a long query line', { query: 'x'.repeat(2_001) }, /^query: expected at most 2000 characters/],
    ['another range', { range: '2h' }, /^range: expected one of 15m, 1h, 24h, 7d, 30d, got "2h"/],
    ['a range beside times', { range: '1h', from: '2026-01-01T00:00:00Z' }, /^range: expected none/],
    ['an end before the beginning', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, /^to: /],
    [
      'many columns',
      { columns: Array.from({ length: 41 }, (_, n) => `c${n}`) },
      /^columns: expected at most 40/,
    ],
    ['a long column', { columns: ['x'.repeat(256)] }, /^columns: /],
    ['a column twice', { columns: ['time', 'time'] }, /^columns: /],
    ['an empty column', { columns: [''] }, /^columns: /],
  ])('refused: %s', async (_, input, message) => {
    const { ana } = await people();
    const refused = await refusal(save(ana, { name: 'a view', ...input }));
    expect(refused).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringMatching(message) });
    expect(await list(ana)).toEqual([]);
  });

  test('a person has at most 100, and a tenant 100 that are shared, whoever saves at once', async () => {
    const { ana, bob } = await people();
    const numbered = (who: Somebody, many: number, shared: boolean) =>
      Promise.allSettled(Array.from({ length: many }, (_, n) => save(who, { name: `${n}`, shared })));
    const done = (results: PromiseSettledResult<unknown>[]) =>
      results.filter(({ status }) => status === 'fulfilled').length;
    expect(done(await numbered(ana, 104, true))).toBe(100);
    const another = save(ana, { name: 'one more' });
    expect(await refusal(another)).toEqual({ code: 'CONFLICT', message: 'A person has at most 100 views' });
    const shared = save(bob, { name: 'one more', shared: true });
    expect(await refusal(shared)).toEqual({
      code: 'CONFLICT',
      message: 'A tenant has at most 100 shared views',
    });
    // Neither keeps anybody from changing one that there is, or from having their own.
    const { id } = await save(bob, { name: 'own' });
    expect(await refusal(save(bob, { id, name: 'own', shared: true }))).toMatchObject({ code: 'CONFLICT' });
    const [first] = await list(ana);
    expect(await save(ana, { id: first.id, name: 'changed', shared: true })).toMatchObject({
      name: 'changed',
    });
  });
});

test('a person changes 120 views a minute', async () => {
  const { ana, bob } = await people();
  const codes = await Promise.all(
    Array.from({ length: 125 }, async () => (await refusal(remove(ana, randomUUID()))).code),
  );
  expect(codes.filter((code) => code === 'NOT_FOUND')).toHaveLength(120);
  expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(5);
  expect(await refusal(save(ana, { name: 'one more' }))).toEqual({
    code: 'TOO_MANY_REQUESTS',
    message: 'At most 120 changes of views per minute and person',
  });
  // She still sees what there is, and others go on.
  expect(await list(ana)).toEqual([]);
  expect(await save(bob, { name: 'a view' })).toMatchObject({ name: 'a view' });
});

/** Reel's own entries about views, oldest first. */
const recordsOf = (tenantId: string) =>
  reel.own.query(
    `select action, actor_id, resource_id, resource_name, data from reel_log_entries
     where tenant_id = $1 and action like 'reel.views.%' order by id`,
    [tenantId],
  );

test('the trail tells who changed what, and of what is private no more than that', async () => {
  const { tenantId, ana, bob } = await people();
  const { id } = await save(ana, { name: 'secret plans', query: 'actor:bob' });
  await save(ana, { id, name: 'secret plans', query: 'actor:bob' });
  await save(ana, { id, name: 'plans', query: 'module:billing', shared: true });
  await save(bob, { id, name: 'plans', query: 'module:billing', range: '7d', shared: true });
  await remove(bob, id);
  const shared = { shared: true, name: 'plans', query: 'module:billing', from: null, to: null, columns: [] };
  const [alone, weekly] = [
    { ...shared, range: null },
    { ...shared, range: '7d' },
  ];
  const records = await recordsOf(tenantId);
  expect(records).toEqual([
    {
      action: 'reel.views.created',
      actor_id: ana.id,
      resource_id: id,
      resource_name: null,
      data: { after: { shared: false } },
    },
    {
      action: 'reel.views.changed',
      actor_id: ana.id,
      resource_id: id,
      resource_name: 'plans',
      data: { before: { shared: false }, after: { ...alone, orderBy: 'NEWEST_FIRST' } },
    },
    {
      action: 'reel.views.changed',
      actor_id: bob.id,
      resource_id: id,
      resource_name: 'plans',
      data: {
        before: { ...alone, orderBy: 'NEWEST_FIRST' },
        after: { ...weekly, orderBy: 'NEWEST_FIRST' },
      },
    },
    {
      action: 'reel.views.removed',
      actor_id: bob.id,
      resource_id: id,
      resource_name: 'plans',
      data: { before: { ...weekly, orderBy: 'NEWEST_FIRST' } },
    },
  ]);
});

test('an erased person is not named by views any more, and their own ones go', async () => {
  const { tenantId, bob } = await people();
  const address = 'Ana.Souza@example.com';
  const ana = await somebody(tenantId, ['reel.logs.view:ACCOUNT'], address);
  await reel.graphql(
    await moduleToken('guardian'),
    'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
    {
      input: {
        module: 'guardian',
        action: 'users.login',
        tenantId,
        actorEmail: address,
        actorName: 'Ana Souza',
      },
    },
  );
  await save(ana, { name: 'what I did' });
  const theirs = await save(ana, { name: 'logins', query: 'action:users.login', shared: true });
  const about = await save(bob, {
    name: 'Ana Souza',
    query: 'actor:ana.souza@example.com severity>=WARNING',
    columns: ['time', 'data.ana.souza@example.com'],
    shared: true,
  });
  const untouched = await save(bob, { name: 'Warehouse', query: 'actor:bob' });
  expect(theirs.ownerId).toBe('ana.souza@example.com');

  const erased = await runCommand(
    ['erase', '--tenant', tenantId, '--email', address, '--reason', 'request 4711', '--json'],
    settingsOf(reel.own),
  );
  expect(erased).toMatchObject({ code: 0, stderr: '' });

  expect(await list(ana)).toEqual([
    {
      ...about,
      name: '(erased)',
      query: expect.stringMatching(/^severity>=WARNING erased-[0-9a-f]{16}$/),
      columns: ['time'],
    },
    { ...theirs, ownerId: '' },
  ]);
  expect((await list(bob)).at(1)).toEqual(untouched);
  const kept = JSON.stringify([await reel.own.query('select * from reel_views'), await recordsOf(tenantId)]);
  expect(kept).not.toMatch(/souza/i);
});
