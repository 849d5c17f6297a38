import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  asOwner,
  create,
  isAlive,
  makeDataDir,
  portOf,
  postmasterOf,
  ReelProcess,
  type Storm,
  storm,
} from '../support/process.js';

let dataDir: string;
const started: ReelProcess[] = [];
const start = (settings: Record<string, string> = {}) => {
  const reel = new ReelProcess(dataDir, settings);
  started.push(reel);
  return reel;
};
/** What a test left running, for the one after it. */
let left: ReelProcess | null = null;
const takeOver = () => {
  const reel = left ?? start();
  left = null;
  return reel;
};
/** Tokens stay good from one start to the next. */
let tokens: { person: string; module: string };
const TENANT = '0196f2f0-0000-7000-8000-00000000a001';

beforeAll(async () => {
  dataDir = await makeDataDir();
});
afterAll(async () => {
  for (const reel of started) reel.kill('SIGKILL');
  const postmaster = await postmasterOf(dataDir);
  if (postmaster !== null && (await isAlive(postmaster))) process.kill(postmaster, 'SIGQUIT');
  await rm(dirname(dataDir), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

test('the first start prints an address, tokens and links that work, and Ctrl-C takes the database along', async () => {
  const reel = start();
  const url = await reel.ready();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  tokens = reel.tokens;
  expect(reel.printed('Tenant')).toBe(TENANT);
  for (const label of ['Viewer', 'Playground']) {
    const link = reel.printed(label);
    expect(link).toContain(`#token=${tokens.person}`);
    if (label === 'Viewer') expect((await fetch(link)).status).toBe(200);
  }
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect((await create(url, tokens.module, TENANT, 'first')).status).toBe(201);
  expect(await list(url)).toMatchObject({ total: 1, items: [{ resource_id: 'first' }] });

  const postmaster = await postmasterOf(dataDir);
  expect(await isAlive(postmaster!)).toBe(true);
  expect(await reel.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' });
  expect(await isAlive(postmaster!)).toBe(false);
  expect(await postmasterOf(dataDir)).toBeNull();
  await expect(fetch(url)).rejects.toThrow();
});

test('a start that finds its port taken takes the database down again', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  refusedInOneLine(await start({ REEL_PORT: String(port) }).ended, /^reel: REEL_PORT: .*$/);
  other.close();
  // The lock and the database of the refused start are gone, so that the next one may come.
  left = start();
  await left.ready();
});

test('of two starts in one data directory the second is refused in one line, and the first goes on', async () => {
  const first = takeOver();
  const url = await first.ready();
  const second = await start().ended;
  refusedInOneLine(second, /^reel: REEL_DATA_DIR: .*in use by process \d+$/);
  expect(second.stderr).toContain(String(first.pid));
  // What the first start printed opens this one.
  expect(await list(url)).toMatchObject({ total: 1 });
  expect((await create(url, tokens.module, TENANT, 'second')).status).toBe(201);
  expect((await first.stop()).code).toBe(0);
});

test('a signal while it starts leaves nothing running', async () => {
  const reel = start();
  while ((await postmasterOf(dataDir)) === null) await setTimeout(5);
  const postmaster = await postmasterOf(dataDir);
  expect((await reel.stop('SIGINT')).signal).toBeNull();
  expect(await isAlive(postmaster!)).toBe(false);
});

test('of two starts at the same moment one serves and one is refused', async () => {
  const both = [start(), start()];
  const outcomes = await Promise.all(
    both.map((reel) =>
      reel.ready().then(
        () => null,
        () => reel.ended,
      ),
    ),
  );
  const refused = outcomes.filter((outcome) => outcome !== null);
  expect(refused).toHaveLength(1);
  refusedInOneLine(refused[0]!, /^reel: REEL_DATA_DIR: /);
  left = both[outcomes.indexOf(null)]!;
});

test('SIGTERM under load finishes what is being written and refuses the rest', async () => {
  const reel = takeOver();
  const load = storm(await reel.ready(), tokens.module, TENANT, 32, 'term');
  await until(() => load.acknowledged.size > 150);
  const ended = await reel.stop();
  await load.over;
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  // A call is carried through or refused, never broken inside.
  expect([...load.statuses].filter((status) => status !== 503)).toEqual([]);
  left = start();
  await left.ready();
  await expectKept([load]);
});

test('SIGTERM ends connections that say nothing and does not wait for them', async () => {
  const reel = takeOver();
  const url = await reel.ready();
  // fetch keeps its connections open for the next call.
  await Promise.all(
    Array.from({ length: 8 }, () => fetch(`${url}/health/live`).then((answer) => answer.text())),
  );
  const before = Date.now();
  expect((await reel.stop()).code).toBe(0);
  expect(Date.now() - before).toBeLessThan(20_000);
});

describe('kill -9', () => {
  const loads: Storm[] = [];

  test.each([
    ['of the server alone: the next start joins the database that still runs', 'server'],
    ['of the server and its database: the lock files that they left do not matter', 'both'],
    ['of the database first', 'database'],
    ['of both, once more', 'both'],
  ])('%s', async (_title, whom) => {
    const reel = start();
    const url = await reel.ready();
    const load = storm(url, tokens.module, TENANT, 24, `kill-${loads.length}`);
    loads.push(load);
    await until(() => load.acknowledged.size > 150);
    const postmaster = await postmasterOf(dataDir);
    if (whom !== 'server') process.kill(postmaster!, 'SIGKILL');
    if (whom === 'database') await until(() => load.statuses.has(503));
    expect([...load.statuses].filter((status) => status !== 503)).toEqual([]);
    reel.kill('SIGKILL');
    await load.over;
    expect(await isAlive(postmaster!)).toBe(whom === 'server');

    const next = start();
    const again = await next.ready();
    await expectKept(loads);
    // What was not answered may be asked for again, and is stored once whatever became of it.
    const retried = await Promise.all(
      [...load.open].map(
        async (key) => [key, (await create(again, tokens.module, TENANT, key)).body.id] as const,
      ),
    );
    for (const [key, id] of retried) load.acknowledged.set(key, id as string);
    await expectKept(loads);
    expect((await next.stop()).code).toBe(0);
    expect(await postmasterOf(dataDir)).toBeNull();
  });

  test('a lock file that names a process which runs, but is none of Reel, is taken over', async () => {
    await writeFile(join(dataDir, 'server.pid'), `${process.ppid} 1`);
    await writeFile(
      join(dataDir, 'postgres', 'data', 'postmaster.pid'),
      `${process.ppid}\n${join(dataDir, 'postgres', 'data')}\n1700000000\n5432\n\n127.0.0.1\n 1 1\nready\n`,
    );
    left = start();
    await left.ready();
  });
});

test.each([
  ['on its port', false],
  ['on another where its port is taken', true],
])('an embedded database that is killed is started again, %s', async (_title, isTaken) => {
  const reel = takeOver();
  left = reel;
  const url = await reel.ready();
  const [postmaster, port] = [await postmasterOf(dataDir), (await portOf(dataDir))!];
  const load = storm(url, tokens.module, TENANT, 8, `again-${isTaken}`);
  await until(() => load.acknowledged.size > 50);
  const other = isTaken ? await killAndTake(postmaster!, port) : null;
  if (!isTaken) process.kill(postmaster!, 'SIGKILL');
  await until(async () => ![null, postmaster].includes(await postmasterOf(dataDir)));
  await until(async () => (await create(url, tokens.module, TENANT, `after-${isTaken}`)).status === 201);
  load.stop();
  await load.over;
  expect([...load.statuses].filter((status) => status !== 503)).toEqual([]);
  await until(async () => (await fetch(`${url}/health/ready`)).status === 200);
  expect(await postmasterOf(dataDir)).not.toBe(postmaster);
  expect((await portOf(dataDir)) === port).toBe(!isTaken);
  await expectKept([load]);
  other?.close();
});

/** Kills the database and takes its port: again where it was started again first. */
async function killAndTake(postmaster: number, port: number): Promise<Server> {
  process.kill(postmaster, 'SIGKILL');
  const other = createServer().listen(port, '127.0.0.1');
  try {
    await once(other, 'listening');
    return other;
  } catch {
    await until(async () => ![null, postmaster].includes(await postmasterOf(dataDir)));
    return killAndTake((await postmasterOf(dataDir))!, port);
  }
}

test('a server whose database was killed a moment ago still ends when told, and leaves nothing running', async () => {
  const reel = takeOver();
  const url = await reel.ready();
  process.kill((await postmasterOf(dataDir))!, 'SIGKILL');
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect((await reel.stop()).code).toBe(0);
  const postmaster = await postmasterOf(dataDir);
  expect(postmaster === null || !(await isAlive(postmaster))).toBe(true);
});

/** Every acknowledged entry is there as it was answered, none twice, and the order has no gap. */
async function expectKept(loads: readonly Storm[]): Promise<void> {
  await until(async () => (await asOwner(dataDir, 'select 1 from reel_log_inbox limit 1')).length === 0);
  const rows = await asOwner(
    dataDir,
    `select e.resource_id as key, array_agg(e.id::text) as ids, count(k) as keys from reel_log_entries e
     left join reel_log_keys k on k.tenant_id = e.tenant_id and k.entry_id = e.id and k.idempotency_key = e.resource_id
     group by 1`,
  );
  const stored = new Map(rows.map((row) => [row.key, JSON.stringify([row.ids, row.keys])]));
  const acknowledged = loads.flatMap((load) => [...load.acknowledged]);
  expect(acknowledged.filter(([key, id]) => stored.get(key) !== JSON.stringify([[id], '1']))).toEqual([]);
  expect(rows.filter((row) => (row.ids as string[]).length !== 1)).toEqual([]);
  const [order] = await asOwner(
    dataDir,
    `select count(*) as places, max(seq) as last, count(distinct entry_id) as entries,
       (select count(*) from reel_log_entries) as stored, (select sum(count) from reel_log_counts where span = 15) as counted
     from reel_log_sequence`,
  );
  expect(new Set(Object.values(order!))).toHaveLength(1);
}

async function list(url: string) {
  const response = await fetch(`${url}/api/v1/reel/logs`, {
    headers: { authorization: `Bearer ${tokens.person}`, 'x-tenant-id': TENANT },
  });
  return response.json();
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`expected within 60 s: ${holds}`);
    await setTimeout(10);
  }
}

function refusedInOneLine(
  ended: { code: number | null; stderr: string; stdout: string },
  line: RegExp,
): void {
  expect(ended.stdout).toBe('');
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(ended.stderr.trimEnd()).toMatch(line);
  expect(ended.code).toBe(1);
}
