import { expect } from 'vitest';

/** Milliseconds of CPU time of this thread. */
async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/** The least of several runs, which is what the work itself takes; one of no more than `enough` ends them. */
async function least(runs: number, work: () => unknown, enough = 0): Promise<number> {
  let found = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs && found > enough; run += 1) found = Math.min(found, await cpuOf(work));
  return found;
}

const ATTEMPTS = 3;

/** Below this, in milliseconds, a machine's noise is larger than what is measured. */
const NOISE = 8;

/**
 * Expects work to grow clearly less than with the square of its size: of a square four times the size takes sixteen times
 * as long, of a line four times. Measured at size, twice and four times that.
 */
export async function expectLinear(
  size: number,
  work: (size: number) => unknown,
  { runs = 3, most = 400 }: { runs?: number; most?: number } = {},
): Promise<void> {
  await work(size);
  // Below every bound, whatever the smaller sizes take.
  const enough = Math.min(NOISE, most) - 1;
  for (let attempt = 1; ; attempt += 1) {
    const four = await least(runs, () => work(4 * size), enough);
    if (four <= enough) return;
    const [one, two] = [await least(runs, () => work(size)), await least(runs, () => work(2 * size))];
    if (four < most && four < NOISE + 9 * one && four < NOISE + 4 * two) return;
    // What is not linear is so each time; other processes on the machine are not.
    if (attempt === ATTEMPTS) expect.fail(`not linear: ${JSON.stringify({ one, two, four })} ms`);
  }
}
