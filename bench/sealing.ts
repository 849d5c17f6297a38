import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { checkInput, connect, Identifier, prepareEntry } from './built.ts';
import { runReel } from './command.ts';
import { type House, residentMib } from './house.ts';
import { type Call, graphql, send, throughput } from './load.ts';
import type { Line } from './table.ts';
import { insertRows, remove } from './writing.ts';

/** Entries a second, and how long, of the steady writing; entries of one of its calls. */
const RATE = 1_000;
const SECONDS = Number(process.env.SECONDS ?? 30);
const CALL = 10;
/** Of writing as fast as it goes. */
const MINUTES = Number(process.env.REEL_BENCH_MINUTES ?? 1);
const CALLERS = 4;
const BATCH = 1_000;
const BARE_SECONDS = 5;
/** How often the order is looked at; as much may be added to what is found. */
const LOOK_MS = 10;
const COUNT_MS = 500;
const PATIENCE_MS = 600_000;

const WRITE = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
const author = { kind: 'module', module: '*', ip: null, agent: null } as const;

/** How soon entries are sealed at a steady rate, and whether sealing keeps up with writing as fast as it goes. */
export async function sealing(house: House): Promise<Line[]> {
  const tenantId = randomUUID();
  const order = await openOrder(house, tenantId);
  try {
    const lines = [
      ...(await steadily(house, tenantId, order)),
      ...(await atFullSpeed(house, tenantId, order)),
    ];
    const { seconds } = await runReel(house, 'verify', '--tenant', tenantId);
    return [...lines, { what: 'then reel verify of all that: ok', reel: seconds, unit: 's' }];
  } finally {
    await order.close();
    await remove(house, tenantId);
  }
}

/** A tenant's order as others see it. */
interface Order {
  /** The newest place. */
  last(): Promise<number>;
  waiting(): Promise<number>;
  /** Entries' ids from the place after this one on. */
  idsAfter(place: number): Promise<string[]>;
  close(): Promise<void>;
}

async function openOrder({ runtimeUrl }: House, tenantId: string): Promise<Order> {
  const client = new pg.Client({
    connectionString: runtimeUrl,
    options: `-c jit=off -c reel.tenant_id=${tenantId}`,
  });
  await client.connect();
  const answer = async <T>(text: string, ...values: unknown[]) =>
    (await client.query<{ answer: T }>(text, [tenantId, ...values])).rows.map((row) => row.answer);
  const one = async (text: string) => Number((await answer(text))[0] ?? 0);
  return {
    last: () => one('select max(seq) as answer from reel_log_sequence where tenant_id = $1'),
    waiting: () => one('select count(*) as answer from reel_log_inbox where tenant_id = $1'),
    idsAfter: (place) =>
      answer<string>(
        'select entry_id as answer from reel_log_sequence where tenant_id = $1 and seq > $2 order by seq',
        place,
      ),
    close: () => client.end(),
  };
}

/** Calls that are sent when they are due, whether or not those before are answered. */
async function steadily(house: House, tenantId: string, order: Order): Promise<Line[]> {
  const before = await order.last();
  const call = writing(house, tenantId, CALL);
  const total = (RATE * SECONDS) / CALL;
  const due = new Map<string, number>();
  const looks: { at: number; last: number }[] = [];
  const began = Date.now();
  let answered = began;
  const looking = (async () => {
    while ((looks.at(-1)?.last ?? 0) < before + total * CALL) {
      if (Date.now() > answered + PATIENCE_MS) throw new Error('expected every entry to be given its place');
      const last = await order.last();
      // After the answer: no look is dated before what it saw.
      looks.push({ at: Date.now(), last });
      await setTimeout(LOOK_MS);
    }
  })();
  const calls: Promise<void>[] = [];
  for (let number = 0; number < total; number += 1) {
    const at = began + (number * CALL * 1000) / RATE;
    if (at > Date.now()) await setTimeout(at - Date.now());
    calls.push(
      send(call).then((text) => {
        for (const id of idsOf(text)) due.set(id, at);
        answered = Date.now();
      }),
    );
  }
  await Promise.all([...calls, looking]);
  const rate = (total * CALL) / ((answered - began) / 1000);
  const [lags, whole]: [number[], number[]] = [[], []];
  let look = 0;
  for (const [index, id] of (await order.idsAfter(before)).entries()) {
    while (looks[look]!.last < before + index + 1) look += 1;
    lags.push(looks[look]!.at - millisecondsOf(id));
    whole.push(looks[look]!.at - due.get(id)!);
  }
  const [sorted, sortedWhole] = [lags, whole].map((values) => values.sort((a, b) => a - b));
  const at = (values: number[], share: number) => values[Math.floor((values.length - 1) * share)]!;
  const what = `${RATE.toLocaleString('en')} entries/s, from accepted to seen sealed`;
  const note = `${Math.round(rate).toLocaleString('en')}/s in calls of ${CALL} for ${SECONDS} s; looked every ${LOOK_MS} ms`;
  return [
    { what: `${what}: p50`, reel: at(sorted!, 0.5), unit: 'ms', note },
    { what: `${what}: p99`, reel: at(sorted!, 0.99), unit: 'ms', aim: '<= 1,000 ms' },
    { what: `${what}: most`, reel: at(sorted!, 1), unit: 'ms' },
    { what: 'from when its call was due: p99', reel: at(sortedWhole!, 0.99), unit: 'ms' },
  ];
}

/** Callers that each send their next batch as soon as the one before is answered. */
async function atFullSpeed(house: House, tenantId: string, order: Order): Promise<Line[]> {
  const bare = await insertOnly(house);
  const call = writing(house, tenantId, BATCH);
  const before = residentMib(house.pid);
  let peak = before;
  const backlog: { at: number; waiting: number }[] = [];
  const began = performance.now();
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      peak = Math.max(peak, residentMib(house.pid));
      backlog.push({ at: performance.now() - began, waiting: await order.waiting() });
      await setTimeout(COUNT_MS, undefined, { signal: done.signal }).catch(() => {});
    }
  })();
  const batches = await throughput(() => send(call), CALLERS, MINUTES * 60).finally(() => done.abort());
  const end = performance.now();
  await watching;
  const left = await order.waiting();
  while ((await order.waiting()) > 0) {
    if (performance.now() > end + PATIENCE_MS) throw new Error('expected the inbox to become empty');
    await setTimeout(LOOK_MS);
  }
  const drained = (performance.now() - end) / 1000;
  const most = (third: number) =>
    Math.max(
      ...backlog
        .filter(({ at }) => Math.min(2, Math.floor((3 * at) / (end - began))) === third)
        .map(({ waiting }) => waiting),
    );
  const thirds = [most(0), most(1), most(2)];
  const what = `as fast as it goes, ${MINUTES} min`;
  return [
    {
      what: `${what} (bare: INSERT alone)`,
      reel: batches * BATCH,
      bare,
      unit: '/s',
      note: `${CALLERS} callers, createLogs of ${BATCH.toLocaleString('en')}`,
    },
    {
      what: `${what}: most that waited`,
      reel: Math.max(...thirds),
      unit: 'entries',
      aim: 'not growing',
      note: `by thirds ${thirds.map((waiting) => waiting.toLocaleString('en')).join(', ')}; ${left.toLocaleString('en')} at the end`,
    },
    { what: `${what}: until all was sealed after the last`, reel: drained, unit: 's' },
    { what: `${what}: peak memory (bare: before)`, reel: peak, bare: before, unit: 'MiB' },
  ];
}

/** Entries a second by plain multi-row INSERTs into the table of entries, which nothing seals. */
async function insertOnly(house: House): Promise<number> {
  const tenantId = randomUUID();
  const database = await connect(house.runtimeUrl, CALLERS + 1);
  const identifier = new Identifier();
  const prepare = () => prepareEntry(checkInput(entry(tenantId), author), identifier.next());
  try {
    const batches = await throughput(
      () => insertRows(database, tenantId, Array.from({ length: BATCH }, prepare)),
      CALLERS,
      BARE_SECONDS,
    );
    return batches * BATCH;
  } finally {
    await database.close();
    await remove(house, tenantId);
  }
}

const writing = ({ url, module }: House, tenantId: string, entries: number): Call =>
  graphql(url, module, WRITE, { inputs: Array.from({ length: entries }, () => entry(tenantId)) });

const entry = (tenantId: string) => ({
  module: 'guardian',
  action: 'users.update',
  tenantId,
  clientId: '0196f2f0-0000-7000-8000-00000000c001',
  actorId: '0196f2f0-0000-7000-8000-00000000a002',
  actorEmail: 'ana@example.com',
  actorName: 'Ana Souza',
  resourceType: 'user',
  resourceId: '42',
  ipAddress: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  requestId: '0196f2f0-0000-7000-8000-00000000d001',
  data: { before: { role: 'viewer', active: true }, after: { role: 'editor', active: true } },
});

const idsOf = (answer: string) =>
  (JSON.parse(answer) as { data: { createLogs: { id: string }[] } }).data.createLogs.map(({ id }) => id);

/** A UUIDv7's time (RFC 9562, section 5.7): when the entry was accepted, before it was committed. */
const millisecondsOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
