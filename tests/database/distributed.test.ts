import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Database } from '../../src/database/database.js';
import { policiesByRow } from '../../src/database/distribute.js';
import { compile, type Execute, type Row, type TextRow } from '../../src/database/execute.js';
import { connectPool } from '../../src/database/session.js';
import { countRemovable, removeEntries } from '../../src/log/retention/cleanup.js';
import { eraseEntries } from '../../src/log/retention/erase.js';
import { addHold, listHolds, releaseHold } from '../../src/log/retention/hold.js';
import { OwnEntries, type OwnerDatabase } from '../../src/log/retention/own-entries.js';
import { readKeys } from '../../src/seal/signing-keys.js';
import type { Fault } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { Receiver } from '../support/receiver.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';
import { StreamCalls, store } from '../support/streams.js';
import { tablesWithoutTenant } from '../support/tenant-rule.js';

/**
 * What a server and the commands send to a cluster, recorded on plain PostgreSQL while they take it for one: each table has its tenant, and what
 * comes of it is what comes of the other way.
 */

const [TENANT, OTHER] = [randomUUID(), randomUUID()];
const [ACTOR, CLIENT] = [randomUUID(), randomUUID()];

let reel: TestReel;
const recorded = new Set<string>();
let token: string;
let reader: string;

beforeEach(() => {
  vi.spyOn(Database.prototype, 'isDistributed', 'get').mockReturnValue(true);
  record();
});
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'all' });
  // As `reel distribute` has them.
  for (const { statement } of await policiesByRow((sql) => reel.own.query(sql)))
    await reel.own.query(statement);
  token = await moduleToken();
  reader = await person({
    grants: [
      grant(TENANT, 'reel.logs.view:ACCOUNT'),
      grant(TENANT, `reel.logs.view:CLIENT:${CLIENT}`),
      grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`),
    ],
  });
});
afterAll(() => reel?.close());

/** Keeps the text of everything that leaves for the database, in whatever way the driver is given it. */
function record(): void {
  const query = pg.Client.prototype.query as (...given: unknown[]) => unknown;
  vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...given: unknown[]) {
    const [statement] = given as [string | { text?: string; cursor?: { text?: string } }];
    const text = typeof statement === 'string' ? statement : (statement.text ?? statement.cursor?.text);
    if (text) recorded.add(text);
    return query.apply(this, given);
  } as never);
}

const entry = (more: object = {}) => ({
  module: 'guardian',
  action: 'users.create',
  tenant_id: TENANT,
  client_id: CLIENT,
  actor_id: ACTOR,
  actor_email: 'ana@example.com',
  resource_type: 'user',
  resource_id: randomUUID(),
  data: { word: 'needle in a haystack' },
  ...more,
});

/** The test's own. */
const INBOX = 'select 1 from reel_log_inbox';
const sealed = () => vi.waitFor(async () => expect(await reel.own.query(INBOX)).toEqual([]), 60_000);

/** As the owner, whose commands ask whether the tables are distributed. */
async function asOwner<T>(work: (database: OwnerDatabase) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: reel.own.ownerUrl, options: '-c timezone=UTC' });
  await client.connect();
  const execute: Execute = async <R extends Row | TextRow>(statement: Parameters<Execute>[0]) => {
    const { sql: text, parameters } = compile(statement);
    return (await client.query(text, [...parameters])).rows as R[];
  };
  try {
    return await work({
      isDistributed: true,
      transact: async (inside) => {
        await client.query('begin');
        const result = await inside(execute);
        await client.query('commit');
        return result;
      },
    });
  } finally {
    await client.end();
  }
}

async function faultsOf(tenantId: string): Promise<Fault[]> {
  const database = await connectPool(reel.own.runtimeUrl, 2);
  const faults: Fault[] = [];
  const keys = await readKeys(database);
  await database.read(tenantId, (execute) =>
    verifyLog(execute, tenantId, {
      keys,
      search: true,
      report: (fault) => faults.push(fault),
      parallel: execute,
    }),
  );
  await database.close();
  return faults;
}

test('every door works, and so does every command', async () => {
  const rest = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    reel.rest(method === 'GET' ? reader : token, method, path, body, headers);
  for (let at = 0; at < 40; at += 1) {
    const key = { 'idempotency-key': `key-${at % 30}` };
    const body = entry({ resource_id: `r-${at % 30}`, module: at % 30 < 20 ? 'guardian' : 'billing' });
    expect((await rest('POST', '/logs', body, key)).status).toBeLessThan(300);
  }
  const batch = [
    entry(),
    entry({ tenant_id: OTHER, client_id: null }),
    entry({ actor_email: 'bea@example.com' }),
  ];
  expect((await rest('POST', '/logs/batch', { entries: batch })).status).toBeLessThan(300);
  await sealed();
  const { body: listed } = await rest('GET', '/logs?page_size=10');
  expect(listed.total).toBeGreaterThanOrEqual(32);
  const [first] = listed.items as [{ id: string }];
  for (const path of [
    `/logs/${first.id}`,
    '/logs?page=3&page_size=5',
    '/logs?module=billing&severity=INFO',
    '/logs?search=needle',
    '/logs?search=ne',
    '/logs/stats',
    `/logs?actor_id=${ACTOR}`,
    '/logs?query=email:ana@example.com',
  ])
    expect(await rest('GET', path)).toMatchObject({
      status: expect.toSatisfy((status: number) => status < 500),
    });
  const { body } = await reel.graphql(
    reader,
    `query ($id: UUID!) {
      logs(first: 5) { nodes { id sequence module related { id } } totalCount(exact: true) { value } pageInfo { endCursor } }
      oldest: logs(orderBy: OLDEST_FIRST, last: 2) { nodes { id } }
      found: logs(filter: { search: "needle" }) { nodes { id } totalCount { value } }
      log(id: $id) { id }
      logStats { totalEntries entriesByModule { key count } entriesToday timeline { count } facet(field: MODULE) { key count } actions: facet(field: ACTION) { key count } }
      narrow: logStats(filter: { search: "needle" }) { totalEntries facet(field: ACTION) { key count } }
    }`,
    { id: first.id },
  );
  expect(body.errors).toBeUndefined();
  expect(body.data.found.totalCount.value).toBeGreaterThan(0);
  for (const format of ['csv', 'ndjson']) {
    const exported = await reel.rest(reader, 'POST', '/logs/export', { format });
    expect(exported.status).toBe(200);
    expect((await fetch(new URL(exported.body.download_url, reel.url))).status).toBe(200);
  }
  await sealed();

  const by = new OwnEntries('olga', 'test');
  await asOwner(async (database) => {
    const hold = await addHold(database, by, {
      tenantId: TENANT,
      reason: 'case',
      from: null,
      to: null,
      actorId: ACTOR,
    });
    expect(await listHolds(database, { tenantId: TENANT })).toHaveLength(1);
    const held = { tenantId: TENANT, target: { actorId: ACTOR }, reason: 'asked', ownEntries: by };
    expect(await eraseEntries(database, held)).toMatchObject({ erased: 0 });
    expect(await releaseHold(database, by, hold.id)).toMatchObject({ isNew: true });
    await sealed();
    expect(
      (await eraseEntries(database, { ...held, target: { email: 'bea@example.com' } })).erased,
    ).toBeGreaterThan(0);
  });
  await sealed();
  expect(await faultsOf(TENANT)).toEqual([]);
  await asOwner(async (database) => {
    const range = { before: new Date(), tenantId: TENANT };
    const removable = (await countRemovable(database, range)).get(TENANT)!;
    const removed = await removeEntries(database, { ...range, reason: 'days', ownEntries: by, batch: 7 });
    // Records of erasures may go with what was erased.
    expect(removed.get(TENANT)).toBeGreaterThanOrEqual(removable);
  });
  await sealed();
  expect(await faultsOf(TENANT)).toEqual([]);
  expect(await faultsOf(OTHER)).toEqual([]);
}, 120_000);

test('streams deliver, park, replay and end', async () => {
  const tenant = randomUUID();
  const receiver = await Receiver.start(({ body }) =>
    body.includes('"resource_id":"bad"') ? { status: 422 } : { status: 200 },
  );
  try {
    const calls = await StreamCalls.of(reel, tenant);
    const entries = [{}, { resource_id: 'bad' }, {}];
    await store(reel, token, tenant, entries);
    const { id } = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(id, ({ parkedCount, position }) => {
      expect(parkedCount).toBe(1);
      expect(position).toBeGreaterThanOrEqual(4);
    });
    receiver.behaviour = () => ({ status: 200 });
    expect(await calls.parked(id)).toHaveLength(1);
    await calls.act('retryParked', id);
    await calls.until(id, ({ parkedCount }) => expect(parkedCount).toBe(0));
    receiver.behaviour = () => ({ status: 503 });
    await calls.act('replayStream', id, ', since: "2000-01-01T00:00:00Z"');
    await calls.until(id, ({ lastError }) => expect(lastError).toBe('503'));
    receiver.behaviour = () => ({ status: 200 });
    await calls.act('pauseStream', id);
    await calls.update(id, { query: 'module:billing', settings: { batchEntries: 2 } });
    await calls.act('resumeStream', id);
    await calls.until(id, ({ lagEntries }) => expect(lagEntries).toBe(0));
    expect((await calls.test(id)).delivered).toBe(true);
    await calls.ask('mutation ($id: UUID!) { removeStream(id: $id) }', { id });
  } finally {
    await receiver.close();
  }
});

test('views are saved, changed, listed, removed and erased', async () => {
  const tenant = randomUUID();
  const calls = await StreamCalls.of(reel, tenant);
  const save = async (input: object) =>
    (await calls.ask('mutation ($input: SaveViewInput!) { saveView(input: $input) { id name } }', { input }))
      .saveView as { id: string };
  const [own] = await Promise.all(
    [false, true].map((shared) => save({ name: 'of ana@example.com', query: 'module:billing', shared })),
  );
  await save({ id: own!.id, name: 'changed', query: '', shared: false });
  expect((await calls.ask('{ views { id } }')).views).toHaveLength(2);
  await calls.ask('mutation ($id: UUID!) { removeView(id: $id) }', { id: own!.id });
  await asOwner((database) =>
    eraseEntries(database, {
      tenantId: tenant,
      target: { email: 'ana@example.com' },
      reason: 'asked',
      ownEntries: new OwnEntries('olga', 'test'),
    }),
  );
  expect((await calls.ask('{ views { name } }')).views).toEqual([{ name: '(erased)' }]);
});

test('actions are registered, listed, and hold for entries', async () => {
  const actions = [
    { action: 'invoices.delete', version: 1, schema: { type: 'object' }, redact: [{ path: 'card' }] },
  ];
  const registered = await reel.graphql(
    await moduleToken('billing'),
    'mutation ($actions: [RegisterActionInput!]!) { registerActions(actions: $actions) { action version } }',
    { actions },
  );
  expect(registered.body.errors).toBeUndefined();
  const { body } = await reel.graphql(reader, '{ actions { action } }');
  expect(body.data.actions).toEqual([{ action: 'invoices.delete' }]);
  await store(reel, token, randomUUID(), [{ action: 'invoices.delete', data: { card: '4111' } }]);
});

/** Statements of the owner's commands over all tenants, which Citus sends to every node, and those of which the tenant is what is looked for. */
const OVER_ALL = [
  // The tenant of a hold, by its id.
  /^select tenant_id from reel_log_holds where id = \$1::uuid$/,
  // What one tenant's cleanup would remove, counted with the statement that counts all tenants'.
  /^\s*select tenant_id, count\(\*\) as n from reel_log_entries e/,
  /where \(\$\d+::uuid is null or tenant_id = \$\d+::uuid\)/,
  /unnest\(\$\d+::uuid\[\]/,
];

test('each table in each statement has a tenant of its own', async () => {
  const rows = await reel.own.query(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where c.relname like 'reel\\_%' and c.relkind in ('r', 'p')`,
  );
  const tables = new Set(rows.map(({ name }) => name as string));
  expect(tables.size).toBeGreaterThan(10);
  const sent = [...recorded].filter((text) => /reel_(?:log_|stream|view)/.test(text) && text !== INBOX);
  expect(sent.length).toBeGreaterThan(60);
  for (const table of [...tables].filter((name) => !/_(?:\d{6}|default)$/.test(name)))
    expect(
      sent.some((text) => new RegExp(`\\b${table}\\b`).test(text)),
      `nothing was sent of ${table}`,
    ).toBe(true);
  const breaking = sent
    .filter((text) => tablesWithoutTenant(text, (table) => tables.has(table)).length > 0)
    .filter((text) => !OVER_ALL.some((allowed) => allowed.test(text)));
  expect(breaking).toEqual([]);
  // What is on the coordinator alone is asked for alone.
  const local = /\breel_(?:log_actions|log_signing_keys)\b/;
  expect(sent.filter((text) => local.test(text)).length).toBeGreaterThan(2);
  const mixed = sent.filter(
    (text) => local.test(text) && [...tables].some((table) => text.includes(`${table} `)),
  );
  expect(mixed).toEqual([]);
});

test('no policy has a sub-select, which Citus does not take, and none but plain tables is distributed', async () => {
  expect(
    await reel.own.query(
      `select polrelid::regclass::text as table, polname::text as policy from pg_policy
       where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~* '\\mselect\\M'`,
    ),
  ).toEqual([]);
  // Each has a primary key that begins with the tenant, by which moves tell rows apart, and no row-level security that is forced.
  expect(
    await reel.own.query(
      `select c.relname::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
       where c.relname like 'reel\\_%' and c.relkind in ('r', 'p') and (c.relforcerowsecurity or not exists (
         select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indkey[0] = a.attnum))`,
    ),
  ).toEqual([]);
  expect(
    await reel.own.query(
      `select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
       where c.relname like 'reel\\_%' and i.indisunique and not a.attnum = any (i.indkey)`,
    ),
  ).toEqual([]);
  expect(await reel.own.query('select tgname from pg_trigger where not tgisinternal')).toEqual([]);
  expect(
    await reel.own.query("select conname from pg_constraint where contype = 'f' and conname like 'reel%'"),
  ).toEqual([]);
});
