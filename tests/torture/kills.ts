/** What is done to the servers and the database while they are used, and how they come back. */
import { setTimeout } from 'node:timers/promises';
import type { Random } from './built.ts';
import type { Cluster } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import type { ReceivedStream } from './streams.ts';

export interface Victims {
  fleet: Fleet;
  cluster: Cluster;
  streams: readonly ReceivedStream[];
}

type Kill = (victims: Victims, random: Random) => Promise<void>;

const pause = (random: Random, most: number) => setTimeout(random.integer(0, most));
const endedAlready = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ESRCH') throw error;
};
const signal = (pid: number, name: NodeJS.Signals) => {
  try {
    process.kill(pid, name);
  } catch (error) {
    endedAlready(error as NodeJS.ErrnoException);
  }
};

export const KILLS = {
  'one server': async ({ fleet }, random) => {
    const index = random.integer(0, 1);
    await fleet.kill(index);
    await pause(random, 400);
    await fleet.start(index);
  },
  'both servers': async ({ fleet }, random) => {
    await Promise.all([fleet.kill(0), fleet.kill(1)]);
    await pause(random, 400);
    await fleet.startAll();
  },
  'the database': async ({ cluster }, random) => {
    await cluster.kill();
    await pause(random, 600);
    await cluster.start();
  },
  everything: async ({ fleet, cluster }, random) => {
    await cluster.kill();
    await Promise.all([fleet.kill(0), fleet.kill(1)]);
    await pause(random, 300);
    await cluster.start();
    await fleet.startAll();
  },
  /** PostgreSQL ends all others too then, and recovers by itself. */
  "one of the database's processes": async ({ cluster }, random) => {
    const pids = await cluster.backends('reel');
    if (pids.length > 0) signal(random.pick(pids), 'SIGKILL');
    await pause(random, 200);
    await cluster.ready();
  },
  "the servers' connections": async ({ cluster }) => {
    const end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reel'";
    await cluster.query(end, [], 'superuser');
  },
  'one server stopped for a while': async ({ fleet }, random) =>
    fleet.pause(random.integer(0, 1), random.integer(200, 2_500)),
  'the database stopped for a while': async ({ cluster }, random) => {
    const pids = await cluster.backends('reel');
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await setTimeout(random.integer(200, 2_000));
    for (const pid of pids) signal(pid, 'SIGCONT');
  },
  'a receiver of a stream': async ({ streams }, random) => random.pick(streams).restart(),
} satisfies Record<string, Kill>;

export type KillName = keyof typeof KILLS;

const WEIGHTS: Record<KillName, number> = {
  'one server': 6,
  'both servers': 3,
  'the database': 4,
  everything: 3,
  "one of the database's processes": 2,
  "the servers' connections": 1,
  'one server stopped for a while': 2,
  'the database stopped for a while': 2,
  'a receiver of a stream': 4,
};
const NAMES = (Object.keys(KILLS) as KillName[]).flatMap((name) => Array<KillName>(WEIGHTS[name]).fill(name));

export const pickKill = (random: Random): KillName => random.pick(NAMES);
