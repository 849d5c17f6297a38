/**
 * To be preloaded by a server under test (NODE_OPTIONS=--import). At each SIGUSR2 it prints the longest CPU time, in
 * milliseconds, for which the server has held its event loop since the last one: of this thread alone, so that it does not
 * depend on what else the machine does.
 */
let longest = 0;
let before = process.threadCpuUsage();

setInterval(() => {
  const now = process.threadCpuUsage();
  longest = Math.max(longest, (now.user + now.system - before.user - before.system) / 1_000);
  before = now;
}, 5).unref();

process.on('SIGUSR2', () => {
  process.stderr.write(`loop held ${longest.toFixed(1)} ms\n`);
  longest = 0;
});
