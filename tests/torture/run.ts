/**
 * `npm run torture -- --rounds N --seed S`: entries are written by every way in while servers, their database or both are
 * killed, stopped, cleaned up, put on hold, erased from and given new keys; then everything that was acknowledged must be
 * there once. Prints a line a round and a table; exit code 1 where anything was lost, twice or otherwise wrong.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { issueModuleToken, SeededRandom } from './built.ts';
import { checkAll } from './check.ts';
import type { KillName } from './kills.ts';
import { Ledger } from './ledger.ts';
import { runRound } from './round.ts';
import { openTrail, SEEDED_DAYS } from './setup.ts';
import { ReceivedStream } from './streams.ts';
import { Follower } from './tails.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    writers: { type: 'string', default: '13' },
    calls: { type: 'string', default: '7' },
    seeded: { type: 'string', default: '5000' },
  },
});
const [rounds, writers, calls, seeded] = [options.rounds, options.writers, options.calls, options.seeded].map(
  (text) => {
    if (!/^[1-9]\d{0,6}$/.test(text)) {
      process.stderr.write(`expected a number from 1 on, got ${text.slice(0, 200)}\n`);
      process.exit(2);
    }
    return Number(text);
  },
) as [number, number, number, number];
const { seed } = options;
const say = (line: string) => process.stdout.write(`${line}\n`);

// Servers and commands, which are started by the hundred, need not be compiled anew each time.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '..', '..', '.cache', 'node');

const began = Date.now();
const directory = await mkdtemp(join(tmpdir(), 'reel-torture-'));
const ledger = new Ledger();
const random = new SeededRandom(`${seed} setup`);
const trail = await openTrail(ledger, random, seeded);
const { cluster, fleet, host, tenants, earlier } = trail;
process.once('exit', () => fleet.killAll());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    fleet.killAll();
    void cluster.remove({ keepFiles: false }).finally(() => process.exit(1));
  });
const module = await issueModuleToken(fleet.serviceSecret, '*', 24 * 60);
const followers = tenants.flatMap((tenant, index) => {
  const world = (transport: string) => ({
    fleet,
    ledger,
    random: new SeededRandom(`${seed} ${tenant.name} ${transport}`),
  });
  const filter = index % 2 === 0 ? 'guardian' : null;
  return [
    new Follower(world('websocket'), { tenant, transport: 'websocket', module: null, after: 0 }),
    new Follower(world('event stream'), { tenant, transport: 'event stream', module: filter, after: 0 }),
  ];
});
const streams: ReceivedStream[] = [];
// One with a long past, and one that begins.
for (const tenant of [tenants[2]!, tenants[4]!])
  streams.push(
    await ReceivedStream.open(
      { fleet, ledger, directory, random: new SeededRandom(`${seed} stream ${tenant.name}`) },
      tenant,
    ),
  );
const world = { cluster, fleet, ledger, tenants, followers, streams, directory };

const kills = new Map<KillName, number>();
const chores = new Map<string, number>();
let told = 0;
for (let number = 1; number <= rounds; number += 1) {
  const days = Math.round(SEEDED_DAYS - 5 - (60 * number) / rounds);
  const report = await runRound(world, host, { number, seed, writers, calls, days, module });
  for (const kill of report.kills) kills.set(kill, (kills.get(kill) ?? 0) + 1);
  for (const chore of report.chores) {
    const name = chore.replace(/ \d+ days/, '');
    chores.set(name, (chores.get(name) ?? 0) + 1);
  }
  const events = [...report.kills, ...report.chores].join('; ');
  say(
    `${number}: ${report.acknowledged} acknowledged, ${(report.milliseconds / 1000).toFixed(1)} s; ${events}; ${ledger.faults.length} faults`,
  );
  for (const fault of ledger.faults.slice(told, told + 10)) say(`   ${fault}`);
  told = ledger.faults.length;
}

const { verified, proven, versions } = await checkAll(world, earlier, new SeededRandom(`${seed} end`));
for (const follower of followers) await follower.stop();
for (const index of fleet.servers.keys()) {
  const code = await fleet.stop(index);
  if (code !== 0) ledger.fault(`a server that was asked to end ended with ${code}`);
}
await host.close();
for (const stream of streams) await stream.close();
for (const fault of ledger.faults.slice(told, told + 20)) say(`   ${fault}`);

const isWell = ledger.faults.length === 0;
const rows: [string, string | number][] = [
  ['rounds', rounds],
  ['seed', seed],
  ['entries acknowledged', ledger.acknowledged.size],
  ...[...kills].map(([name, count]): [string, number] => [`killed: ${name}`, count]),
  ...[...chores].map(([name, count]): [string, number] => [`done: ${name}`, count]),
  ['lost', ledger.lost],
  ['stored or answered twice', ledger.twice],
  ['other faults', Math.max(0, ledger.faults.length - ledger.lost - ledger.twice)],
  ['`reel verify` ok', `${verified} of ${tenants.length} tenants`],
  ['`reel verify --stream` ok', `${proven} of ${streams.length} streams`],
  ...versions.map(({ version, entries }): [string, number] => [
    `entries left of leaf version ${version}`,
    entries,
  ]),
  ['minutes', Math.round((Date.now() - began) / 6_000) / 10],
];
say(['', '| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n'));
if (!isWell) {
  await writeFile(join(directory, 'faults.txt'), ledger.faults.join('\n'));
  await writeFile(join(directory, 'servers.txt'), fleet.logs.join('\n\n'));
  say(`the faults, and what servers printed: ${directory}; the database's files: ${cluster.dataDir}`);
}
await cluster.remove({ keepFiles: !isWell });
if (isWell) await rm(directory, { recursive: true, force: true });
process.exit(isWell ? 0 : 1);
