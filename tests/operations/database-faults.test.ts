import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ReelError } from '../../src/errors.js';
import { getReelService } from '../../src/log/embed.js';
import { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { Cluster, signalAll } from '../support/cluster.js';
import { lockTables } from '../support/postgres.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const STATEMENT_MS = 1_000;
/** What the contract allows, with what a busy machine adds. */
const ANSWER_MS = 12_000;
const READY_MS = 6_000;
const RECOVERY_MS = 12_000;

const tenantId = randomUUID();
const clientId = randomUUID();
let cluster: Cluster;
let proxy: TcpProxy;
let reel: TestReel;
let tokens: { person: string; module: string };
let link: string;
let host: MikroORM;

beforeAll(async () => {
  cluster = await Cluster.start();
  proxy = new TcpProxy(cluster.port);
  const runtimeUrl = new URL(cluster.database.runtimeUrl);
  runtimeUrl.port = String(await proxy.listen());
  const own = {
    ...cluster.database,
    runtimeUrl: runtimeUrl.toString(),
    query: (sql: string) => cluster.asSuperuser(sql),
    drop: async () => {},
    disconnect: async () => {},
  };
  reel = await startReel({ REEL_STATEMENT_MS: String(STATEMENT_MS), REEL_SEARCH_MS: '200' }, own);
  host = await MikroORM.init({ clientUrl: own.runtimeUrl, entities: [LogEntry], logger: () => {} });
  tokens = {
    person: await person({
      grants: [
        grant(tenantId, 'reel.logs.view:ACCOUNT'),
        grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
      ],
    }),
    module: await moduleToken(),
  };
  expect((await write('first')).status).toBe(201);
  const { body } = await reel.rest(tokens.person, 'POST', '/logs/export', {});
  link = new URL(body.download_url, reel.url).toString();
});
afterAll(async () => {
  await host?.close(true);
  await reel?.close();
  await proxy?.close();
  await cluster?.stop();
});

const entryOf = (key: string) => ({
  module: 'guardian',
  action: 'users.create',
  tenant_id: tenantId,
  client_id: clientId,
  resource_id: key,
});
const write = (key: string) =>
  reel.rest(tokens.module, 'POST', '/logs', entryOf(key), { 'idempotency-key': key });

interface Answer {
  status: number;
  retryAfter: string | null;
  text: string;
}
const answerOf = async (response: Response): Promise<Answer> => ({
  status: response.status,
  retryAfter: response.headers.get('retry-after'),
  text: await response.text(),
});
const shown = ({ status, headers, body }: Awaited<ReturnType<TestReel['rest']>>): Answer => ({
  status,
  retryAfter: headers.get('retry-after'),
  text: JSON.stringify(body),
});
const graphql = (token: string, query: string, variables?: object) =>
  reel.graphql(token, query, variables).then(shown);

/** Every way to call Reel that needs the database: those that look, and those that write, if only the record of an export. */
const LOOKING: Record<string, () => Promise<Answer>> = {
  'GraphQL logs': () => graphql(tokens.person, '{ logs(first: 1) { nodes { id } } }'),
  'GraphQL logStats': () => graphql(tokens.person, '{ logStats { totalEntries } }'),
  'GraphQL subscription': () =>
    fetch(`${reel.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens.person}`,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ query: 'subscription { logAdded(after: 0) { id } }' }),
    }).then(firstOf),
  'REST list': () => reel.rest(tokens.person, 'GET', '/logs').then(shown),
  'REST entry': () => reel.rest(tokens.person, 'GET', `/logs/${randomUUID()}`).then(shown),
  'REST stats': () => reel.rest(tokens.person, 'GET', '/logs/stats').then(shown),
  'public keys': () => fetch(`${reel.url}/.well-known/reel-keys`).then(answerOf),
};
const WRITING: Record<string, () => Promise<Answer>> = {
  'GraphQL createLog': () =>
    graphql(tokens.module, 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }', {
      input: { module: 'guardian', action: 'users.create', tenantId },
    }),
  'GraphQL exportLogs': () => graphql(tokens.person, 'mutation { exportLogs(input: {}) { downloadUrl } }'),
  'REST create': () => reel.rest(tokens.module, 'POST', '/logs', entryOf('x')).then(shown),
  'REST batch': () =>
    reel.rest(tokens.module, 'POST', '/logs/batch', { entries: [entryOf('x'), entryOf('x')] }).then(shown),
  'REST export': () => reel.rest(tokens.person, 'POST', '/logs/export', {}).then(shown),
  'export link': () => fetch(link).then(answerOf),
};
/** On a host's connections, which Reel does not watch: each call finds out for itself, and locks have a bound of their own. */
const IN_PROCESS: Record<string, () => Promise<Answer>> = {
  'in process': () =>
    getReelService(host.em.fork())
      .log({ module: 'guardian', action: 'users.create', tenantId })
      .then(({ id }) => ({ status: 201, retryAfter: null, text: id }))
      .catch((error: ReelError) => ({
        status: error.status,
        retryAfter: String(error.retryAfter),
        text: error.message,
      })),
};

/** The first event of a stream, whose connection is then closed, or the whole of another answer. */
async function firstOf(response: Response): Promise<Answer> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return answerOf(response);
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (/event: next\n/.test(text)) break;
  }
  const isRefused = text.includes('"UNAVAILABLE"');
  return { status: isRefused ? 503 : response.status, retryAfter: isRefused ? 'none' : null, text };
}

/** Calls every one of them at once. Returns how long the slowest took. */
async function callAll(
  calls: Record<string, () => Promise<Answer>>,
  check: (name: string, answer: Answer) => void,
): Promise<number> {
  const started = performance.now();
  await Promise.all(Object.entries(calls).map(async ([name, call]) => check(name, await call())));
  return performance.now() - started;
}

const isRefused = (name: string, { status, retryAfter, text }: Answer) => {
  // What was read in the second before is shared.
  if (name === 'public keys' && status === 200) return;
  expect({ name, status, retryAfter: retryAfter !== null, text }).toEqual({
    name,
    status: 503,
    retryAfter: true,
    text: expect.stringMatching(/again shortly/),
  });
};
const isAnswered = (name: string, { status, text }: Answer) =>
  expect({ name, isFine: [200, 201, 404].includes(status) && !/"errors"|"error"/.test(text), text }).toEqual({
    name,
    isFine: true,
    text,
  });
/** Where some connections are well, a call may have one of them. */
const isEither = (name: string, answer: Answer) =>
  (answer.status === 503 ? isRefused : isAnswered)(name, answer);

const ready = async () => {
  const response = await fetch(`${reel.url}/health/ready`);
  const { reason = null } = (await response.json()) as { reason?: string };
  return { status: response.status, reason };
};

async function within<T>(
  ms: number,
  what: string,
  ask: () => Promise<T>,
  is: (answer: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (is(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`expected ${what} within ${ms} ms, got ${JSON.stringify(answer)}`);
    await setTimeout(50);
  }
}

const notReady = (reason: string) =>
  within(
    READY_MS,
    `not ready: ${reason}`,
    ready,
    (answer) => answer.status === 503 && answer.reason === reason,
  );

/** Once the fault is over: all is answered again, what was acknowledged is there, and the rest can be sent again. */
async function recovers(acknowledged: Map<string, string>, keys: readonly string[]): Promise<void> {
  await within(RECOVERY_MS, 'ready again', ready, ({ status }) => status === 200);
  // A host's pool has connections that are dead, and one that nobody goes on with may still have its locks.
  const all = { ...LOOKING, ...WRITING, ...IN_PROCESS };
  const answers = () =>
    callAll(all, isAnswered).then(
      () => null,
      (error: Error) => error.message,
    );
  await within(RECOVERY_MS, 'all answered', answers, (error) => error === null);
  await Promise.all(
    keys.map(async (key) => {
      const { status, body } = await write(key);
      expect(status).toBe(201);
      if (acknowledged.has(key)) expect(body.id).toBe(acknowledged.get(key));
    }),
  );
  const rows = await cluster.asSuperuser(
    `select resource_id, count(*) as n from reel_log_entries where resource_id like 'key-%' group by 1 having count(*) > 1`,
  );
  expect(rows).toEqual([]);
}

/** Writes that are under way while a fault happens. */
function writesUnderWay(count: number) {
  const acknowledged = new Map<string, string>();
  const keys = Array.from({ length: count }, () => `key-${randomUUID()}`);
  const over = Promise.all(
    keys.map(async (key) => {
      const { status, body } = await write(key);
      expect([201, 503]).toContain(status);
      if (status === 201) acknowledged.set(key, body.id);
    }),
  );
  return { acknowledged, keys, over };
}

test('all is answered without a fault', async () => {
  expect(await ready()).toEqual({ status: 200, reason: null });
  await callAll({ ...LOOKING, ...WRITING, ...IN_PROCESS }, isAnswered);
});

test('read-only: nothing is written, what is there is shown, and the server is not ready', async () => {
  await cluster.asSuperuser('alter system set default_transaction_read_only = on', 'select pg_reload_conf()');
  const heal = () =>
    cluster.asSuperuser('alter system reset default_transaction_read_only', 'select pg_reload_conf()');
  onTestFinished(async () => void (await heal()));
  await notReady('read-only');
  await callAll({ ...WRITING, ...IN_PROCESS }, isRefused);
  await callAll(LOOKING, isAnswered);
  await heal();
  await recovers(new Map(), []);
}, 120_000);

test('out of connections', async () => {
  await cluster.asSuperuser('alter role reel connection limit 0');
  const heal = () => cluster.asSuperuser('alter role reel connection limit -1');
  onTestFinished(async () => void (await heal()));
  signalAll(await cluster.backends(), 'SIGTERM');
  await notReady('database');
  await callAll({ ...LOOKING, ...WRITING, ...IN_PROCESS }, isRefused);
  await heal();
  await recovers(new Map(), []);
}, 120_000);

test('slow: a lock that is held for long', async () => {
  const holder = new pg.Client({ connectionString: cluster.database.superuserUrl });
  onTestFinished(() => holder.end());
  await holder.connect();
  await lockTables(holder, 'reel_log_entries', 'reel_log_sequence');
  const { 'public keys': _, ...others } = LOOKING;
  const [took] = await Promise.all([callAll({ ...others, ...WRITING }, isRefused), notReady('database')]);
  expect(took).toBeLessThan(5 * STATEMENT_MS + 5_000);
  await holder.query('rollback');
  await recovers(new Map(), []);
}, 120_000);

describe('each condition that the server reports in words of its own', () => {
  beforeAll(() =>
    cluster.asSuperuser(
      `create table injected (state text); grant select on injected to reel;
       create function inject() returns trigger language plpgsql as $$
       begin
         if exists (select from injected) then raise exception 'injected' using errcode = (select state from injected); end if;
         return new;
       end $$;
       create trigger inject before insert on reel_log_inbox for each row execute function inject()`,
    ),
  );
  afterAll(() => cluster.asSuperuser('drop function inject cascade', 'drop table injected'));

  test.each([
    '40001',
    '40P01',
    '53100',
    '53200',
    '53400',
    '55P03',
    '57014',
    '57P01',
    '57P03',
    '58030',
    '08006',
  ])('%s is UNAVAILABLE', async (state) => {
    await cluster.asSuperuser(`insert into injected values ('${state}')`);
    const { 'GraphQL createLog': create, 'REST batch': batch } = WRITING;
    await callAll({ create: create!, batch: batch!, ...IN_PROCESS }, isRefused);
    if (/^5[38]/.test(state)) await notReady('storage');
    await cluster.asSuperuser('truncate injected');
    await within(
      RECOVERY_MS,
      'a write',
      () => write(`key-${randomUUID()}`),
      ({ status }) => status === 201,
    );
  });
});

test('a backend is killed: the others are ended too, and the server recovers from its log', async () => {
  const { acknowledged, keys, over } = writesUnderWay(50);
  const [victim] = await cluster.backends();
  signalAll([victim!], 'SIGKILL');
  await over;
  await recovers(acknowledged, keys);
}, 120_000);

test('the whole of it is killed, and started again elsewhere', async () => {
  const { acknowledged, keys, over } = writesUnderWay(50);
  signalAll([await cluster.postmaster()], 'SIGKILL');
  await notReady('database');
  await over;
  await callAll({ ...LOOKING, ...WRITING }, isRefused);
  await cluster.startAgain();
  proxy.targetPort = cluster.port;
  await recovers(acknowledged, keys);
}, 120_000);

test('hung: every process of it is stopped', async () => {
  await callAll(LOOKING, isAnswered);
  const { acknowledged, keys, over } = writesUnderWay(50);
  // Which then has no further children.
  signalAll([await cluster.postmaster()], 'SIGSTOP');
  const processes = await cluster.processes();
  onTestFinished(() => signalAll(processes, 'SIGCONT'));
  signalAll(processes, 'SIGSTOP');
  const [took] = await Promise.all([
    callAll({ ...LOOKING, ...WRITING, ...IN_PROCESS }, isRefused),
    notReady('database'),
    over,
  ]);
  expect(took).toBeLessThan(ANSWER_MS);
  expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
  // By then it is known, and nobody waits.
  expect(await callAll({ ...LOOKING, ...WRITING }, isRefused)).toBeLessThan(2_000);
  signalAll(processes, 'SIGCONT');
  await recovers(acknowledged, keys);
}, 120_000);

test('warm connections hang, and new ones are answered', async () => {
  await callAll(LOOKING, isAnswered);
  onTestFinished(() => proxy.set('pass'));
  proxy.set('swallow-old');
  const took = await callAll({ ...LOOKING, ...WRITING }, isEither);
  expect(took).toBeLessThan(ANSWER_MS);
  proxy.set('pass');
  await recovers(new Map(), []);
}, 120_000);

test('the network between resets every connection', async () => {
  const { acknowledged, keys, over } = writesUnderWay(20);
  onTestFinished(() => proxy.set('pass'));
  proxy.set('reset');
  await Promise.all([callAll({ ...LOOKING, ...WRITING }, isRefused), notReady('database'), over]);
  proxy.set('pass');
  await recovers(acknowledged, keys);
}, 120_000);
