import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReelClient, type Reel, type ReelClientOptions, type Rejection } from 'reel/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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
  const reel = createReelClient({
    url: server.url,
    token: 'token',
    module: 'billing',
    spool,
    warn: (message) => warnings.push(message),
    onRejected: (rejection) => rejections.push(rejection),
    ...options,
  });
  clients.push(reel);
  return reel;
}

/** A client that reaches no server. */
const openAway = (options: Partial<ReelClientOptions> = {}) =>
  open({ url: 'http://127.0.0.1:9', ...options });

const log = (reel: Reel, id: string | number, data?: Record<string, unknown>) =>
  reel.log('invoices.pay', { tenantId, resource: { type: 'invoice', id }, ...(data && { data }) });
const sentIds = () => server.entries.map((entry) => entry.resource_id);
const folders = () => readdirSync(spool).filter((name) => name.length === 36);
const filesOf = (folder: string) => readdirSync(join(spool, folder)).filter((name) => name.endsWith('.log'));
const ids = (count: number, first = 0) => Array.from({ length: count }, (_, at) => String(first + at));

describe('what is taken', () => {
  test('is in a file before log() returns, which only its owner may read, and leaves nothing once it is sent', async () => {
    const reel = open();
    expect(log(reel, 1)).toBe(true);
    const [folder] = folders();
    const [file] = filesOf(folder!);
    expect(readFileSync(join(spool, folder!, file!), 'latin1')).toContain('"resource_id":"1"');
    expect(reel.stats()).toMatchObject({ spooled: 1, sent: 0 });
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
    expect(reel.stats()).toEqual({ spooled: 0, sent: 1, rejected: 0, dropped: 0, oldestSeconds: 0 });
    await reel.close();
    expect(readdirSync(spool)).toEqual([]);
  });

  test.each(['each', 'batch', 'never'] as const)('is sent in order, with fsync %s', async (fsync) => {
    const reel = open({ fsync });
    for (const id of ids(1_234)) log(reel, id);
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(ids(1_234));
    expect(Math.max(...server.requests.map(({ entries }) => entries.length))).toBe(500);
    expect(server.replays).toBe(0);
  });

  test('goes by at most 1 MiB at once', async () => {
    const reel = open();
    for (const id of ids(100)) log(reel, id, { text: 'x'.repeat(60_000) });
    expect(await reel.flush()).toBe(true);
    expect(sentIds()).toEqual(ids(100));
    for (const { entries } of server.requests) expect(entries.length).toBeLessThan(18);
  });

  test('is sent by the next client of the folder', async () => {
    const first = openAway();
    for (const id of ids(700)) log(first, id);
    await first.close(0);
    expect(folders()).toHaveLength(1);
    const second = open();
    expect(await second.flush()).toBe(true);
    expect(sentIds()).toEqual(ids(700));
    await second.close();
    expect(readdirSync(spool)).toEqual([]);
  });

  test('is not sent again where only some of it was', async () => {
    const first = open();
    let requests = 0;
    server.answer = (entries) => (++requests === 1 ? server.store(entries) : { status: 503 });
    for (const id of ids(1_200)) log(first, id);
    await expect.poll(() => first.stats().sent).toBe(500);
    await first.close(0);
    server.answer = (entries) => server.store(entries);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(ids(1_200));
    const [, ...later] = server.requests.map(({ entries }) =>
      entries.map((entry) => Number(entry.resource_id)),
    );
    expect(later.flat().filter((id) => id < 500)).toEqual([]);
  });

  test('of a process that goes on is left to it, also on a path longer than a socket may have', async () => {
    spool = join(spool, 'x'.repeat(100));
    const first = openAway();
    log(first, 1);
    const second = open();
    log(second, 2);
    expect(await second.flush()).toBe(true);
    expect(sentIds()).toEqual(['2']);
    expect(folders()).toHaveLength(2);
    await first.close(0);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(['2', '1']);
  });

  test('is found within folders that a process had itself begun to take over', async () => {
    const first = openAway();
    log(first, 1);
    await first.close(0);
    const second = openAway();
    log(second, 2);
    await expect.poll(() => second.stats().spooled).toBe(2);
    await second.close(0);
    expect(folders()).toHaveLength(1);
    const third = open();
    expect(await third.flush()).toBe(true);
    expect(sentIds().sort()).toEqual(['1', '2']);
    await third.close();
    expect(readdirSync(spool)).toEqual([]);
  });
});

describe('files', () => {
  test('that end within an entry are cut there', async () => {
    const first = openAway();
    for (const id of ids(3)) log(first, id);
    await first.close(0);
    const [folder] = folders();
    const path = join(spool, folder!, filesOf(folder!)[0]!);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, -7));
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(['0', '1']);
    expect(warnings).toContain('reel: a file ended within an entry');
  });

  test('that are damaged while their entries wait are told, and those counted as dropped', async () => {
    server.answer = () => ({ status: 503 });
    const reel = open();
    for (const id of ids(4)) log(reel, id);
    await expect.poll(() => server.requests.length).toBeGreaterThan(0);
    const [folder] = folders();
    const path = join(spool, folder!, filesOf(folder!)[0]!);
    // As a disk does it: in place, within the third record.
    const at = readFileSync(path).indexOf('"resource_id":"2"');
    const file = openSync(path, 'r+');
    writeSync(file, 'X', at);
    closeSync(file);
    server.answer = (entries) => server.store(entries);
    expect(await reel.flush(60_000)).toBe(true);
    expect(sentIds()).toEqual(['0', '1']);
    expect(reel.stats()).toMatchObject({ spooled: 0, sent: 2, rejected: 0, dropped: 2 });
    expect(warnings).toContain('reel: a file of the spool is damaged: 2 entries are lost');
    // What comes after them is taken and sent as before.
    log(reel, 'after');
    expect(await reel.flush(60_000)).toBe(true);
    expect(sentIds().at(-1)).toBe('after');
  });

  test('of zeros, or of nothing, hold nothing', async () => {
    const first = openAway();
    log(first, 1);
    await first.close(0);
    const [folder] = folders();
    appendFileSync(join(spool, folder!, filesOf(folder!)[0]!), Buffer.alloc(10_000));
    writeFileSync(join(spool, folder!, `${folder}.00000009.log`), '');
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(['1']);
    expect(rejections).toEqual([]);
  });

  test('are left alone where they are none of its own', async () => {
    writeFileSync(join(spool, 'README'), 'mine');
    const reel = open();
    log(reel, 1);
    await reel.flush();
    await reel.close();
    expect(readdirSync(spool)).toEqual(['README']);
  });
});

describe('a full spool', () => {
  const SMALL = 64 * 1024;
  const text = 'x'.repeat(1_000);

  test('refuses, counts and tells', async () => {
    const reel = openAway({ spoolBytes: SMALL });
    const taken = ids(200).filter((id) => log(reel, id, { text }));
    expect(taken.length).toBeGreaterThan(30);
    expect(taken).toEqual(ids(taken.length));
    expect(reel.stats()).toMatchObject({ spooled: taken.length, dropped: 200 - taken.length });
    expect(rejections).toHaveLength(200 - taken.length);
    expect(rejections[0]).toMatchObject({ code: 'FULL', entry: { resource_id: String(taken.length) } });
    expect(warnings.filter((warning) => warning.includes('FULL'))).toHaveLength(1);
    await reel.close(0);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(taken);
  });

  test('drops the oldest where that is asked for, by the action too', async () => {
    const reel = openAway({ spoolBytes: SMALL, onFull: 'drop-oldest' });
    for (const id of ids(200)) expect(log(reel, id, { text })).toBe(true);
    const { spooled, dropped } = reel.stats();
    expect(spooled + dropped).toBe(200);
    expect(spooled).toBeGreaterThan(25);
    await reel.close(0);
    expect(await open().flush()).toBe(true);
    expect(sentIds()).toEqual(ids(spooled, dropped));
  });

  test('drops nothing for an entry that is larger than it', async () => {
    const reel = openAway({ spoolBytes: SMALL, onFull: 'drop-oldest' });
    log(reel, 1);
    expect(log(reel, 2, { text: 'x'.repeat(2 * SMALL - 1_000) })).toBe(false);
    expect(reel.stats()).toMatchObject({ spooled: 1, dropped: 1 });
  });

  test('drops none that is being sent', async () => {
    let go = () => {};
    server.answer = async (entries) => {
      await new Promise<void>((done) => {
        go = done;
      });
      return server.store(entries);
    };
    const reel = open({ spoolBytes: SMALL, onFull: 'drop-oldest' });
    for (const id of ids(10)) log(reel, id, { text });
    await expect.poll(() => server.requests.length).toBe(1);
    for (const id of ids(190, 10)) log(reel, id, { text });
    server.answer = (entries) => server.store(entries);
    go();
    expect(await reel.flush()).toBe(true);
    const { sent, dropped } = reel.stats();
    expect(sent + dropped).toBe(200);
    const [first] = server.requests;
    expect(sentIds()).toEqual(expect.arrayContaining(first!.entries.map((entry) => entry.resource_id)));
    expect(server.replays).toBe(0);
  });

  test('is waited for where the caller waits anyhow', async () => {
    server.answer = () => ({ status: 503 });
    const reel = open({ spoolBytes: SMALL, onFull: 'block', blockMs: 60_000 });
    for (let id = 0; log(reel, id, { text }); id += 1);
    const waiting = reel.log('invoices.pay', { tenantId, data: { text } }, { wait: true });
    server.answer = (entries) => server.store(entries);
    await reel.flush();
    expect(await waiting).toMatchObject({ id: expect.any(String) });
    const other = openAway({ spoolBytes: SMALL, onFull: 'block', blockMs: 1, spool: join(spool, 'other') });
    for (let id = 0; log(other, id, { text }); id += 1);
    await expect(other.logAndWait('invoices.pay', { tenantId, data: { text } })).rejects.toMatchObject({
      code: 'FULL',
    });
  });

  test.each([undefined, 'spool'])('is bounded in memory as on disk (%s)', async (folder) => {
    const reel = openAway({ spoolBytes: SMALL, spool: folder && join(spool, folder) });
    for (const id of ids(200)) log(reel, id, { text });
    const { spooled, dropped } = reel.stats();
    expect(spooled).toBeGreaterThan(30);
    expect(spooled + dropped).toBe(200);
  });
});

describe('a disk that takes no more', () => {
  /** Logs until it is refused, in a process whose files may have only so many KiB (EFBIG), or on a disk that is full. */
  async function fill(
    limit: string,
    folder: string,
    spoolBytes: number,
  ): Promise<{ taken: string[]; refused: number; code: string }> {
    const script = `
      import { createReelClient } from '${new URL('../../dist/reel-client/index.js', import.meta.url)}';
      let code;
      const reel = createReelClient({ url: 'http://127.0.0.1:9', token: 't', module: 'billing', warn() {},
        spool: process.argv[1], spoolBytes: ${spoolBytes}, onRejected: (rejection) => { code = rejection.code; } });
      const taken = [];
      let refused = 0;
      for (let id = 0; id < 3000; id += 1)
        if (reel.log('invoices.pay', { tenantId: '${tenantId}', resource: { type: 'invoice', id }, data: { text: 'x'.repeat(1000) } }))
          taken.push(String(id));
        else refused += 1;
      process.stdout.write(JSON.stringify({ taken, refused, code }), () => process.kill(process.pid, 'SIGKILL'));`;
    const child = spawn(
      'bash',
      ['-c', `${limit}exec "$0" --input-type=module -e "$1" "$2"`, process.execPath, script, folder],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    await once(child, 'close');
    return JSON.parse(text);
  }

  test('is a reason to begin another file, where only the file is limited', async () => {
    const { taken, refused } = await fill('ulimit -f 256; ', spool, 64 * 2 ** 20);
    expect({ taken: taken.length, refused }).toEqual({ taken: 3_000, refused: 0 });
    expect(await open().flush(60_000)).toBe(true);
    expect(sentIds()).toEqual(taken);
  });

  const disk = process.platform === 'linux' && process.getuid?.() === 0;
  test.runIf(disk)('refuses, and loses nothing that was taken', async () => {
    const folder = join(spool, 'disk');
    const mounted = spawn('bash', ['-c', `mkdir "$0" && mount -t tmpfs -o size=1m tmpfs "$0"`, folder]);
    if ((await once(mounted, 'close'))[0] !== 0) return;
    try {
      const { taken, refused, code } = await fill('', folder, 64 * 2 ** 20);
      expect(refused).toBeGreaterThan(1_000);
      expect(taken.length + refused).toBe(3_000);
      expect(code).toBe('UNWRITABLE');
      const reel = open({ spool: folder });
      expect(await reel.flush(60_000)).toBe(true);
      expect(sentIds()).toEqual(taken);
      await reel.close();
    } finally {
      await once(spawn('umount', ['-l', folder]), 'close');
    }
  });

  test('is warned of where the folder cannot be made, and entries wait in memory', async () => {
    writeFileSync(join(spool, 'file'), '');
    const reel = open({ spool: join(spool, 'file', 'below') });
    expect(log(reel, 1)).toBe(true);
    expect(await reel.flush()).toBe(true);
    expect(warnings[0]).toMatch(/lost with the process.*ENOTDIR/);
  });
});

test('a clock that is set back changes nothing but the time that entries say', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 5, 1) });
  try {
    const reel = openAway();
    log(reel, 1);
    vi.setSystemTime(Date.UTC(2026, 4, 1));
    log(reel, 2);
    expect(reel.stats().oldestSeconds).toBe(0);
    await reel.close(0);
    vi.setSystemTime(Date.UTC(2026, 3, 1));
    const other = open();
    log(other, 3);
    expect(await other.flush()).toBe(true);
  } finally {
    vi.useRealTimers();
  }
  expect(sentIds().sort()).toEqual(['1', '2', '3']);
  expect(new Set(server.entries.map((entry) => entry.idempotency_key)).size).toBe(3);
  expect(existsSync(join(spool, 'rejected.ndjson'))).toBe(false);
});
