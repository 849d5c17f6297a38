/** One round: everybody at work, something killed, something done by an operator, and then everything accounted for. */
import { setTimeout } from 'node:timers/promises';
import { type Random, SeededRandom } from './built.ts';
import { checkRound, type World } from './check.ts';
import { doChore } from './chores.ts';
import { exportOnce } from './exports.ts';
import type { Host } from './host.ts';
import { KILLS, type KillName, pickKill } from './kills.ts';
import { read } from './readers.ts';
import { write } from './writers.ts';

const READERS = 3;
const LOOKS = 15;
/** A kill or a chore waits for its share of the calls, but not forever: nobody may be able to work. */
const PATIENCE_MS = 6_000;

export interface RoundPlan {
  number: number;
  seed: string;
  writers: number;
  /** Of each writer, one after the other. */
  calls: number;
  /** Clean-ups take nothing younger. */
  days: number;
  module: string;
}

export interface RoundReport {
  acknowledged: number;
  kills: KillName[];
  chores: string[];
  milliseconds: number;
}

/** Every choice is drawn from the seed and the round's number, whatever happened in the rounds before. */
export async function runRound(world: World, host: Host, plan: RoundPlan): Promise<RoundReport> {
  const { fleet, ledger, tenants, directory } = world;
  const began = Date.now();
  const before = ledger.acknowledged.size;
  const randomOf = (what: string): Random => new SeededRandom(`${plan.seed} ${plan.number} ${what}`);
  const random = randomOf('plan');
  const events = planEvents(random);

  const total = plan.writers * plan.calls;
  let calls = 0;
  const onCall = () => {
    calls += 1;
  };
  const writing = { fleet, host, ledger, tenants, module: plan.module, onCall };
  const writers = Promise.all(
    Array.from({ length: plan.writers }, (_, index) =>
      write(writing, `r${plan.number}-${index}`, plan.calls, randomOf(`writer ${index}`)),
    ),
  );
  const over = new AbortController();
  const readers = Array.from({ length: READERS }, (_, index) =>
    read({ fleet, ledger, tenants, signal: over.signal }, LOOKS, randomOf(`reader ${index}`)),
  );
  const isVerified = random.chance(0.2);
  const exported = exportOnce(
    { fleet, ledger, directory },
    random.pick(tenants),
    isVerified,
    randomOf('export'),
  );
  if (random.chance(0.3)) random.pick(world.followers).reconnect();

  const report: RoundReport = { acknowledged: 0, kills: [], chores: [], milliseconds: 0 };
  const reached = async (share: number) => {
    for (const deadline = Date.now() + PATIENCE_MS; calls < share * total && Date.now() < deadline; )
      await setTimeout(5);
  };
  const kills = (async () => {
    for (const { kill, share } of events.kills) {
      await reached(share);
      await KILLS[kill](world, random);
      report.kills.push(kill);
    }
  })();
  const chores = (async () => {
    for (const { share } of events.chores) {
      await reached(share);
      report.chores.push(await doChore({ fleet, ledger, tenants, days: plan.days }, randomOf('chore')));
    }
  })();
  await Promise.all([writers, kills, chores]);
  await world.cluster.ready();
  if (report.kills.some((kill) => /database|everything/.test(kill))) await host.restart();
  await fleet.startAll();
  await exported;
  over.abort();
  await Promise.all(readers);
  await checkRound(world, began, randomOf('check'));
  report.acknowledged = ledger.acknowledged.size - before;
  report.milliseconds = Date.now() - began;
  return report;
}

/** One kill, seldom two, and mostly a chore, each at a share of the round's calls. */
function planEvents(random: Random) {
  const shares = (count: number) => Array.from({ length: count }, () => 0.9 * random.fraction()).sort();
  return {
    kills: shares(random.chance(0.2) ? 2 : 1).map((share) => ({ share, kill: pickKill(random) })),
    chores: shares(random.chance(0.75) ? 1 : 0).map((share) => ({ share })),
  };
}
