import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Broadcast } from './bare-broadcast.ts';
import type { Assignment, Report } from './followers.ts';
import { graphql, send } from './load.ts';
import { type BenchServer, cpuSeconds, residentMib } from './server.ts';
import type { Line } from './table.ts';

const SECONDS = 20;
/** So many followers follow everything, the others one of ten actions each. */
const [FOLLOWERS, WHOLE] = [1_000, 100];
const PROCESSES = 2;
const ACTIONS = Array.from({ length: 10 }, (_, index) => `users.act${index}`);
/** How long deliveries may take after the last write. */
const TIMEOUT_MS = 60_000;

const FIELDS =
  'id module action severity actorId actorEmail tenantId clientId resourceType resourceId data ipAddress requestId createdAt sequence';
const FOLLOW = `subscription ($filter: LogFilter, $after: Count) { logAdded(filter: $filter, after: $after) { ${FIELDS} } }`;
const WRITE = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';

interface Measurement {
  due: number;
  delivered: number;
  faults: number;
  perSecond: number;
  /** In milliseconds, from the response to the writer (which follows the commit), or from when the broadcast was due. */
  delays: number[];
  cpuSeconds: number;
  mib: number;
}

/** Following by 1,000 websockets while entries are written, beside a plain broadcast of the same bytes to as many. */
export async function following(server: BenchServer): Promise<Line[]> {
  const lines: Line[] = [];
  for (const rate of [100, 1_000]) {
    const reel = await followReel(server, rate);
    const bare = await followBare(rate);
    const [own, plain] = [reel, bare].map(({ delays }) => delays.sort((a, b) => a - b));
    const at = (sorted: number[], share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    const summary = ({ delivered, due, faults }: Measurement) =>
      `${delivered.toLocaleString('en')} of ${due.toLocaleString('en')}, ${faults} twice or out of order`;
    const what = `${rate.toLocaleString('en')} entries/s`;
    lines.push(
      {
        what: `${what}: deliveries`,
        reel: reel.perSecond,
        bare: bare.perSecond,
        unit: '/s',
        note: `${summary(reel)}; bare ${summary(bare)}`,
      },
      { what: `${what}: delay p50`, reel: at(own!, 0.5), bare: at(plain!, 0.5), unit: 'ms' },
      { what: `${what}: delay p99`, reel: at(own!, 0.99), bare: at(plain!, 0.99), unit: 'ms' },
      {
        what: `${what}: CPU a delivery`,
        reel: (reel.cpuSeconds / reel.delivered) * 1e6,
        bare: (bare.cpuSeconds / bare.delivered) * 1e6,
        unit: 'µs',
        note: `${reel.cpuSeconds.toFixed(1)} s in all, writing and sealing too; bare ${bare.cpuSeconds.toFixed(1)} s`,
      },
      {
        what: `${what}: memory`,
        reel: reel.mib,
        bare: bare.mib,
        unit: 'MiB',
        note: 'most that was resident',
      },
    );
  }
  return lines;
}

async function followReel({ url, pid, module, viewerOf }: BenchServer, rate: number): Promise<Measurement> {
  const tenantId = randomUUID();
  const { authorization } = await viewerOf(tenantId);
  return observe(pid, `${url.replace('http', 'ws')}/graphql`, authorization!, rate, async () => {
    const written: number[] = [];
    const began = performance.now();
    const under: Promise<unknown>[] = [];
    for (let number = 0; number < rate * SECONDS; ) {
      const due = Math.min(rate * SECONDS, Math.floor(((performance.now() - began) * rate) / 1000));
      const numbers = Array.from({ length: Math.max(0, due - number) }, (_, index) => number + index);
      number += numbers.length;
      if (numbers.length > 0) {
        const inputs = numbers.map((each) => entry(tenantId, each));
        const writing = send(graphql(url, module, WRITE, { inputs })).then(() => {
          for (const each of numbers) written[each] = now();
        });
        under.push(writing);
      }
      await setTimeout(10);
    }
    await Promise.all(under);
    return written;
  });
}

async function followBare(rate: number): Promise<Measurement> {
  const child = fork(join(import.meta.dirname, 'bare-broadcast.ts'));
  try {
    const port = await nextMessage<number>(child);
    const text = JSON.stringify({
      id: '0',
      type: 'next',
      payload: {
        data: {
          logAdded: {
            id: randomUUID(),
            ...entry(randomUUID(), 0),
            severity: 'INFO',
            createdAt: '2026-01-05T10:00:00.123456Z',
            sequence: 1,
          },
        },
      },
    });
    return await observe(child.pid!, `ws://127.0.0.1:${port}`, 'Bearer none', rate, async () => {
      child.send({ rate, seconds: SECONDS, text, actions: ACTIONS } satisfies Broadcast);
      return nextMessage<number[]>(child);
    });
  } finally {
    child.disconnect();
  }
}

/** Opens the followers, runs `work`, which returns when each entry was written, and waits until all are delivered. */
async function observe(
  pid: number,
  url: string,
  authorization: string,
  rate: number,
  work: () => Promise<number[]>,
): Promise<Measurement> {
  const children = Array.from({ length: PROCESSES }, () =>
    fork(join(import.meta.dirname, 'followers.ts'), { serialization: 'advanced' }),
  );
  try {
    const each = FOLLOWERS / PROCESSES;
    const actions = Array.from({ length: each }, (_, index) =>
      index % (FOLLOWERS / WHOLE) === 0 ? null : ACTIONS[Math.floor(index / 3) % ACTIONS.length]!,
    );
    const assignment: Assignment = { url, authorization, query: FOLLOW, actions, sampled: rate / 10 };
    await Promise.all(children.map((child) => ask(child, assignment)));
    await setTimeout(1_000);
    const spent = cpuSeconds(pid);
    const began = performance.now();
    let mib = residentMib(pid);
    const watch = setInterval(() => {
      mib = Math.max(mib, residentMib(pid));
    }, 200);
    const times = await work();
    const matching = (action: string | null) =>
      action === null ? times.length : times.length / ACTIONS.length;
    const due = PROCESSES * actions.reduce((sum, action) => sum + matching(action), 0);
    for (const end = performance.now() + TIMEOUT_MS; performance.now() < end; await setTimeout(100)) {
      const counts = await Promise.all(children.map((child) => ask<number>(child, 'count')));
      if (counts.reduce((sum, count) => sum + count, 0) >= due) break;
    }
    const seconds = (performance.now() - began) / 1000;
    clearInterval(watch);
    const reports = await Promise.all(children.map((child) => ask<Report>(child, 'report')));
    const delivered = reports.flatMap(({ counts }) => counts).reduce((sum, count) => sum + count, 0);
    return {
      due,
      delivered,
      faults: reports.reduce((sum, { faults }) => sum + faults, 0),
      perSecond: delivered / seconds,
      // An entry may reach a follower before its writer gets the response.
      delays: reports.flatMap(({ numbers, arrivals }) =>
        numbers.map((number, index) => Math.max(0, arrivals[index]! - times[number]!)),
      ),
      cpuSeconds: cpuSeconds(pid) - spent,
      mib,
    };
  } finally {
    for (const child of children) child.kill();
  }
}

const entry = (tenantId: string, number: number) => ({
  module: 'guardian',
  action: ACTIONS[number % ACTIONS.length]!,
  tenantId,
  clientId: '0196f2f0-0000-7000-8000-00000000c001',
  actorId: '0196f2f0-0000-7000-8000-00000000a002',
  actorEmail: 'ana@example.com',
  resourceType: 'user',
  resourceId: String(number),
  ipAddress: '203.0.113.7',
  requestId: '0196f2f0-0000-7000-8000-00000000d001',
  data: { before: { role: 'viewer', active: true }, after: { role: 'editor', active: true } },
});

const now = () => performance.timeOrigin + performance.now();

const nextMessage = <T>(child: ChildProcess): Promise<T> =>
  new Promise((done, fail) => {
    const ended = (code: number | null) =>
      fail(new Error(`expected a message, the process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      done(message as T);
    });
  });

function ask<T>(child: ChildProcess, question: Assignment | 'count' | 'report'): Promise<T> {
  const reply = nextMessage<T>(child);
  child.send(question);
  return reply;
}
