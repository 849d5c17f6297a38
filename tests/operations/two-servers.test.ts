import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { runCommand } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { create, makeDataDir, ReelProcess, type Storm, storm } from '../support/process.js';
import { JWT_SECRET, moduleToken, SERVICE_SECRET } from '../support/reel.js';

/** Several servers on one database, as an installation runs them: whatever one of them acknowledged, all stand for. */

const TENANTS = [randomUUID(), randomUUID(), randomUUID()] as const;
const [TENANT] = TENANTS;

let own: TestDatabase;
let settings: Record<string, string>;
let token: string;
const started: ReelProcess[] = [];

const start = async () => {
  const server = new ReelProcess(await makeDataDir(), settings);
  started.push(server);
  return { server, url: await server.ready() };
};

beforeAll(async () => {
  own = await createDatabase();
  token = await moduleToken();
  settings = {
    REEL_ENV: 'production',
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_MIGRATE_URL: own.ownerUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_SIGNING_KEY: generateKeyPairSync('ed25519')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
    REEL_ORIGIN: 'logs.example.com',
  };
});
afterAll(async () => {
  for (const server of started) server.kill('SIGKILL');
  await Promise.all(
    started.map(async ({ ended, dataDir }) => {
      await ended.catch(() => {});
      await rm(dirname(dataDir), { recursive: true, force: true });
    }),
  );
  await own?.drop();
});

test('two servers take the same entries at once; one is killed, and the other has all and seals all', async () => {
  const [first, second] = await Promise.all([start(), start()]);
  const loads = TENANTS.flatMap((tenantId, at) => [
    { tenantId, storm: storm(first.url, token, tenantId, 4, `first-${at}`) },
    { tenantId, storm: storm(second.url, token, tenantId, 4, `second-${at}`) },
  ]);
  await until(() => loads.every(({ storm: load }) => load.acknowledged.size > 30));
  // One key, both servers, at the same moment.
  const shared = Array.from({ length: 40 }, (_, at) => `shared-${at}`);
  const answers = await Promise.all(
    shared.flatMap((key) => [first, second].map(({ url }) => create(url, token, TENANT, key))),
  );
  expect(answers.map(({ status }) => status).filter((status) => status !== 201)).toEqual([]);
  const ids = Map.groupBy(answers, ({ body }) => body.resource_id as string);
  for (const key of shared) expect(new Set(ids.get(key)!.map(({ body }) => body.id)).size).toBe(1);

  first.server.kill('SIGKILL');
  await first.server.ended;
  const ofSecond = loads.filter((_, at) => at % 2 === 1).map(({ storm: load }) => load);
  const before = ofSecond.map((load) => load.acknowledged.size);
  await until(() => ofSecond.every((load, at) => load.acknowledged.size > before[at]! + 30));
  for (const load of ofSecond) load.stop();
  await Promise.all(loads.map(({ storm: load }) => load.over));

  // What the first was asked and did not answer is asked of the second, which stores it once.
  for (const { tenantId, storm: load } of loads)
    for (const key of load.open) {
      const { status, body } = await create(second.url, token, tenantId, key);
      expect(status).toBe(201);
      load.acknowledged.set(key, body.id as string);
    }
  // And what it did answer is the same entry there.
  for (const { tenantId, storm: load } of loads.slice(0, 2))
    for (const [key, id] of [...load.acknowledged].slice(-20))
      expect((await create(second.url, token, tenantId, key)).body.id).toBe(id);
  await expectWhole(loads, answers.length / 2);

  // A server that joins later has it all, too, and others have what it takes.
  const third = await start();
  const joined = await create(third.url, token, TENANT, 'third');
  expect((await create(second.url, token, TENANT, 'third')).body.id).toBe(joined.body.id);
  await expectWhole(loads, answers.length / 2 + 1);
  for (const { server } of [second, third]) expect((await server.stop()).code).toBe(0);
});

test('a server that is killed amid sealing leaves nothing behind, and the other takes over', async () => {
  const tenantId = randomUUID();
  const [first, second] = await Promise.all([start(), start()]);
  // Its transaction will wait for this one, at the last of what it writes.
  const holder = new pg.Client({ connectionString: own.ownerUrl });
  await holder.connect();
  onTestFinished(() => holder.end());
  second.server.kill('SIGSTOP');
  await holder.query('begin; lock table reel_log_sequence in share row exclusive mode');
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, at) => create(first.url, token, tenantId, `held-${at}`)),
  );
  await until(async () => (await sealingBackends()).length > 0);
  second.server.kill('SIGCONT');
  first.server.kill('SIGKILL');
  await first.server.ended;
  await holder.query('commit');
  const stored = new Map(made.map(({ body }) => [body.resource_id as string, body.id as string]));
  expect(stored.size).toBe(50);
  await until(async () => {
    const rows = await own.query('select entry_id from reel_log_sequence where tenant_id = $1', [tenantId]);
    return rows.length === 50;
  });
  await expectSealed(tenantId, 50);
  expect((await second.server.stop()).code).toBe(0);
});

/** Backends that wait for a lock to write the order. */
const sealingBackends = () =>
  own.query(
    `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
       and query ~ 'insert into reel_log_(sequence|checkpoints)'`,
    [],
    'superuser',
  );

/** Every acknowledged entry of the storms is stored once, under the id that was answered; `more` entries are others' of the first tenant. */
async function expectWhole(
  loads: readonly { tenantId: string; storm: Storm }[],
  more: number,
): Promise<void> {
  await until(async () => (await own.query('select 1 from reel_log_inbox limit 1')).length === 0);
  for (const tenantId of TENANTS) {
    const rows = await own.query(
      `select resource_id as key, array_agg(id::text) as ids from reel_log_entries where tenant_id = $1 group by 1`,
      [tenantId],
    );
    const stored = new Map(rows.map((row) => [row.key as string, row.ids as string[]]));
    expect(rows.filter((row) => (row.ids as string[]).length !== 1)).toEqual([]);
    const mine = loads.filter((load) => load.tenantId === tenantId).map((load) => load.storm);
    const wrong = mine.flatMap((load) =>
      [...load.acknowledged].filter(([key, id]) => stored.get(key)?.[0] !== id),
    );
    expect(wrong).toEqual([]);
    const acknowledged = mine.reduce((sum, load) => sum + load.acknowledged.size, 0);
    expect(stored.size).toBe(acknowledged + (tenantId === TENANT ? more : 0));
    await expectSealed(tenantId, stored.size);
  }
}

/** The tenant's log has so many entries, in one order without a gap, under signed tree heads. */
async function expectSealed(tenantId: string, size: number): Promise<void> {
  const verified = await runCommand(['verify', '--tenant', tenantId], settings);
  expect(verified).toMatchObject({ code: 0, stderr: '' });
  expect(verified.stdout).toContain(`ok tenant ${tenantId} size ${size} `);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`expected within 60 s: ${holds}`);
    await setTimeout(20);
  }
}
