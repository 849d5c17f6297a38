import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import { Deliveries, type DeliveriesOptions } from '../../src/stream/deliveries.js';
import { Lanes } from '../../src/stream/lanes.js';
import { createDatabase } from '../support/postgres.js';

const TENANTS = 20;
const STREAMS = 20;

test('receivers that hang, however many and of however many tenants, hold up none that answer', async () => {
  let now = 0;
  const lanes = new Lanes(() => now);
  const hanging = Array.from({ length: TENANTS * STREAMS }, (_, at) => ({
    tenant: `tenant ${at % TENANTS}`,
    stream: `stream ${at}`,
  }));
  // Each has hung once.
  await Promise.all(
    hanging.map(({ tenant, stream }) =>
      lanes.run(tenant, stream, async () => {
        now += 30_000;
      }),
    ),
  );
  const released = Promise.withResolvers<void>();
  const begun = new Map<string, number>();
  const held = hanging.map(({ tenant, stream }) =>
    lanes.run(tenant, stream, async () => {
      begun.set(tenant, (begun.get(tenant) ?? 0) + 1);
      await released.promise;
    }),
  );
  const answers = async (tenant: string, stream: string) => {
    for (let turn = 0; turn < 100; turn += 1) await lanes.run(tenant, stream, async () => {});
    return stream;
  };
  // Of a tenant with none, and of one with twenty that hang.
  expect(await Promise.all([answers('another', 'a'), answers('tenant 0', 'b')])).toEqual(['a', 'b']);
  const counts = [...begun.values()];
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(8);
  expect(Math.max(...counts)).toBeLessThanOrEqual(3);
  released.resolve();
  await Promise.all(held);
  // Who answered again is as all others.
  expect([...begun.values()].reduce((sum, count) => sum + count, 0)).toBe(TENANTS * STREAMS);
});

test('a stream that is slow once is as all others when it is not any more', async () => {
  let now = 0;
  const lanes = new Lanes(() => now);
  const turn = (ms: number, work: () => Promise<void> = async () => {}) =>
    lanes.run('tenant', 'stream', async () => {
      now += ms;
      await work();
    });
  await turn(10_001);
  await turn(1);
  const released = Promise.withResolvers<void>();
  let begun = 0;
  const held = Array.from({ length: 4 }, () =>
    turn(0, async () => {
      begun += 1;
      await released.promise;
    }),
  );
  await expect.poll(() => begun).toBe(4);
  released.resolve();
  await Promise.all(held);
});

test('a stream that is told of entries while its receiver hangs takes no turn before it is tried again', async () => {
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
