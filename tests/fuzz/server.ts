/**
 * The built server as a process of its own, which also tells how long its event loop was held: `node server.ts`, settings
 * by the environment. Sends its URL once, then, for each message, the longest hold since the last one, in milliseconds
 * of CPU time, which does not depend on what else the machine does.
 */
const built = (path: string): Promise<unknown> =>
  import(new URL(`../../dist/${path}.js`, import.meta.url).href);
await import('reflect-metadata');
const { readConfig } = (await built('config/config')) as typeof import('../../src/config/config.ts');
const { createReelServer } = (await built('server')) as typeof import('../../src/server.ts');

const server = await createReelServer(readConfig(process.env));
let [longest, before] = [0, process.threadCpuUsage()];
// Late by as long as the loop is held.
setInterval(() => {
  const now = process.threadCpuUsage();
  longest = Math.max(longest, (now.user + now.system - before.user - before.system) / 1_000);
  before = now;
}, 5);
process.on('message', () => {
  // After the sample that a hold under way is in.
  setTimeout(() => {
    process.send!({ longest });
    longest = 0;
  }, 10);
});
process.on('disconnect', () => process.exit(0));
process.send!({ url: server.url });
