import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../../src/database/connect.js';
import { Deliveries, type DeliveriesOptions } from '../../src/stream/deliveries.js';
import { Lanes, SLOW_MS } from '../../src/stream/lanes.js';
import { createDatabase } from '../support/postgres.js';

const TENANTS = 20;
const STREAMS = 20;
const BOUNDS = { atOnce: 16, atOncePerTenant: 4, slowAtOnce: 8, slowAtOncePerTenant: 3 };
const NEVER = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Streams whose receivers answer nothing until they are told to. */
function hangingIn(lanes: Lanes, tenants: number, streams: number) {
  const released = Promise.withResolvers<void>();
  /** Turns under way, of each tenant. */
  const under = new Map<string, number>();
  const count = (tenant: string, by: number) => under.set(tenant, (under.get(tenant) ?? 0) + by);
  const each = Array.from({ length: tenants * streams }, (_, at) =>
    lanes.run(
      `tenant ${at % tenants}`,
      `hanging ${at}`,
      async (signal) => {
        const tenant = `tenant ${at % tenants}`;
        count(tenant, 1);
        const { promise: aborted, reject } = Promise.withResolvers<void>();
        const breakOff = () => reject(new Error('broken off'));
        signal.addEventListener('abort', breakOff);
        await Promise.race([released.promise, aborted]).finally(() => count(tenant, -1));
      },
      NEVER,
    ),
  );
  return {
    perTenant: () => [...under.values()],
    end: async () => {
      released.resolve();
      // Those that are slow are slow no more, and none has waited in vain.
      await Promise.all(each);
    },
  };
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

async function answers(lanes: Lanes, tenant: string, stream: string): Promise<string> {
  for (let turn = 0; turn < 100; turn += 1) await lanes.run(tenant, stream, async () => {}, NEVER);
  return stream;
}

test('receivers that hang for the first time, however many, hold up none that answer for longer than it takes to see it', async () => {
  const lanes = new Lanes(BOUNDS);
  const hanging = hangingIn(lanes, TENANTS, STREAMS);
  await vi.advanceTimersByTimeAsync(0);
  expect(total(hanging.perTenant())).toBe(16);
  // Of a tenant with none, and of one with twenty that hang: each waits for no more than a round of those that nobody knows yet.
  const answered = Promise.all([answers(lanes, 'another', 'a'), answers(lanes, 'tenant 0', 'b')]);
  await vi.advanceTimersByTimeAsync(SLOW_MS * Math.ceil((TENANTS * STREAMS) / 8) + SLOW_MS);
  expect(await answered).toEqual(['a', 'b']);
  // All have been seen by now: half of the turns are free for whoever answers.
  expect(total(hanging.perTenant())).toBe(8);
  expect(Math.max(...hanging.perTenant())).toBeLessThanOrEqual(3);
  expect(await Promise.all([answers(lanes, 'another', 'a'), answers(lanes, 'tenant 0', 'b')])).toEqual([
    'a',
    'b',
  ]);
  await hanging.end();
});

test("four new ones of a tenant leave it a turn once they are seen, and another tenant's wait for nothing", async () => {
  const lanes = new Lanes(BOUNDS);
  const hanging = hangingIn(lanes, 1, 4);
  await vi.advanceTimersByTimeAsync(0);
  expect(hanging.perTenant()).toEqual([4]);
  expect(await answers(lanes, 'another', 'a')).toBe('a');
  const own = answers(lanes, 'tenant 0', 'b');
  await vi.advanceTimersByTimeAsync(SLOW_MS - 1);
  expect(hanging.perTenant()).toEqual([4]);
  await vi.advanceTimersByTimeAsync(1);
  expect(hanging.perTenant()).toEqual([3]);
  expect(await own).toBe('b');
  await hanging.end();
});

test('a stream that is slow goes on in its turn while slow ones have one left', async () => {
  const lanes = new Lanes(BOUNDS);
  let begun = 0;
  const released = Promise.withResolvers<string>();
  const slow = lanes.run(
    'tenant',
    'stream',
    (signal) => {
      begun += 1;
      signal.addEventListener('abort', () => released.reject(signal.reason));
      return released.promise;
    },
    NEVER,
  );
  await vi.advanceTimersByTimeAsync(40_000);
  released.resolve('answered');
  expect(await slow).toBe('answered');
  expect(begun).toBe(1);
});

test('a stream that is slow once is as all others when it is not any more', async () => {
  const lanes = new Lanes(BOUNDS);
  const hung = lanes.run('tenant', 'stream', () => vi.advanceTimersByTimeAsync(SLOW_MS), NEVER);
  await hung;
  await lanes.run('tenant', 'stream', async () => {}, NEVER);
  const released = Promise.withResolvers<void>();
  let begun = 0;
  const held = Array.from({ length: 4 }, () =>
    lanes.run(
      'tenant',
      'stream',
      async () => {
        begun += 1;
        await released.promise;
      },
      NEVER,
    ),
  );
  await expect.poll(() => begun).toBe(4);
  released.resolve();
  await Promise.all(held);
});

test('what is stopped leaves the line, and is not begun again', async () => {
  const lanes = new Lanes({ atOnce: 1, atOncePerTenant: 1, slowAtOnce: 1, slowAtOncePerTenant: 1 });
  const stopping = new AbortController();
  let begun = 0;
  const hang = (signal: AbortSignal) => {
    begun += 1;
    return new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  const both = ['a', 'b'].map((stream) => lanes.run('tenant', stream, hang, stopping.signal));
  const ended = Promise.allSettled(both);
  await vi.advanceTimersByTimeAsync(SLOW_MS);
  const reason = new Error('the server stops');
  stopping.abort(reason);
  expect(await ended).toEqual([
    { status: 'rejected', reason },
    { status: 'rejected', reason },
  ]);
  expect(begun).toBe(1);
});

test('a stream that is told of entries while its receiver hangs takes no turn before it is tried again', async () => {
  vi.useRealTimers();
  const own = await createDatabase();
  onTestFinished(() => own.drop());
  const database = await connect(own.runtimeUrl);
  onTestFinished(() => database.close());
  const [tenantId, id] = [randomUUID(), randomUUID()];
  await own.query(
    `insert into reel_streams (tenant_id, id, name, kind, format, query, settings, state, run, position, previous, created_at)
     values ($1, $2, 'x', 'WEBHOOK', 'REEL', '', '{}', 'RUNNING', 0, 0, 0, now())`,
    [tenantId, id],
  );
  let turns = 0;
  let reads = 0;
  const deliver = async () => {
    turns += 1;
    if (turns > 1) return false;
    const before = reads;
    deliveries.wake(tenantId);
    await expect.poll(() => reads, { timeout: 60_000 }).toBe(before + 1);
    await setImmediate();
    await own.query(
      `update reel_streams set retry_at = now() + interval '1 hour', failing_since = now(), pending_last = 1`,
    );
    return false;
  };
  const deliveries = new Deliveries({
    database: {
      read: (...args: Parameters<typeof database.read>) =>
        database.read(...args).finally(() => {
          reads += 1;
        }),
    },
    locks: { take: async () => ({ signal: new AbortController().signal, release: async () => {} }) },
    delivery: { deliver },
    onFault: (error: unknown) => {
      throw error;
    },
  } as unknown as DeliveriesOptions);
  const served = async () => {
    deliveries.wake(tenantId, true);
    await expect.poll(() => turns, { timeout: 60_000 }).toBe(1);
    await expect.poll(() => deliveries.length, { timeout: 60_000 }).toBe(0);
  };
  await served();
  expect(turns).toBe(1);
});
