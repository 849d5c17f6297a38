import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chargeTo, onAccount, passTurn, takeTurn } from '../../src/time-slice.js';

/** Longer than a slice. */
const LONG_MS = 11;

describe('turns of the event loop', () => {
  // A clock that only work moves, so that a loaded machine's pauses are not on an account.
  let now = 0;
  const spin = (ms: number) => {
    now += ms;
  };
  beforeEach(() => {
    now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => vi.restoreAllMocks());

  test('however many work piece by piece, a turn of the loop has no more than a slice', async () => {
    const [workers, pieces] = [12, 4];
    let total = 0;
    const work = Array.from({ length: workers }, async () => {
      for (let piece = 0; piece < pieces; piece += 1) {
        await takeTurn();
        spin(LONG_MS);
        total += 1;
      }
    });
    let most = 0;
    while (total < workers * pieces) {
      const before = total;
      await setImmediate();
      most = Math.max(most, total - before);
    }
    await Promise.all(work);
    expect(most).toBe(1);
  });

  test('short pieces share a slice', async () => {
    let [turns, isOver] = [0, false];
    const counting = (async () => {
      for (; !isOver; turns += 1) await setImmediate();
    })();
    await Promise.all(Array.from({ length: 200 }, () => takeTurn()));
    isOver = true;
    await counting;
    expect(turns).toBeLessThan(100);
  });

  test('an account with little to do waits for one piece of those with much, not for all', async () => {
    const order: string[] = [];
    const piece = async (account: string) => {
      await takeTurn(account);
      spin(3);
      order.push(account);
    };
    const busy = ['a', 'b'].flatMap((account) => Array.from({ length: 20 }, () => piece(account)));
    await setImmediate();
    await Promise.all([piece('quiet'), ...busy]);
    expect(order.indexOf('quiet')).toBeLessThan(12);
    // Those with as much to do are served alike.
    const half = order.slice(0, 20);
    const [a, b] = ['a', 'b'].map((account) => half.filter((each) => each === account).length);
    expect(Math.abs(a! - b!)).toBeLessThanOrEqual(3);
  });

  test('who was idle has no claim to the time before', async () => {
    for (let nr = 0; nr < 20; nr += 1) {
      await takeTurn('at work');
      spin(3);
    }
    const order: string[] = [];
    const piece = async (account: string) => {
      await takeTurn(account);
      spin(3);
      order.push(account);
    };
    await Promise.all(
      ['new', 'at work'].flatMap((account) => Array.from({ length: 10 }, () => piece(account))),
    );
    expect(order.slice(0, 10).filter((account) => account === 'at work').length).toBeGreaterThanOrEqual(3);
  });

  test('work is on the account that was named last', async () => {
    const order: string[] = [];
    const mine = onAccount({ key: '' }, async () => {
      chargeTo('mine');
      for (let nr = 0; nr < 10; nr += 1) {
        await takeTurn();
        spin(4);
        order.push('mine');
      }
    });
    const other = (async () => {
      await takeTurn('other');
      spin(4);
      for (let nr = 0; nr < 3; nr += 1) {
        await passTurn();
        spin(4);
      }
      await takeTurn('other');
      order.push('other');
    })();
    await Promise.all([mine, other]);
    expect(order.indexOf('other')).toBeLessThan(8);
  });
});
