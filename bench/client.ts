import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReelClient, encodeRecord, openSpool } from './built.ts';
import type { Line } from './table.ts';

const ENTRIES = 200_000;
const SPOOLED = 1_000_000;
/** As many as come before the event loop has a turn. */
const BURST = 20;

const entry = (id: number) => ({
  tenantId: '0196f2f0-0000-7000-8000-00000000a001',
  actor: { id: '0196f2f0-0000-7000-8000-000000000001', email: 'ana@example.com', name: 'Ana Souza' },
  resource: { type: 'user', id, name: 'Bruno Lima' },
  ipAddress: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  requestId: '0196f2f0-0000-7000-8000-000000000002',
  data: { before: { role: 'viewer', active: true }, after: { role: 'editor', active: true } },
});

/** A server that has stored everything at once, so that what is measured is the client's own. */
const stored = async (_url: unknown, init?: { body?: unknown }): Promise<Response> => {
  const count = String(init?.body).split('\n').length;
  const results = Array.from({ length: count }, () => ({
    status: 201,
    entry: { id: 'id', created_at: 'now' },
  }));
  return new Response(JSON.stringify({ results }));
};

/** What log() takes of its caller's time, and how fast entries get into a spool and out of it. */
export async function client(): Promise<Line[]> {
  const memory = await logging({});
  const folder = mkdtempSync(join(existsSync('/var/tmp') ? '/var/tmp' : tmpdir(), 'reel-bench-'));
  try {
    const spooled = await logging({ spool: join(folder, 'logging') });
    const durable = await logging({ spool: join(folder, 'durable'), fsync: 'each' }, 2_000);
    const readBack = await reading(join(folder, 'reading'));
    return [
      { what: 'log() without a spool, median', reel: memory.median, unit: 'µs' },
      { what: 'log() without a spool, 99 of 100', reel: memory.p99, unit: 'µs', aim: '50 µs' },
      { what: 'log() with a spool, fsync batch, median', reel: spooled.median, unit: 'µs' },
      { what: 'log() with a spool, fsync batch, 99 of 100', reel: spooled.p99, unit: 'µs', aim: '200 µs' },
      { what: 'log() with a spool, fsync each, median', reel: durable.median, unit: 'µs' },
      {
        what: 'entries into the spool while they are sent',
        reel: spooled.perSecond,
        unit: '/s',
        aim: '20,000/s',
      },
      { what: 'a million spooled entries read back', reel: readBack, unit: 's', aim: '10 s' },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each call timed by itself, while what was taken before is sent. */
async function logging(options: object, entries = ENTRIES) {
  const reel = createReelClient({
    url: 'http://reel',
    token: 't',
    module: 'guardian',
    fetch: stored,
    warn() {},
    ...options,
  });
  const times = new Float64Array(entries);
  const started = performance.now();
  for (let at = 0; at < entries; at += 1) {
    const made = entry(at);
    const before = performance.now();
    reel.log('users.update', made);
    times[at] = performance.now() - before;
    if (at % BURST === 0) await new Promise(setImmediate);
  }
  const perSecond = (entries / (performance.now() - started)) * 1_000;
  if (!(await reel.flush(60_000)) || reel.stats().sent !== entries)
    throw new Error(`expected ${entries} entries to be sent, got ${JSON.stringify(reel.stats())}`);
  await reel.close();
  // What is compiled first is not what is measured.
  const sorted = times.slice(entries / 10).sort();
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]! * 1_000;
  return { median: at(0.5), p99: at(0.99), perSecond };
}

/** Seconds until what a process left is taken over and read to its end, batch by batch. */
async function reading(path: string): Promise<number> {
  const ignore = () => {};
  const options = {
    path,
    fsync: 'never',
    segmentBytes: 16 * 2 ** 20,
    warn: ignore,
    found: ignore,
    lost: ignore,
  } as const;
  const left = openSpool(options);
  const payload = JSON.stringify({ module: 'guardian', action: 'users.update', ...entry(1) });
  for (let at = 0; at < SPOOLED; at += 1) left.append(encodeRecord(payload, at));
  left.close();
  const started = performance.now();
  const store = openSpool(options);
  await store.ready;
  let read = 0;
  for (let batch = store.next(500); batch; batch = store.next(500)) {
    read += batch.entries.length;
    batch.settle();
  }
  const seconds = (performance.now() - started) / 1_000;
  store.close();
  if (read !== SPOOLED) throw new Error(`expected ${SPOOLED} entries, got ${read}`);
  return seconds;
}
