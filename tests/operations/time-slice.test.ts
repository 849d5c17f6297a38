import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TimeSlice } from '../../src/time-slice.js';

const PIECE_MS = 11;
const spin = () => {
  for (const end = performance.now() + PIECE_MS; performance.now() < end; );
};

test('however many work piece by piece, one of them has a slice in each turn of the event loop', async () => {
  const [workers, pieces] = [12, 4];
  const done = Array<number>(workers).fill(0);
  let total = 0;
  const work = Array.from(done, async (_, worker) => {
    const slice = new TimeSlice();
    await setImmediate();
    for (let piece = 0; piece < pieces; piece += 1) {
      await slice.pass();
      spin();
      done[worker]! += 1;
      total += 1;
      // Nobody is a round ahead.
      expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(2);
    }
  });
  let most = 0;
  // The first slice is each one's own.
  await setImmediate();
  await setImmediate();
  while (total < workers * pieces) {
    const before = total;
    await setImmediate();
    most = Math.max(most, total - before);
  }
  await Promise.all(work);
  expect(most).toBeLessThanOrEqual(2);
});
