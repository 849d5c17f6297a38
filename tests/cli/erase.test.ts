import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import { LEAF } from '../../src/log/entry/leaf.js';
import { readKeys } from '../../src/seal/signing-keys.js';
import { type Fault, faultLine } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { runCommand, settingsOf, startCommand, wrongCounts } from '../support/cli.js';
import { checkInclusion } from '../support/independent-verifier.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

let reel: TestReel;
let database: Database;
beforeAll(async () => {
  reel = await startReel();
  database = await connect(reel.own.runtimeUrl);
});
afterAll(async () => {
  await database?.close();
  await reel?.close();
});

const command = (...args: string[]) => runCommand(args, settingsOf(reel.own));
const erase = (tenantId: string, ...more: string[]) =>
  command('erase', '--tenant', tenantId, '--reason', 'request 12', ...more);
const seer = (tenantId: string) =>
  person({
    grants: ['view:ACCOUNT', `export:CLIENT:${CLIENT}`].map((each) => grant(tenantId, `reel.logs.${each}`)),
  });

const CLIENT = randomUUID();

interface Said {
  actorId?: string | null;
  actorEmail?: string | null;
  actorName?: string | null;
  ipAddress?: string;
  userAgent?: string;
  onBehalfOfId?: string;
  onBehalfOfName?: string | null;
  resourceName?: string;
  idempotencyKey?: string;
  data?: object;
}
const inputOf = (tenantId: string, index: number, said: Said) => ({
  module: 'guardian',
  action: 'users.update',
  tenantId,
  clientId: CLIENT,
  actorEmail: 'Ana@Example.com',
  actorName: 'Ana',
  ipAddress: '10.0.0.1',
  userAgent: 'curl/8',
  resourceId: String(index),
  resourceName: `Invoice of Ana ${index}`,
  onBehalfOfName: 'Zoë',
  outcome: 'SUCCESS',
  data: { secret: `needle ${index}` },
  occurredAt: '2026-01-05T10:00:00Z',
  ...said,
});
async function write(tenantId: string, said: readonly Said[]): Promise<string[]> {
  const inputs = said.map((each, index) => inputOf(tenantId, index, each));
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(body.errors).toBeUndefined();
  return body.data.createLogs.map(({ id }: { id: string }) => id);
}

/** Until everything has its place. */
const sealed = (tenantId: string) =>
  vi.waitFor(
    async () =>
      expect(await reel.own.query('select 1 from reel_log_inbox where tenant_id = $1', [tenantId])).toEqual(
        [],
      ),
    60_000,
  );

async function faults(tenantId: string): Promise<string[]> {
  const found: Fault[] = [];
  const keys = await readKeys(database);
  await database.read(tenantId, (execute) =>
    verifyLog(execute, tenantId, { parallel: execute, keys, report: (fault) => found.push(fault) }),
  );
  return found.map(faultLine);
}

const rows = (tenantId: string) =>
  reel.own.query(`select * from reel_log_entries where tenant_id = $1 and module <> 'reel' order by id`, [
    tenantId,
  ]);
interface AccountRow {
  actor_name: string;
  resource_type: string;
  resource_id: string;
  data: { entries: number; entriesOfRun: number; erasedAt: string };
}
const accounts = async (tenantId: string) =>
  (await reel.own.query(
    `select actor_name, resource_type, resource_id, data from reel_log_entries
     where tenant_id = $1 and action = 'reel.logs.erased' order by id`,
    [tenantId],
  )) as unknown as AccountRow[];
const erasedCount = async (tenantId: string) =>
  (await rows(tenantId)).filter(({ erased_at }) => erased_at !== null).length;

const BLANK = {
  actor_email: null,
  actor_email_folded: null,
  actor_name: null,
  actor_name_folded: null,
  on_behalf_of_name: null,
  resource_name: null,
  ip_address: null,
  user_agent: null,
  data: null,
  // Of what it still shows.
  search_text: expect.any(String),
  identity_salt: null,
  data_salt: null,
  erased_at: expect.any(Date),
};

describe('by actor', () => {
  const tenantId = randomUUID();
  const [ana, bob] = [randomUUID(), randomUUID()];
  let ids: string[];
  let before: Record<string, unknown>[];
  let statsBefore: unknown;
  const stats = async () =>
    (
      await reel.graphql(
        await seer(tenantId),
        '{ logStats(filter: { modules: ["guardian"] }) { totalEntries entriesByModule { key count } facet(field: ACTION) { key count } } }',
      )
    ).body.data.logStats;

  beforeAll(async () => {
    ids = await write(tenantId, [
      { actorId: ana },
      { actorId: bob },
      { actorId: ana, idempotencyKey: 'once' },
      { actorId: bob, onBehalfOfId: ana },
      { actorId: ana, onBehalfOfId: bob },
    ]);
    await write(randomUUID(), [{ actorId: ana }]);
    await sealed(tenantId);
    before = await rows(tenantId);
    statsBefore = await stats();
    const ran = await erase(tenantId, '--actor', ana, '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual({
      tenantId,
      actorId: ana,
      erased: 4,
      asActor: 3,
      onBehalf: 1,
      records: 0,
      erasedBefore: 0,
      onHold: 0,
      ownAccount: 0,
      streams: [],
    });
  });

  test('blanks what they did and what was done for them, keeps the rest and the digests, and what is of nobody else', async () => {
    const after = await rows(tenantId);
    for (const [index, row] of after.entries()) {
      // The key's content hash is emptied, which its digest tells.
      const keyDigest = before[index]!.key_digest && expect.any(Buffer);
      expect(row).toEqual(
        [0, 2, 3, 4].includes(index) ? { ...before[index], ...BLANK, key_digest: keyDigest } : before[index],
      );
    }
    const elsewhere = await reel.own.query(
      'select erased_at from reel_log_entries where tenant_id <> $1 and actor_id = $2',
      [tenantId, ana],
    );
    expect(elsewhere).toEqual([{ erased_at: null }]);
    expect(await wrongCounts(reel.own)).toEqual([]);
  });

  test('leaves an entry that says who, why, how many, and when', async () => {
    const [account, ...more] = await accounts(tenantId);
    expect(more).toEqual([]);
    expect(account).toMatchObject({
      actor_name: expect.stringMatching(/^.+@.+$/),
      resource_type: 'actor',
      resource_id: ana,
      data: {
        by: account!.actor_name,
        command: 'reel erase',
        reason: 'request 12',
        entries: 4,
        entriesOfRun: 4,
        erasedAt: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
      },
    });
  });

  test('leaves every proof as it was', async () => {
    await sealed(tenantId);
    expect(await faults(tenantId)).toEqual([]);
    const { body } = await reel.graphql(
      await seer(tenantId),
      `query ($id: UUID!) { log(id: $id) {
        id tenantId module action severity origin actorId onBehalfOfId clientId resourceType resourceId requestId occurredAt createdAt
        actorType outcome repaired onBehalfOfName resourceName
        actorEmail actorName ipAddress userAgent data erasedAt sequence
        proof { leafIndex leafHash identitySalt dataSalt identityDigest dataDigest path checkpoint { treeSize rootHash } }
      } }`,
      { id: ids[0] },
    );
    expect(body.errors).toBeUndefined();
    const { proof, ...entry } = body.data.log;
    expect(entry).toMatchObject({
      actorId: ana,
      actorEmail: null,
      actorName: null,
      ipAddress: null,
      userAgent: null,
      onBehalfOfName: null,
      resourceName: null,
      outcome: 'SUCCESS',
      data: null,
      erasedAt: (await accounts(tenantId))[0]!.data.erasedAt,
    });
    expect(proof).toMatchObject({ identitySalt: null, dataSalt: null });
    const leaf = Buffer.from(LEAF.hashLeaf(entry, proof.identityDigest, proof.dataDigest), 'hex');
    expect(leaf.toString('base64')).toBe(proof.leafHash);
    expect(
      checkInclusion(
        leaf,
        proof.leafIndex,
        proof.checkpoint.treeSize,
        proof.path.map((hash: string) => Buffer.from(hash, 'base64')),
        Buffer.from(proof.checkpoint.rootHash, 'base64'),
      ),
    ).toBe(true);
  });

  test('is found and exported no more, and counted as ever', async () => {
    const token = await seer(tenantId);
    for (const filter of ['search: "needle 0"', 'search: "needle 2"', 'query: "\\"needle 4\\""']) {
      const { body } = await reel.graphql(token, `{ logs(filter: { ${filter} }) { nodes { id } } }`);
      expect([filter, body.data.logs.nodes]).toEqual([filter, []]);
    }
    const byEmail = await reel.graphql(
      token,
      '{ logs(filter: { actorEmail: "ana@example.com" }) { nodes { id } } }',
    );
    expect(byEmail.body.data.logs.nodes.map(({ id }: { id: string }) => id)).toEqual([ids[1]]);
    expect(await stats()).toEqual(statsBefore);
    const made = await reel.rest(token, 'POST', '/logs/export', { format: 'json', include_data: true });
    expect(made).toMatchObject({ status: 200 });
    const file = await (await fetch(reel.url + made.body.download_url)).text();
    expect(file).toContain(ids[0]);
    expect(file).toContain('needle 1');
    for (const gone of ['needle 0', 'needle 2', 'needle 3', 'needle 4']) expect(file).not.toContain(gone);
  });

  test('the same request sent again is answered with what is left, and no hash is left to guess by', async () => {
    const again = (over: object = {}) =>
      reel.graphql(
        writer,
        'mutation ($input: CreateLogInput!) { createLog(input: $input) { id actorEmail data erasedAt } }',
        { input: { ...inputOf(tenantId, 2, { actorId: ana, idempotencyKey: 'once' }), ...over } },
      );
    const writer = await moduleToken();
    const { body } = await again();
    expect(body).toEqual({
      data: { createLog: { id: ids[2], actorEmail: null, data: null, erasedAt: expect.any(String) } },
    });
    // Of what is left, everything counts; what was erased cannot.
    expect((await again({ data: { secret: 'guessed' } })).body.data.createLog.id).toBe(ids[2]);
    for (const other of [{ resourceId: '3' }, { action: 'users.delete' }, { occurredAt: null }])
      expect((await again(other)).body.errors[0].extensions.code).toBe('CONFLICT');
    expect(await rows(tenantId)).toHaveLength(5);
  });

  test('done again it does nothing', async () => {
    const ran = await erase(tenantId, '--actor', ana);
    expect(ran).toMatchObject({
      code: 0,
      stdout: 'erased 0 entries\n',
      stderr: '4 entries had already been erased\n',
    });
    expect(await accounts(tenantId)).toHaveLength(1);
  });
});

test('one entry, with or without data, waiting for its place or not', async () => {
  const tenantId = randomUUID();
  const [one, bare, other] = await write(tenantId, [{}, { data: undefined }, {}]);
  const plain = await erase(tenantId, '--entry', one!.toUpperCase());
  expect(plain).toMatchObject({ code: 0, stdout: 'erased 1 entry\n', stderr: '' });
  expect(await erase(tenantId, '--entry', bare!)).toMatchObject({ code: 0, stdout: 'erased 1 entry\n' });
  expect((await rows(tenantId)).map(({ id, erased_at }) => [id, erased_at !== null])).toEqual([
    [one, true],
    [bare, true],
    [other, false],
  ]);
  expect(
    (await accounts(tenantId)).map(({ resource_type, resource_id }) => [resource_type, resource_id]),
  ).toEqual([
    ['log', one],
    ['log', bare],
  ]);
  await sealed(tenantId);
  expect(await faults(tenantId)).toEqual([]);
  // Not of another tenant, not what is not there.
  for (const [tenant, id] of [
    [randomUUID(), other!],
    [tenantId, randomUUID()],
  ] as const)
    expect(await erase(tenant, '--entry', id)).toMatchObject({
      code: 1,
      stdout: 'erased 0 entries\n',
      stderr: expect.stringMatching(/^reel: --entry: expected an entry of tenant/),
    });
  expect(await accounts(tenantId)).toHaveLength(2);
});

test('what shows that an erasure was by rights stays', async () => {
  const tenantId = randomUUID();
  const [id] = await write(tenantId, [{}]);
  await erase(tenantId, '--entry', id!);
  const [account] = await reel.own.query(
    `select id from reel_log_entries where tenant_id = $1 and action = 'reel.logs.erased'`,
    [tenantId],
  );
  expect(await erase(tenantId, '--entry', account!.id as string)).toMatchObject({
    code: 1,
    stdout: 'erased 0 entries\n',
    stderr: expect.stringContaining('1 entry in which Reel records holds, removals and erasures'),
  });
});

test('what is on hold is refused, the rest erased', async () => {
  const tenantId = randomUUID();
  const ana = randomUUID();
  const [first] = await write(tenantId, [{ actorId: ana }, { actorId: ana }]);
  const [row] = await reel.own.query('select created_at::text as at from reel_log_entries where id = $1', [
    first,
  ]);
  const at = `${(row!.at as string).replace(' ', 'T').replace('+00', 'Z')}`;
  const held = await command('hold', 'add', '--tenant', tenantId, '--reason', 'x', '--from', at, '--to', at);
  expect(held.code).toBe(0);
  const refused = await erase(tenantId, '--entry', first!);
  expect(refused).toMatchObject({
    code: 1,
    stdout: 'erased 0 entries\n',
    stderr: expect.stringMatching(/^reel: not erased: 1 entry on hold/),
  });
  expect(await accounts(tenantId)).toEqual([]);
  const part = await erase(tenantId, '--actor', ana, '--json');
  expect(part.code).toBe(1);
  expect(JSON.parse(part.stdout)).toMatchObject({ erased: 1, onHold: 1 });
  expect((await rows(tenantId)).map(({ erased_at }) => erased_at !== null)).toEqual([false, true]);
  await command('hold', 'release', held.stdout.trim());
  expect(await erase(tenantId, '--actor', ana)).toMatchObject({
    code: 0,
    stdout: 'erased 1 entry\n',
    stderr: '1 as actor, 0 on behalf of the person\n1 entry had already been erased\n',
  });
  await sealed(tenantId);
  expect(await faults(tenantId)).toEqual([]);
});

describe('many at once', () => {
  const many = async () => {
    const [tenantId, ana] = [randomUUID(), randomUUID()];
    for (let batch = 0; batch < 5; batch += 1)
      await write(
        tenantId,
        Array.from({ length: 1_000 }, () => ({ actorId: ana })),
      );
    return { tenantId, ana };
  };

  test('killed in the middle it leaves nothing half done, and the next run finishes', async () => {
    const { tenantId, ana } = await many();
    const holder = new pg.Client({ connectionString: reel.own.ownerUrl });
    await holder.connect();
    // Batches are of 2,000: the second one comes upon an entry that somebody holds, and waits.
    await holder.query('begin');
    const [held] = await reel.own.query(
      'select id from reel_log_entries where tenant_id = $1 order by id offset 3000 limit 1',
      [tenantId],
    );
    await holder.query('select from reel_log_entries where id = $1 for update', [held!.id]);
    const { child, ended } = startCommand(
      ['erase', '--tenant', tenantId, '--actor', ana, '--reason', 'x'],
      settingsOf(reel.own),
    );
    const waiting = () =>
      reel.own.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%update reel_log_entries%'`,
      );
    await expect.poll(waiting).toHaveLength(1);
    child.kill('SIGKILL');
    await ended;
    await holder.query('rollback');
    await holder.end();
    await expect.poll(waiting).toEqual([]);
    expect(await erasedCount(tenantId)).toBe(2_000);
    expect((await accounts(tenantId)).map(({ data }) => data.entries)).toEqual([2_000]);
    await sealed(tenantId);
    expect(await faults(tenantId)).toEqual([]);

    expect(await erase(tenantId, '--actor', ana)).toMatchObject({
      code: 0,
      stdout: 'erased 3000 entries\n',
      stderr: '3000 as actor, 0 on behalf of the person\n2000 entries had already been erased\n',
    });
    expect((await accounts(tenantId)).map(({ data }) => [data.entries, data.entriesOfRun])).toEqual([
      [2_000, 2_000],
      [2_000, 2_000],
      [1_000, 3_000],
    ]);
    await sealed(tenantId);
    expect(await faults(tenantId)).toEqual([]);
  }, 120_000);

  test('two erasures and a cleanup at once: each entry once', async () => {
    const { tenantId, ana } = await many();
    const both = await Promise.all([
      erase(tenantId, '--actor', ana, '--json'),
      erase(tenantId, '--actor', ana, '--json'),
      command('cleanup', '--days', '1', '--tenant', tenantId),
    ]);
    expect(both.map(({ code }) => code)).toEqual([0, 0, 0]);
    const [one, two] = both.map(({ stdout }, index) => (index < 2 ? JSON.parse(stdout).erased : 0));
    expect(one + two).toBe(5_000);
    const said = await accounts(tenantId);
    expect(said.reduce((sum, { data }) => sum + data.entries, 0)).toBe(5_000);
    // Each account's time is that of as many entries as it says.
    const times = await reel.own.query(
      `select to_char(erased_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, count(*)::int as n
       from reel_log_entries where tenant_id = $1 and erased_at is not null group by 1 order by 1`,
      [tenantId],
    );
    const expected = said.map(({ data }) => ({ at: data.erasedAt, n: data.entries }));
    expect(times).toEqual(expected.toSorted((a, b) => (a.at < b.at ? -1 : 1)));
    await sealed(tenantId);
    expect(await faults(tenantId)).toEqual([]);
  });
});

test('refuses what it cannot understand', async () => {
  const T = randomUUID();
  const cases: [string[], RegExp][] = [
    [['--tenant', T, '--reason', 'x'], /--actor <id>, --email <address> and --entry <id>, got none/],
    [['--tenant', T, '--reason', 'x', '--actor', T, '--entry', T], /--actor <id> and --entry <id>, got both/],
    [['--tenant', T, '--reason', 'x', '--actor', T, '--email', 'a@b.c'], /--email <address>, got both/],
    [['--tenant', T, '--reason', 'x', '--actor', T, '--entry', T, '--email', 'a@b.c'], /got all 3/],
    [['--tenant', T, '--reason', 'x', '--actor', 'ana@example.com'], /is erased by --email/],
    [['--tenant', T, '--reason', 'x', '--actor', ''], /Expected an id of 1 to 255/],
    [['--tenant', T, '--reason', 'x', '--email', 'ana'], /Expected an e-mail address/],
    [
      ['--tenant', T, '--reason', 'as Ana@example.com asked', '--email', 'ana@example.com'],
      /--reason: expected a text without personal data/,
    ],
    [['--tenant', T, '--actor', T], /--reason <text> is required/],
    [['--reason', 'x', '--actor', T], /--tenant <id> is required/],
    [['--tenant', T, '--reason', 'x', '--acotr', T], /Did you mean --actor/],
  ];
  const told = await Promise.all(cases.map(([args]) => command('erase', ...args)));
  for (const [index, [, said]] of cases.entries())
    expect(told[index]).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(said),
    });
});

test("the server's role may not", async () => {
  const tenantId = randomUUID();
  const [id] = await write(tenantId, [{}]);
  const ran = await runCommand(['erase', '--tenant', tenantId, '--entry', id!, '--reason', 'x'], {
    REEL_MIGRATE_URL: reel.own.runtimeUrl,
  });
  expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^reel: .*\n$/) });
  for (const statement of [
    'update reel_log_entries set erased_at = now()',
    "update reel_log_keys set content_hash = ''",
    'delete from reel_log_entries',
  ])
    await expect(
      reel.own.query(`begin; set local reel.tenant_id = '${tenantId}'; ${statement}`, [], 'runtime'),
    ).rejects.toMatchObject({ code: '42501' });
  expect(await erasedCount(tenantId)).toBe(0);
});

test('cleaned up and erased entries leave a trail that verifies', async () => {
  const { own } = reel;
  const ran = await command('seed', '--entries', '2000', '--days', '60', '--json');
  const [{ tenantId }] = JSON.parse(ran.stdout);
  const [busiest] = await own.query(
    'select actor_id from reel_log_entries where tenant_id = $1 and actor_id is not null group by 1 order by count(*) desc limit 1',
    [tenantId],
  );
  expect(
    await command('erase', '--tenant', tenantId, '--actor', busiest!.actor_id as string, '--reason', 'x'),
  ).toMatchObject({ code: 0 });
  await command('hold', 'add', '--tenant', tenantId, '--reason', 'x', '--from', '-40d', '--to', '-30d');
  expect(await command('cleanup', '--days', '10', '--tenant', tenantId)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^removed [1-9]\d+ entries/),
  });
  await sealed(tenantId);
  expect(await faults(tenantId)).toEqual([]);
});
