/**
 * The longest CPU time, in milliseconds, for which this thread held its event loop while something was done. Unlike a
 * delay by the clock it does not depend on what else the machine does.
 */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let before = process.threadCpuUsage();
  // Late by as long as the loop is held.
  const sampling = setInterval(() => {
    const now = process.threadCpuUsage();
    longest = Math.max(longest, (now.user + now.system - before.user - before.system) / 1_000);
    before = now;
  }, 5);
  await work().finally(() => clearInterval(sampling));
  return longest;
}

/** The least of up to three times, of which one below `enough` ends them: what else is collected meanwhile is not the work's. */
export async function leastHold(work: () => Promise<unknown>, enough: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3 && least >= enough; run += 1) least = Math.min(least, await longestHold(work));
  return least;
}
