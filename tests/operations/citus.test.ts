import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CITUS_URL } from '../support/citus.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { Receiver } from '../support/receiver.js';
import { moduleToken, startReel, type TestReel, viewer } from '../support/reel.js';
import { StreamCalls, store } from '../support/streams.js';

describe.skipIf(CITUS_URL === null)('a Citus cluster (left out: REEL_TEST_CITUS_URL names none)', () => {
  const TENANTS = [randomUUID(), randomUUID(), randomUUID()];
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel();
  });
  afterAll(() => reel?.close());

  test('has every table distributed, and distributing again does nothing', async () => {
    for (const args of [['distribute'], ['distribute', '--check']])
      expect(await runCommand([...args, '--json'], settingsOf(reel.own))).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^\{"(done|missing)":\[\]\}\n$/),
      });
  });

  test('stores, shows, seals, proves and removes what one PostgreSQL does', async () => {
    const token = await moduleToken();
    for (const tenant_id of TENANTS)
      for (let at = 0; at < 30; at += 1) {
        const body = {
          module: 'guardian',
          action: 'users.create',
          tenant_id,
          data: { word: `needle ${at}` },
        };
        const made = await reel.rest(token, 'POST', '/logs', body, { 'idempotency-key': `k-${at % 20}` });
        expect(made.status).toBe(at < 20 ? 201 : 409);
      }
    await vi.waitFor(
      async () => expect(await reel.own.query('select 1 from reel_log_inbox')).toEqual([]),
      60_000,
    );
    for (const tenantId of TENANTS) {
      const reader = await viewer(tenantId);
      expect((await reel.rest(reader, 'GET', '/logs')).body.total).toBe(20);
      expect((await reel.rest(reader, 'GET', '/logs?search=needle+7')).body.total).toBe(1);
      expect((await reel.rest(reader, 'GET', '/logs/stats')).body.total_entries).toBe(20);
      const verified = await runCommand(['verify', '--tenant', tenantId], settingsOf(reel.own));
      expect(verified.stdout).toContain(`ok tenant ${tenantId} size 20 `);
    }
  });

  test('delivers its streams, parks what is refused, and says how far they are behind', async () => {
    const token = await moduleToken();
    const receiver = await Receiver.start(({ body }) => ({
      status: body.includes('"resource_id":"bad"') ? 422 : 200,
    }));
    try {
      const streams = await Promise.all(
        [randomUUID(), randomUUID(), randomUUID()].map(async (tenant) => {
          const calls = await StreamCalls.of(reel, tenant);
          await store(reel, token, tenant, [{}, { resource_id: 'bad' }, {}]);
          const { id } = await calls.create({ settings: { url: receiver.url }, after: 0 });
          await calls.until(id, ({ parkedCount, lagEntries }) =>
            expect([parkedCount, lagEntries]).toEqual([1, 0]),
          );
          return { tenant, calls, id };
        }),
      );
      receiver.behaviour = () => ({ status: 200 });
      for (const { tenant, calls, id } of streams) {
        await calls.act('retryParked', id);
        await store(reel, token, tenant, [{}]);
        await calls.until(id, ({ parkedCount, lagEntries }) =>
          expect([parkedCount, lagEntries]).toEqual([0, 0]),
        );
      }
      const [{ tenant, calls, id }] = streams as [(typeof streams)[number]];
      receiver.behaviour = ({ body }) => ({ status: body.includes(tenant) ? 503 : 200 });
      await store(reel, token, tenant, [{}, {}]);
      await calls.until(id, ({ lastError }) => expect(lastError).toBe('503'));
      const lags = async () => {
        const rows = await reel.own.query(
          `select id, last - "position" as entries, oldest is not null as waits, error from reel_lagging_streams(100) order by error`,
        );
        return rows.map((row) => [row.id, Number(row.entries), row.waits, row.error]);
      };
      await expect.poll(lags).toEqual([
        [id, 2, true, '503'],
        [expect.any(String), 0, false, null],
        [expect.any(String), 0, false, null],
      ]);
    } finally {
      await receiver.close();
    }
  });
});
