import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { graphql, send } from './load.ts';
import { type BenchServer, cpuSeconds } from './server.ts';
import type { Arrival } from './stream-receiver.ts';
import type { Line } from './table.ts';

const CATCH_UP = 100_000;
const [RATE, SECONDS] = [1_000, 15];
const [IDLE, PER_TENANT] = [1_000, 20];
const IDLE_SECONDS = 20;
const SECRET = `whsec_${Buffer.alloc(32, 4).toString('base64')}`;
const CREATE = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id position } }';
const WRITE = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';

/** Streams to webhooks, beside a bare loop that posts the same bytes to the same receiver. */
export async function streaming(server: BenchServer): Promise<Line[]> {
  const receiver = await Receiver.start();
  // What a run left that was broken off.
  await server.owner.query('delete from reel_streams');
  try {
    const alone = await live(server, receiver, 'alone');
    const { lines, bytes } = await catchUp(server, receiver, true);
    const bare = await bareLoop(receiver, bytes);
    const [rate, ...spent] = lines;
    const both = await liveWhileOneCatchesUp(server, receiver);
    const idle = await idleStreams(server, receiver);
    return [
      { ...rate!, bare },
      ...spent,
      ...(await catchUp(server, receiver, false)).lines,
      { what: `${RATE} entries/s: acknowledged to received, p50`, reel: at(alone, 0.5), unit: 'ms' },
      {
        what: `${RATE} entries/s: acknowledged to received, p99`,
        reel: at(alone, 0.99),
        unit: 'ms',
        aim: '2,000',
      },
      {
        what: 'the same while another stream catches up, p99',
        reel: at(both.delays, 0.99),
        unit: 'ms',
        aim: 'the same',
      },
      { what: 'catching up meanwhile', reel: both.perSecond, unit: '/s', aim: '5,000' },
      idle,
    ];
  } finally {
    await server.owner.query('delete from reel_streams');
    receiver.stop();
  }
}

/** Some entries of the large tenant, from the newest back. */
async function catchUp(
  server: BenchServer,
  receiver: Receiver,
  proofs: boolean,
): Promise<{ lines: Line[]; bytes: number[] }> {
  const { tenantId } = server.tenant;
  const headers = await server.managerOf(tenantId);
  const path = `/catch-up-${randomUUID()}`;
  const last = await lastSequence(server, tenantId);
  const [began, spent] = [performance.now(), cpuSeconds(server.pid)];
  await create(server, headers, receiver, path, { after: last - CATCH_UP, proofs });
  const arrivals = await receiver.until(path, (all) => (all.at(-1)?.last ?? 0) >= last);
  const seconds = (performance.now() - began) / 1_000;
  const cpu = ((cpuSeconds(server.pid) - spent) / CATCH_UP) * 1e6;
  return {
    bytes: arrivals.map(({ bytes }) => bytes),
    lines: [
      {
        what: `${CATCH_UP.toLocaleString('en')} entries behind, ${proofs ? 'with' : 'without'} proofs`,
        reel: CATCH_UP / seconds,
        unit: '/s',
        aim: proofs ? '5,000' : '',
        note: `${arrivals.length} batches, ${Math.round(arrivals.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20)} MiB`,
      },
      { what: `${proofs ? 'with' : 'without'} proofs: the server's CPU an entry`, reel: cpu, unit: 'µs' },
    ],
  };
}

/** Posts as many bytes in as many requests, one after the other; answers entries/s. */
async function bareLoop(receiver: Receiver, sizes: readonly number[]): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const longest = Buffer.alloc(Math.max(...sizes), '{"first":1,"last":1,"entries":[]}');
  const began = performance.now();
  for (const size of sizes)
    await new Promise<void>((done, fail) => {
      const sent = request(
        `${receiver.url}/bare`,
        { agent, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': size } },
        (response) => response.resume().on('end', done),
      );
      sent.on('error', fail);
      sent.end(longest.subarray(0, size));
    });
  agent.destroy();
  return CATCH_UP / ((performance.now() - began) / 1_000);
}

/** Milliseconds from acknowledged to received, of each entry. */
async function live(server: BenchServer, receiver: Receiver, name: string): Promise<number[]> {
  const tenantId = randomUUID();
  const path = `/live-${name}`;
  await create(server, await server.managerOf(tenantId), receiver, path, { after: 0 });
  const acknowledged = new Map<string, number>();
  const began = performance.now();
  const under: Promise<void>[] = [];
  for (let number = 0; number < RATE * SECONDS; ) {
    const due = Math.min(RATE * SECONDS, Math.floor(((performance.now() - began) * RATE) / 1_000));
    const count = Math.max(0, due - number);
    number += count;
    if (count > 0) {
      const inputs = Array.from({ length: count }, () => ({
        tenantId,
        module: 'guardian',
        action: 'users.act',
        resourceType: 'user',
        data: { ip: '192.0.2.1', state: 'active' },
      }));
      under.push(
        send(graphql(server.url, server.module, WRITE, { inputs })).then((text) => {
          const now = performance.timeOrigin + performance.now();
          for (const { id } of (JSON.parse(text) as { data: { createLogs: { id: string }[] } }).data
            .createLogs)
            acknowledged.set(id, now);
        }),
      );
    }
    await setTimeout(20);
  }
  await Promise.all(under);
  const arrivals = await receiver.until(
    path,
    (all) => all.reduce((sum, { ids }) => sum + ids.length, 0) >= RATE * SECONDS,
  );
  const delays = arrivals.flatMap(({ at: when, ids }) =>
    ids.flatMap((id) => {
      const since = acknowledged.get(id);
      return since === undefined ? [] : [Math.max(0, when - since)];
    }),
  );
  return delays.sort((a, b) => a - b);
}

async function liveWhileOneCatchesUp(server: BenchServer, receiver: Receiver) {
  const { tenantId } = server.tenant;
  const headers = await server.managerOf(tenantId);
  const path = `/behind-${randomUUID()}`;
  const last = await lastSequence(server, tenantId);
  const behind = Math.min(last, 1_000_000);
  const { id } = await create(server, headers, receiver, path, { after: last - behind });
  const began = performance.now();
  const delays = await live(server, receiver, 'both');
  const seconds = (performance.now() - began) / 1_000;
  const reached = receiver.of(path).at(-1)?.last ?? last - behind;
  await ask(server.url, headers, 'mutation ($id: UUID!) { removeStream(id: $id) }', { id });
  return { delays, perSecond: (reached - (last - behind)) / seconds };
}

/** What streams cost that have nothing to deliver: of a core, server and database. */
async function idleStreams(server: BenchServer, receiver: Receiver): Promise<Line> {
  await setTimeout(5_000);
  const before = await busyShare(server);
  for (let tenant = 0; tenant < IDLE / PER_TENANT; tenant += 1) {
    const headers = await server.managerOf(randomUUID());
    for (let stream = 0; stream < PER_TENANT; stream += 1)
      await create(server, headers, receiver, '/idle', {});
  }
  await setTimeout(10_000);
  const after = await busyShare(server);
  return {
    what: `${IDLE.toLocaleString('en')} idle streams`,
    reel: Math.max(0, (after - before) * 10_000),
    unit: 'µs',
    aim: '10,000',
    note: `of each second of a core: ${(after * 100).toFixed(2)} % with them, ${(before * 100).toFixed(2)} % without`,
  };
}

async function busyShare({ pid, owner }: BenchServer): Promise<number> {
  const backends = async () =>
    (await owner.query('select pid from pg_stat_activity where pid <> pg_backend_pid()')).rows.map(
      ({ pid: each }) => each as number,
    );
  const spent = async () => {
    const seconds = new Map([[pid, cpuSeconds(pid)]]);
    for (const each of await backends())
      try {
        seconds.set(each, cpuSeconds(each));
      } catch {
        // It has ended.
      }
    return seconds;
  };
  const [before, began] = [await spent(), performance.now()];
  await setTimeout(IDLE_SECONDS * 1_000);
  let sum = 0;
  for (const [each, seconds] of await spent()) sum += seconds - (before.get(each) ?? 0);
  return sum / ((performance.now() - began) / 1_000);
}

async function create(
  { url }: BenchServer,
  headers: Record<string, string>,
  receiver: Receiver,
  path: string,
  { after, proofs = true }: { after?: number; proofs?: boolean },
): Promise<{ id: string; position: number }> {
  const settings = { url: receiver.url + path, proofs };
  const input = {
    name: 'bench',
    kind: 'WEBHOOK',
    secret: SECRET,
    settings,
    ...(after === undefined ? {} : { after }),
  };
  return (await ask<{ createStream: { id: string; position: number } }>(url, headers, CREATE, { input }))
    .createStream;
}

/** On a connection of its own: between two of these a kept one may be closed. */
async function ask<T>(
  url: string,
  headers: Record<string, string>,
  query: string,
  variables: object,
): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, connection: 'close' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors).slice(0, 300));
  return data;
}

async function lastSequence({ owner }: BenchServer, tenantId: string): Promise<number> {
  const { rows } = await owner.query(
    'select max(seq)::int as last from reel_log_sequence where tenant_id = $1',
    [tenantId],
  );
  return rows[0].last as number;
}

const at = (sorted: readonly number[], share: number) =>
  sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

class Receiver {
  readonly url: string;
  private readonly arrivals = new Map<string, Arrival[]>();
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.child = child;
    this.url = `http://127.0.0.1:${port}`;
    child.on('message', (arrival: Arrival) => {
      const known = this.arrivals.get(arrival.path);
      if (known) known.push(arrival);
      else this.arrivals.set(arrival.path, [arrival]);
    });
  }

  static async start(): Promise<Receiver> {
    const child = fork(join(import.meta.dirname, 'stream-receiver.ts'));
    const [port] = (await once(child, 'message')) as [number];
    return new Receiver(child, port);
  }

  of(path: string): readonly Arrival[] {
    return this.arrivals.get(path) ?? [];
  }

  async until(path: string, holds: (arrivals: readonly Arrival[]) => boolean): Promise<readonly Arrival[]> {
    for (const deadline = Date.now() + 600_000; !holds(this.of(path)); await setTimeout(20))
      if (Date.now() > deadline)
        throw new Error(`expected all batches of ${path}, got ${this.of(path).length}`);
    return this.of(path);
  }

  stop(): void {
    this.child.kill();
  }
}
