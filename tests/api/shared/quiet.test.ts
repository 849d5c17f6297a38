import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { sharedCall } from '../../../src/http/shared-call.js';
import { RawClient, requestText } from '../../support/raw-client.js';
import { moduleToken, startReel, type TestReel } from '../../support/reel.js';

/** Shortened: 30 s in truth. */
const QUIET_MS = 1_200;

describe('a connection', () => {
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel({}, undefined, { quietMs: QUIET_MS });
  });
  afterAll(() => reel?.close());

  /** Sends what comes piece by piece until the connection ends. */
  async function drip(pieces: () => string): Promise<string> {
    const client = await RawClient.open(reel.url);
    let isOver = false;
    void client.closed.then(() => {
      isOver = true;
    });
    while (!isOver && !client.socket.readableEnded) {
      const piece = pieces();
      if (piece !== '') void client.write(piece);
      await setTimeout(40);
    }
    client.socket.destroy();
    return client.closed;
  }

  test.each<[string, (token: string) => () => string, RegExp]>([
    ['that says nothing', () => () => '', /^(HTTP\/1\.1 408 .*)?$/s],
    [
      'whose request line comes slowly',
      () => {
        const text = [...'GET /health/live?'.padEnd(10_000, 'x')];
        return () => text.shift() ?? 'x';
      },
      /^HTTP\/1\.1 408 /,
    ],
    [
      'whose headers come slowly',
      () => {
        let isBegun = false;
        return () => {
          const piece = isBegun ? 'X-A: x\r\n' : 'GET /health/live HTTP/1.1\r\nHost: x\r\n';
          isBegun = true;
          return piece;
        };
      },
      /^HTTP\/1\.1 408 /,
    ],
    [
      'whose body comes slowly',
      (token) => {
        const head = requestText('POST /api/v1/reel/logs', {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Content-Length': '100000',
        });
        let isBegun = false;
        return () => {
          const piece = isBegun ? ' ' : head;
          isBegun = true;
          return piece;
        };
      },
      /^HTTP\/1\.1 408 .*nosniff/s,
    ],
    [
      'that rests between two requests',
      () => {
        let isBegun = false;
        return () => {
          const piece = isBegun ? '' : requestText('GET /health/live');
          isBegun = true;
          return piece;
        };
      },
      /^HTTP\/1\.1 200 /,
    ],
  ])('%s is closed', async (_, pieces, answer) => {
    const begun = performance.now();
    expect(await drip(pieces(await moduleToken()))).toMatch(answer);
    expect(performance.now() - begun).toBeGreaterThan(QUIET_MS / 2);
  });
});

describe('what anybody may ask the database for', () => {
  test('is asked for once by all who ask at the same time, and soon after', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let count = 0;
    const read = sharedCall(async () => {
      await setTimeout(20);
      count += 1;
      return count;
    }, 200);
    expect(await Promise.all(Array.from({ length: 1_000 }, read))).toEqual(Array(1_000).fill(1));
    vi.advanceTimersByTime(199);
    expect(await read()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await Promise.all([read(), read()])).toEqual([2, 2]);
  });

  test('is asked for again after a failure, which all hear who waited for it', async () => {
    let isDown = true;
    const read = sharedCall(async () => {
      await setTimeout(5);
      if (isDown) throw new Error('down');
      return 'up';
    }, 200);
    expect((await Promise.allSettled([read(), read()])).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ]);
    isDown = false;
    expect(await read()).toBe('up');
  });
});
