import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createReelClient,
  type Reel,
  type ReelClientOptions,
  ReelLogError,
  type Rejection,
} from 'reel/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BatchServer } from '../support/batch-server.js';

const tenantId = '0196f2f0-0000-7000-8000-00000000a001';
let server: BatchServer;
let spool: string;
let clients: Reel[];
let warnings: string[];
let rejections: Rejection[];
beforeEach(async () => {
  server = await BatchServer.start();
  spool = mkdtempSync(join(tmpdir(), 'reel-spool-'));
  clients = [];
  warnings = [];
  rejections = [];
});
afterEach(async () => {
  for (const client of clients) await client.close(0);
  await server.close();
  rmSync(spool, { recursive: true });
});

function open(options: Partial<ReelClientOptions> = {}): Reel {
  const { url = server.url } = options;
  const reel = createReelClient({
    token: 'token',
    module: 'billing',
    spool,
    warn: (message) => warnings.push(message),
    onRejected: (rejection) => rejections.push(rejection),
    ...options,
    url,
  });
  clients.push(reel);
  return reel;
}

const log = (reel: Reel, id: string | number, data?: Record<string, unknown>) =>
  reel.log('invoices.pay', { tenantId, resource: { type: 'invoice', id }, ...(data && { data }) });
const sentIds = () => server.entries.map((entry) => entry.resource_id);
const ids = (count: number, first = 0) => Array.from({ length: count }, (_, at) => String(first + at));

describe('a request', () => {
  test('has the credential of its time, one entry a line, and every field by its name', async () => {
    let asked = 0;
    const reel = open({ url: `${server.url}/audit/`, token: async () => `token-${++asked}` });
    reel.log('invoices.pay', {
      tenantId,
      clientId: '0196f2f0-0000-7000-8000-00000000c001',
      actor: {
        id: 7,
        email: 'ana@example.com',
        name: 'Ana',
        type: 'USER',
        onBehalfOf: { id: 'x', name: 'X' },
      },
      resource: { type: 'invoice', id: 42, name: 'Invoice 42' },
      outcome: 'SUCCESS',
      severity: 'WARNING',
      ipAddress: '10.0.0.1',
      userAgent: 'agent',
      requestId: 'r',
      occurredAt: new Date(0),
      idempotencyKey: 'key',
      data: { amount: 1 },
    });
    expect(await reel.flush()).toBe(true);
    log(reel, 1);
    expect(await reel.flush()).toBe(true);
    expect(
      server.requests.map(({ path, headers }) => [path, headers.authorization, headers['content-type']]),
    ).toEqual([
      ['/audit/api/v1/reel/logs/batch', 'Bearer token-1', 'application/x-ndjson'],
      ['/audit/api/v1/reel/logs/batch', 'Bearer token-2', 'application/x-ndjson'],
    ]);
    expect(server.entries[0]).toEqual({
      module: 'billing',
      action: 'invoices.pay',
      severity: 'WARNING',
      occurred_at: '1970-01-01T00:00:00.000Z',
      repair: true,
      idempotency_key: 'key',
      data: { amount: 1 },
      tenant_id: tenantId,
      client_id: '0196f2f0-0000-7000-8000-00000000c001',
      outcome: 'SUCCESS',
      ip_address: '10.0.0.1',
      user_agent: 'agent',
      request_id: 'r',
      actor_id: '7',
      actor_email: 'ana@example.com',
      actor_name: 'Ana',
      actor_type: 'USER',
      on_behalf_of_id: 'x',
      on_behalf_of_name: 'X',
      resource_type: 'invoice',
      resource_id: '42',
      resource_name: 'Invoice 42',
    });
    expect(server.entries[1]).toMatchObject({
      occurred_at: expect.stringMatching(/^20\d\d-.*Z$/),
      idempotency_key: expect.stringMatching(/^[0-9a-f-]{36}-2$/),
    });
  });

  test.each<[string, object]>([
    ['503', { status: 503 }],
    ['401', { status: 401, body: { detail: 'Not authenticated' } }],
    ['403', { status: 403 }],
    ['422 of the batch as a whole', { status: 422, body: { detail: [] } }],
    ['a page of something else', { body: '<html>' }],
    ['fewer results', { body: { results: [] } }],
    ['500 for every entry', { body: { results: [{ status: 500, detail: 'Internal server error' }] } }],
  ])('that is answered %s is sent again, the same', async (_, answer) => {
    let count = 0;
    server.answer = (entries) => (++count === 1 ? answer : server.store(entries));
    const reel = open();
    log(reel, 1);
    await expect.poll(() => count).toBe(1);
    expect(await reel.flush()).toBe(true);
    expect(server.requests.map(({ entries }) => entries)).toEqual([server.entries, server.entries]);
    expect(warnings.filter((warning) => /entries wait to be sent/.test(warning))).toHaveLength(1);
    expect(rejections).toEqual([]);
  });

  test('that takes too long is given up, and sent again', async () => {
    let count = 0;
    server.answer = (entries) => (++count === 1 ? new Promise(() => {}) : server.store(entries));
    const reel = open({ timeoutMs: 50 });
    log(reel, 1);
    await expect.poll(() => warnings.join()).toContain('no answer within 50 ms');
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
  });

  test('waits a second, then longer, and as long as it is told', async () => {
    const answers = [{ status: 503 }, { status: 503, headers: { 'retry-after': '1' } }];
    server.answer = (entries) => answers.shift() ?? server.store(entries);
    const reel = open();
    log(reel, 1);
    await expect.poll(() => server.entries.length, { timeout: 60_000 }).toBe(1);
    const [first, second, third] = server.requests.map(({ at }) => at) as [number, number, number];
    expect(second - first).toBeGreaterThan(450);
    expect(third - second).toBeGreaterThan(1_000 + 950);
  });

  test('waits no less when more is logged meanwhile, and waited for', async () => {
    server.answer = () => ({ status: 503 });
    const reel = open();
    for (let at = 0; at < 20; at += 1) {
      log(reel, at);
      void reel.logAndWait('invoices.pay', { tenantId });
      await new Promise((next) => setTimeout(next, 10));
    }
    const times = server.requests.map(({ at }) => at);
    for (const [at, time] of times.slice(1).entries()) expect(time - times[at]!).toBeGreaterThan(450);
  });

  test('whose credential is no such thing says so, and not what it is', async () => {
    const reel = open({ token: () => 'secret\nsecret' });
    log(reel, 1);
    await expect.poll(() => warnings.join()).toContain('token: expected visible ASCII');
    expect(warnings.join()).not.toContain('secret');
  });

  test('that is too large is halved, until it is known which entry is', async () => {
    server.answer = (entries) =>
      entries.some((entry) => entry.resource_id === '5') ? { status: 413 } : server.store(entries);
    const reel = open();
    for (const id of ids(20)) log(reel, id);
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(ids(20).filter((id) => id !== '5'));
    expect(rejections).toMatchObject([{ code: 'REFUSED', entry: { resource_id: '5' } }]);
  });
});

describe('an entry that is refused for good', () => {
  test('is kept with its reason, told of, and holds up no other', async () => {
    const msg = 'tenant_id: expected a UUID, got "x"';
    server.answer = (entries) =>
      server.store(entries, (entry) =>
        entry.resource_id === '1'
          ? { status: 422, detail: [{ type: 'uuid_parsing', loc: ['body', 'entries', 0, 'tenant_id'], msg }] }
          : undefined,
      );
    const reel = open();
    for (const id of ids(3)) log(reel, id);
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(['0', '2']);
    expect(rejections).toMatchObject([
      { code: 'REFUSED', reason: msg, entry: { resource_id: '1', tenant_id: tenantId } },
    ]);
    const [line] = readFileSync(join(spool, 'rejected.ndjson'), 'utf8').trim().split('\n');
    expect(JSON.parse(line!)).toMatchObject({ at: expect.any(String), ...rejections[0] });
    expect(reel.stats()).toMatchObject({ spooled: 0, sent: 2, rejected: 1 });
    await reel.close();
    expect(readdirSync(spool)).toEqual(['rejected.ndjson']);
  });

  test('does not end the process where onRejected throws', async () => {
    const reel = open({
      onRejected: () => {
        throw new Error('from the host');
      },
    });
    expect(reel.log('invoices.pay', {})).toBe(false);
    expect(warnings).toContain('reel: from the host');
  });

  test('for now goes to the end of the line', async () => {
    let isWell = false;
    server.answer = (entries) =>
      server.store(entries, (entry) =>
        entry.resource_id === '0' && !isWell ? { status: 500, detail: 'Internal server error' } : undefined,
      );
    const reel = open();
    for (const id of ids(3)) log(reel, id);
    await expect.poll(() => sentIds()).toEqual(['1', '2']);
    isWell = true;
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(['1', '2', '0']);
    expect(server.replays).toBe(0);
  });
});

describe('log()', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'text'],
    ['no tenant', {}],
  ])('never throws: %s', (_, entry) => {
    const reel = open();
    expect(reel.log('invoices.pay', entry as object)).toBe(false);
    expect(rejections).toMatchObject([{ code: 'INVALID' }]);
    expect(reel.stats()).toMatchObject({ spooled: 0, rejected: 1 });
  });

  test('takes what JSON has no form for', async () => {
    const reel = open();
    const data: Record<string, unknown> = { big: 1n };
    data.self = data;
    expect(log(reel, 1, data)).toBe(true);
    expect(reel.log('invoices.pay', { tenantId, data: 'text' as never })).toBe(true);
    expect(log(reel, 2, { text: '\u0000\ud800'.repeat(100_000) })).toBe(true);
    expect(await reel.flush()).toBe(true);
    expect(server.entries.map(({ data }) => data)).toMatchObject([
      { big: '1', self: '[unreadable]' },
      { value: 'text' },
      { _truncated: true },
    ]);
  });

  test('answers false once the client is closed, and when it waits it rejects', async () => {
    const reel = open();
    await reel.close();
    await reel.close();
    expect(log(reel, 1)).toBe(false);
    await expect(reel.logAndWait('invoices.pay', { tenantId })).rejects.toMatchObject({ code: 'CLOSED' });
    expect(reel.stats()).toMatchObject({ dropped: 2 });
  });

  test('that waits resolves once the entry is stored, and rejects with the reason', async () => {
    server.answer = (entries) =>
      server.store(entries, ({ resource_id }) =>
        resource_id === 'bad' ? { status: 403, detail: 'no' } : undefined,
      );
    const reel = open();
    const entry = (id: string) => ({ tenantId, resource: { id } });
    const [good, bad] = await Promise.allSettled([
      reel.log('invoices.pay', entry('good'), { wait: true }),
      reel.logAndWait('invoices.pay', entry('bad')),
    ]);
    expect(good).toMatchObject({ value: { id: expect.any(String), createdAt: expect.any(String) } });
    expect(bad).toMatchObject({ reason: { code: 'REFUSED', message: 'no' } });
    expect((bad as PromiseRejectedResult).reason).toBeInstanceOf(ReelLogError);
    // Nobody looks at this one.
    void reel.log('invoices.pay', {}, { wait: true });
  });

  test('that waits is told when the client is closed, while the entry stays', async () => {
    server.answer = () => ({ status: 503 });
    const reel = open();
    const waiting = reel.logAndWait('invoices.pay', { tenantId, resource: { id: '1' } });
    await reel.close(0);
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    server.answer = (entries) => server.store(entries);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
  });
});

describe('a server that is away', () => {
  test('for long gets everything when it is back, once', async () => {
    const { port, url } = server;
    await server.close();
    const reel = open({ url });
    for (const id of ids(2_000)) expect(log(reel, id)).toBe(true);
    expect(await reel.flush(100)).toBe(false);
    expect(reel.stats()).toMatchObject({ spooled: 2_000, sent: 0, dropped: 0 });
    await expect.poll(() => reel.stats().oldestSeconds).toBeGreaterThan(0.05);
    server = await BatchServer.start(port);
    expect(await reel.flush(60_000)).toBe(true);
    expect(sentIds()).toEqual(ids(2_000));
    expect(server.replays).toBe(0);
  });

  test('that takes a batch and does not live to say so has it once', async () => {
    let count = 0;
    server.answer = (entries) => {
      const answer = server.store(entries);
      return ++count === 1 ? new Promise(() => {}) : answer;
    };
    const reel = open({ timeoutMs: 50 });
    log(reel, 1);
    await expect.poll(() => count, { timeout: 60_000 }).toBe(2);
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
    expect(reel.stats()).toMatchObject({ sent: 1 });
  });
});

describe('the end of a process', () => {
  const run = async (script: string, options = '') => {
    const source = `
      import { createReelClient } from '${new URL('../../dist/reel-client/index.js', import.meta.url)}';
      const reel = createReelClient({ url: '${server.url}', token: 't', module: 'billing', spool: '${spool}', ${options} });
      const log = (id) => reel.log('invoices.pay', { tenantId: '${tenantId}', resource: { id } });
      ${script}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return (await once(child, 'close')) as [number | null, string | null];
  };

  test('is not held up by entries that wait', async () => {
    server.answer = () => new Promise(() => {});
    expect(await run('log(1);')).toEqual([0, null]);
    server.answer = (entries) => server.store(entries);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
  });

  test('sends them first where that is asked for', async () => {
    expect(await run('log(1);', "flushOn: ['beforeExit']")).toEqual([0, null]);
    expect(sentIds()).toEqual(['1']);
    expect(
      await run(
        'setInterval(() => {}, 1000); log(2); process.kill(process.pid, "SIGTERM");',
        "flushOn: ['SIGTERM']",
      ),
    ).toEqual([null, 'SIGTERM']);
    expect(sentIds()).toEqual(['1', '2']);
    expect(readdirSync(spool)).toEqual([]);
  });

  test('is the host’s own affair where it listens to the signal too', async () => {
    const script = `
      process.on('SIGTERM', () => { const wait = setInterval(() => { if (reel.stats().sent === 1) process.exit(7); }, 5); });
      setInterval(() => {}, 1_000);
      log(1); process.kill(process.pid, 'SIGTERM');`;
    expect(await run(script, "flushOn: ['SIGTERM']")).toEqual([7, null]);
    expect(sentIds()).toEqual(['1']);
  });
});

test('options that are not as expected are a TypeError, and nothing else is made', () => {
  const faulty = (options: object, message: string) =>
    expect(() => createReelClient({ url: server.url, token: 't', module: 'billing', ...options })).toThrow(
      message,
    );
  faulty({ url: 'audit.example.com' }, 'url: expected http:// or https://, got audit.example.com');
  faulty({ module: undefined }, 'module: expected a name, got undefined');
  faulty({ spool: join(spool, 'no'), module: '' }, 'module: expected a name');
  expect(existsSync(join(spool, 'no'))).toBe(false);
});

test('without a spool it says once that entries are kept in memory, and sends them', async () => {
  const reel = open({ spool: undefined });
  log(reel, 1);
  expect(await reel.flush()).toBe(true);
  expect(warnings).toEqual([
    'reel: entries are lost with the process, as they wait in memory: no spool is set',
  ]);
  expect(sentIds()).toEqual(['1']);
});
