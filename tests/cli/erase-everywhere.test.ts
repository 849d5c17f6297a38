import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommand, settingsOf } from '../support/cli.js';
import { Receiver } from '../support/receiver.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';
import { StreamCalls } from '../support/streams.js';

/** Every look is recorded, so that there are records to be erased. */
let reel: TestReel;
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'all' });
});
afterAll(() => reel?.close());

const CLIENT = randomUUID();
const erase = (tenantId: string, ...more: string[]) =>
  runCommand(
    ['erase', '--tenant', tenantId, '--reason', 'request 12', '--json', ...more],
    settingsOf(reel.own),
  );

async function write(tenantId: string, inputs: readonly object[]): Promise<string[]> {
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    {
      inputs: inputs.map((each) => ({
        module: 'guardian',
        action: 'users.login',
        tenantId,
        clientId: CLIENT,
        ...each,
      })),
    },
  );
  expect(body.errors).toBeUndefined();
  return body.data.createLogs.map(({ id }: { id: string }) => id);
}

/** Every column of every row of every table of Reel that is of the tenant, as text. */
async function dump(tenantId: string): Promise<string> {
  const tables = await reel.own.query(
    `select c.table_name as name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = current_schema() and c.column_name = 'tenant_id' and t.table_name like 'reel\\_%' and t.table_type = 'BASE TABLE'`,
  );
  expect(tables.length).toBeGreaterThan(8);
  const texts = [];
  for (const { name } of tables) {
    const rows = await reel.own.query(`select t::text as row from "${name}" t where tenant_id = $1`, [
      tenantId,
    ]);
    texts.push(...rows.map(({ row }) => `${name}: ${row}`));
  }
  return texts.join('\n').toLowerCase();
}

const left = (text: string, gone: readonly string[]) =>
  gone.filter((each) => text.includes(each.toLowerCase()));

/** Entries that show who reads; only their ids stay. */
const readerOf = (tenantId: string, over: object = {}) =>
  person({
    id: randomUUID(),
    email: 'auditor@example.org',
    name: 'Olga',
    grants: [grant(tenantId, 'reel.logs.view:ACCOUNT'), grant(tenantId, `reel.logs.export:CLIENT:${CLIENT}`)],
    ...over,
  });

const ANA = {
  actorEmail: 'Ana.Souza@Example.com',
  actorName: 'Ana Souza',
  ipAddress: '203.0.113.77',
  userAgent: 'Anas own browser/7',
  resourceName: 'Invoice 4711 of Ana',
  data: { card: 'needle-4111', address: { street: 'Rua das Flores 12' }, phone: 5511987654321 },
};
const TRACES = [
  'ana.souza@example.com',
  'ana souza',
  '203.0.113.77',
  'anas own browser/7',
  'invoice 4711 of ana',
  'needle-4111',
  'rua das flores 12',
  '5511987654321',
];
/** What somebody may have asked for that names her, and what names nobody. */
const LOOKS = [
  { actorEmail: 'ANA.SOUZA@example.com' },
  { search: 'souza' },
  { search: 'needle-4111' },
  { query: 'module:guardian actor:ana.souza@example.com' },
  { query: '"Rua das Flores 12" severity:INFO' },
  { ipAddress: '203.0.113.77' },
];
const OTHER_LOOKS = [{ search: 'flores' }, { actorEmail: 'bob@example.com' }, { modules: ['guardian'] }, {}];

const viewed = (tenantId: string) =>
  reel.own.query(
    `select action, data, erased_at is not null as erased from reel_log_entries
     where tenant_id = $1 and module = 'reel' and action in ('reel.logs.viewed', 'reel.logs.exported') order by id`,
    [tenantId],
  );

async function look(tenantId: string): Promise<string[]> {
  const token = await readerOf(tenantId);
  const links: string[] = [];
  for (const filter of [...LOOKS, ...OTHER_LOOKS]) {
    const seen = await reel.graphql(
      token,
      'query ($filter: LogFilter) { logs(filter: $filter) { nodes { id } } }',
      {
        filter,
      },
    );
    expect(seen.body.errors).toBeUndefined();
    const made = await reel.graphql(
      token,
      'mutation ($filter: LogFilter) { exportLogs(input: { filter: $filter }) { downloadUrl } }',
      { filter },
      { 'X-Client-Id': CLIENT },
    );
    expect(made.body.errors).toBeUndefined();
    links.push(made.body.data.exportLogs.downloadUrl);
  }
  expect((await fetch(reel.url + links[0]!)).status).toBe(200);
  return links;
}

describe.each<[string, (actorId: string) => string[]]>([
  ['by id', (actorId) => ['--actor', actorId]],
  ['by e-mail address', () => ['--email', 'ana.souza@EXAMPLE.com']],
])('%s, nothing is left anywhere', (_, target) => {
  const tenantId = randomUUID();
  const actorId = 'auth0|5f1';
  let links: string[];
  let told: Record<string, unknown>;

  beforeAll(async () => {
    await write(tenantId, [
      { ...ANA, actorId },
      { ...ANA, actorId, idempotencyKey: 'once' },
      { actorId: 'bob', actorEmail: 'bob@example.com', actorName: 'Bob', data: { status: 'active' } },
    ]);
    links = await look(tenantId);
    const ran = await erase(tenantId, ...target(actorId));
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    told = JSON.parse(ran.stdout);
  });

  test('of her entries, and of what others asked about her', async () => {
    expect(told).toMatchObject({ erased: 2, asActor: 2, onBehalf: 0, onHold: 0, ownAccount: 0 });
    // Each of the looks, and the export of each.
    expect(told.records).toBe(2 * LOOKS.length);
    const text = await dump(tenantId);
    expect(left(text, TRACES)).toEqual([]);
    expect(text).toContain('bob@example.com');
    const records = await viewed(tenantId);
    expect(records.filter(({ erased }) => erased)).toHaveLength(2 * LOOKS.length);
    expect(records.filter(({ erased }) => !erased)).toHaveLength(2 * OTHER_LOOKS.length + 1);
  });

  test('nor comes it back by a link from before, or by the request sent again', async () => {
    const statuses = await Promise.all(links.map(async (link) => (await fetch(reel.url + link)).status));
    // One that asked for her finds no longer what it announced; one that asked for all does.
    expect([statuses[0], statuses.at(-1)]).toEqual([409, 200]);
    for (const status of statuses) expect([200, 409]).toContain(status);
    await write(tenantId, [{ ...ANA, actorId, idempotencyKey: 'once' }]);
    expect(left(await dump(tenantId), TRACES)).toEqual([]);
  });

  test('the trail verifies, and says what was done without naming her', async () => {
    await vi.waitFor(
      async () =>
        expect(await reel.own.query('select 1 from reel_log_inbox where tenant_id = $1', [tenantId])).toEqual(
          [],
        ),
      60_000,
    );
    const verified = await runCommand(['verify', '--tenant', tenantId], settingsOf(reel.own));
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok /) });
    const accounts = await reel.own.query(
      `select resource_type, resource_id, data from reel_log_entries where tenant_id = $1 and action = 'reel.logs.erased' order by id`,
      [tenantId],
    );
    const resource = target(actorId)[0] === '--actor' ? ['actor', actorId] : ['email', null];
    for (const { resource_type, resource_id } of accounts)
      expect([resource_type, resource_id]).toEqual(resource);
    const entries = accounts.map(({ data }) => (data as { entries: number }).entries);
    expect(entries.reduce((sum, each) => sum + each, 0)).toBe(2 + 2 * LOOKS.length);
  });
});

test('by e-mail address: with or without an id, as the name too, and where it was acted for', async () => {
  const tenantId = randomUUID();
  const ids = await write(tenantId, [
    { actorId: 'ana-1', actorEmail: 'Zoë@Example.com', actorName: 'Zoë' },
    { actorEmail: 'ZOË@example.com', outcome: 'FAILURE' },
    { actorName: 'zoë@example.com' },
    {
      actorId: 'support',
      actorEmail: 'help@example.com',
      onBehalfOfId: 'ana-1',
      onBehalfOfName: 'zoë@example.com',
    },
    { actorId: 'support', actorEmail: 'help@example.com', onBehalfOfId: 'ana-1', onBehalfOfName: 'Zoë' },
    { actorEmail: 'not.zoë@example.com' },
  ]);
  const ran = await erase(tenantId, '--email', 'zoë@example.COM');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(ran.stdout)).toMatchObject({ erased: 4, asActor: 3, onBehalf: 1, records: 0 });
  const rows = await reel.own.query(
    `select id from reel_log_entries where tenant_id = $1 and erased_at is null and module <> 'reel' order by id`,
    [tenantId],
  );
  expect(rows.map(({ id }) => id)).toEqual(ids.slice(4));
});

test("a reader's own records, and the idempotency keys of somebody without an id", async () => {
  const tenantId = randomUUID();
  const token = await person({
    id: 'rui@example.com',
    email: 'rui@example.com',
    name: 'Rui',
    tenants: [tenantId],
    grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')],
  });
  await reel.graphql(token, '{ logs { nodes { id } } }');
  const report = () =>
    reel.graphql(token, 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }', {
      input: { module: 'shop', action: 'cart.open', idempotencyKey: 'k' },
    });
  const first = (await report()).body.data.createLog.id;
  expect((await report()).body.data.createLog.id).toBe(first);
  const ran = await erase(tenantId, '--email', 'rui@example.com');
  expect(JSON.parse(ran.stdout)).toMatchObject({ erased: 2, asActor: 2 });
  expect(left(await dump(tenantId), ['rui@example.com'])).toEqual([]);
  expect((await report()).body.data.createLog.id).toBe(first);
});

test('records on hold, and what names the address in the reason of a hold, stay and are told', async () => {
  const tenantId = randomUUID();
  await write(tenantId, [{ ...ANA, actorId: 'ana' }]);
  const id = randomUUID();
  await reel.graphql(
    await readerOf(tenantId, { id }),
    '{ logs(filter: { search: "ana souza" }) { nodes { id } } }',
  );
  const hold = (...more: string[]) =>
    runCommand(['hold', 'add', '--tenant', tenantId, ...more], settingsOf(reel.own));
  const held = await hold('--reason', 'case 17', '--actor', id.toUpperCase());
  expect(held).toMatchObject({ code: 0, stderr: '' });
  const ran = await erase(tenantId, '--actor', 'ana');
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('not erased: 1 entry on hold') });
  expect(JSON.parse(ran.stdout)).toMatchObject({ erased: 1, records: 0, onHold: 1 });
  await hold('--reason', 'about Ana.Souza@example.com', '--actor', 'auth0|nobody');
  const again = await erase(tenantId, '--email', 'ana.souza@example.com');
  expect(again).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('1 entry in which Reel records holds'),
  });
});

test('names and query lines of streams, and the records of them, which then deliver no more than before', async () => {
  const tenantId = randomUUID();
  const receiver = await Receiver.start();
  await write(tenantId, [{ ...ANA, actorId: 'ana-1' }]);
  const calls = await StreamCalls.of(reel, tenantId);
  const settings = { url: receiver.url };
  const queries = [
    'actor:ana.souza@example.com severity>=WARNING',
    'actor:bob,ana.souza@example.com -ip:203.0.113.77',
    'souza module:guardian',
    'module:guardian',
  ];
  const made = await Promise.all(
    queries.map((query, index) =>
      calls.create({ name: index === 3 ? 'Of Ana Souza' : `Stream ${index}`, query, settings }),
    ),
  );
  const untouched = await calls.create({ name: 'Warehouse', query: 'actor:bob', settings });
  const ran = await erase(tenantId, '--email', 'ana.souza@example.com');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(ran.stdout)).toMatchObject({ streams: [] });
  const after = await Promise.all(made.map(({ id }) => calls.get(id)));
  expect(after.map(({ query }) => query)).toEqual([
    expect.stringMatching(/^severity>=WARNING erased-[0-9a-f]{16}$/),
    'actor:bob',
    expect.stringMatching(/^module:guardian erased-[0-9a-f]{16}$/),
    'module:guardian',
  ]);
  expect(after.map(({ name }) => name)).toEqual(['Stream 0', 'Stream 1', 'Stream 2', '(erased)']);
  expect(await calls.get(untouched.id)).toMatchObject({ name: 'Warehouse', query: 'actor:bob' });
  // Who made a stream is not the one that is erased: the records' actor goes with them all the same.
  expect(left(await dump(tenantId), TRACES)).toEqual([]);
  const records = await reel.own.query(
    `select resource_id, erased_at is not null as erased from reel_log_entries
     where tenant_id = $1 and action = 'reel.streams.created' order by id`,
    [tenantId],
  );
  const erased = records.filter((record) => record.erased).map((record) => record.resource_id);
  expect(erased.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
  await receiver.close();
});

test('settings of streams that name somebody stay, and are told', async () => {
  const tenantId = randomUUID();
  const receiver = await Receiver.start();
  const actorId = 'ana-1';
  await write(tenantId, [{ ...ANA, actorId, data: { site: 'eu', shop: 'Lisboa 3' } }]);
  const calls = await StreamCalls.of(reel, tenantId);
  const { url } = receiver;
  const naming = [
    { url: `${url}/users/ana.souza%40example.com` },
    { url: `${url}/in?user=Ana+Souza` },
    { url: `${url}/in/souza/1` },
    { url, headers: { 'X-For-Ana-Souza': 'secret' } },
  ];
  const others = [{ url: `${url}/in?site=eu` }, { url, headers: { 'X-Site': 'ana.souza@example.com' } }];
  const made = [];
  for (const settings of [...naming, ...others]) made.push(await calls.create({ settings }));
  const told = made.slice(0, naming.length).map(({ id }) => id);
  const ran = await erase(tenantId, '--actor', actorId);
  expect(ran).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/change the settings.*\n.*not erased: settings of 4 streams that name/),
  });
  const { erased, streams } = JSON.parse(ran.stdout);
  expect([erased, streams.toSorted()]).toEqual([1, told.toSorted()]);
  for (const id of told) expect(ran.stderr).toContain(id);
  for (const { id, settings } of made) expect((await calls.get(id)).settings).toEqual(settings);
  await receiver.close();
});
