import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createReelClient } from 'reel/client';
import { expect, test } from 'vitest';
import { BatchServer } from '../support/batch-server.js';

/** Seconds; the long form is ten minutes: REEL_TEST_CLIENT_AWAY=600. */
const AWAY = Number(process.env.REEL_TEST_CLIENT_AWAY ?? 4);
const PAUSE_MS = 20;
/** A minute between two tries, with jitter, and what sending takes. */
const BACK_MS = 180_000;

test(`what is recorded while the server is away for ${AWAY} s is stored once and in order when it is back`, {
  timeout: AWAY * 1_000 + BACK_MS + 60_000,
}, async () => {
  const spool = mkdtempSync(join(tmpdir(), 'reel-away-'));
  const before = await BatchServer.start();
  const { url } = before;
  const warnings: string[] = [];
  const reel = createReelClient({
    url,
    token: 'token',
    module: 'billing',
    spool,
    warn: (message) => warnings.push(message),
  });
  let after: BatchServer | undefined;
  try {
    let logged = 0;
    const log = () => {
      expect(
        reel.log('invoices.pay', {
          tenantId: '0196f2f0-0000-7000-8000-00000000a001',
          resource: { type: 'invoice', id: logged },
        }),
      ).toBe(true);
      logged += 1;
    };
    log();
    expect(await reel.flush(60_000)).toBe(true);
    await before.close();
    const until = performance.now() + AWAY * 1_000;
    while (performance.now() < until) {
      log();
      await setTimeout(PAUSE_MS);
    }
    expect(reel.stats()).toMatchObject({ sent: 1, spooled: logged - 1, rejected: 0, dropped: 0 });
    expect(reel.stats().oldestSeconds).toBeGreaterThan(AWAY - 2);
    expect(warnings.filter((warning) => warning.includes('entries wait to be sent'))).toHaveLength(1);

    after = await BatchServer.start(Number(new URL(url).port));
    // It comes back by itself, without a call that asks for it.
    await expect.poll(() => reel.stats().spooled, { timeout: BACK_MS, interval: 100 }).toBe(0);
    expect(reel.stats()).toMatchObject({ sent: logged, rejected: 0, dropped: 0, oldestSeconds: 0 });
    expect(after.replays).toBe(0);
    expect(after.entries.map((entry) => entry.resource_id)).toEqual(
      Array.from({ length: logged - 1 }, (_, at) => String(at + 1)),
    );
  } finally {
    await reel.close(0);
    await after?.close();
    rmSync(spool, { recursive: true, force: true });
  }
});
