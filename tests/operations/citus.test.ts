import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CITUS_URL } from '../support/citus.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { moduleToken, startReel, type TestReel, viewer } from '../support/reel.js';

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
      30_000,
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
});
