import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { checkInput, connect, Identifier, prepareEntry } from './built.ts';
import { runReel } from './command.ts';
import { type Call, graphql, send, throughput } from './load.ts';
import { type BenchServer, residentMib } from './server.ts';
import type { Line } from './table.ts';
import { insertRows, remove } from './writing.ts';

/** Steady writing: entries per second, for so long, entries per call. */
const RATE = 1_000;
const SECONDS = Number(process.env.SECONDS ?? 30);
const CALL = 10;
/** Writing at full speed. */
const MINUTES = Number(process.env.REEL_BENCH_MINUTES ?? 1);
const CALLERS = 4;
const BATCH = 1_000;
const BARE_SECONDS = 5;
/** How often the sequence is polled; results may be too high by as much. */
const POLL_MS = 10;
const COUNT_MS = 500;
const TIMEOUT_MS = 600_000;

const WRITE = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
const author = { kind: 'module', module: '*', ip: null, agent: null } as const;

/** How soon entries are sealed at a steady rate, and whether sealing keeps up with writing at full speed. */
export async function sealing(server: BenchServer): Promise<Line[]> {
  const tenantId = randomUUID();
  const sequence = await openSequence(server, tenantId);
  try {
    const lines = [
      ...(await steadily(server, tenantId, sequence)),
      ...(await atFullSpeed(server, tenantId, sequence)),
    ];
    const { seconds } = await runReel(server, 'verify', '--tenant', tenantId);
    return [...lines, { what: 'then reel verify of all that: ok', reel: seconds, unit: 's' }];
  } finally {
    await sequence.close();
    await remove(server, tenantId);
  }
}

/** A tenant's sealed sequence as others see it. */
interface SealedSequence {
  /** The newest sequence number. */
  last(): Promise<number>;
  waiting(): Promise<number>;
  /** Ids of the entries after this sequence number. */
  idsAfter(number: number): Promise<string[]>;
  close(): Promise<void>;
}

async function openSequence({ runtimeUrl }: BenchServer, tenantId: string): Promise<SealedSequence> {
  const client = new pg.Client({
    connectionString: runtimeUrl,
    options: `-c jit=off -c reel.tenant_id=${tenantId}`,
  });
  await client.connect();
  const select = async <T>(text: string, ...values: unknown[]) =>
    (await client.query<{ value: T }>(text, [tenantId, ...values])).rows.map((row) => row.value);
  const one = async (text: string) => Number((await select(text))[0] ?? 0);
  return {
    last: () => one('select max(seq) as value from reel_log_sequence where tenant_id = $1'),
    waiting: () => one('select count(*) as value from reel_log_inbox where tenant_id = $1'),
    idsAfter: (number) =>
      select<string>(
        'select entry_id as value from reel_log_sequence where tenant_id = $1 and seq > $2 order by seq',
        number,
      ),
    close: () => client.end(),
  };
}

/** Calls that are sent when they are due, whether or not earlier ones have returned. */
async function steadily(server: BenchServer, tenantId: string, sequence: SealedSequence): Promise<Line[]> {
  const before = await sequence.last();
  const call = writing(server, tenantId, CALL);
  const total = (RATE * SECONDS) / CALL;
  const due = new Map<string, number>();
  const polls: { at: number; last: number }[] = [];
  const began = Date.now();
  let lastResponse = began;
  const polling = (async () => {
    while ((polls.at(-1)?.last ?? 0) < before + total * CALL) {
      if (Date.now() > lastResponse + TIMEOUT_MS)
        throw new Error('expected every entry to be given its place');
      const last = await sequence.last();
      // After the query: no poll is dated before what it saw.
      polls.push({ at: Date.now(), last });
      await setTimeout(POLL_MS);
    }
  })();
  const calls: Promise<void>[] = [];
  for (let number = 0; number < total; number += 1) {
    const at = began + (number * CALL * 1000) / RATE;
    if (at > Date.now()) await setTimeout(at - Date.now());
    calls.push(
      send(call).then((text) => {
        for (const id of idsOf(text)) due.set(id, at);
        lastResponse = Date.now();
      }),
    );
  }
  await Promise.all([...calls, polling]);
  const rate = (total * CALL) / ((lastResponse - began) / 1000);
  const [lags, whole]: [number[], number[]] = [[], []];
  let poll = 0;
  for (const [index, id] of (await sequence.idsAfter(before)).entries()) {
    while (polls[poll]!.last < before + index + 1) poll += 1;
    lags.push(polls[poll]!.at - millisecondsOf(id));
    whole.push(polls[poll]!.at - due.get(id)!);
  }
  const [sorted, sortedWhole] = [lags, whole].map((values) => values.sort((a, b) => a - b));
  const at = (values: number[], share: number) => values[Math.floor((values.length - 1) * share)]!;
  const what = `${RATE.toLocaleString('en')} entries/s, from accepted to seen sealed`;
  const note = `${Math.round(rate).toLocaleString('en')}/s in calls of ${CALL} for ${SECONDS} s; looked every ${POLL_MS} ms`;
  return [
    { what: `${what}: p50`, reel: at(sorted!, 0.5), unit: 'ms', note },
    { what: `${what}: p99`, reel: at(sorted!, 0.99), unit: 'ms', aim: '<= 1,000 ms' },
    { what: `${what}: most`, reel: at(sorted!, 1), unit: 'ms' },
    { what: 'from when its call was due: p99', reel: at(sortedWhole!, 0.99), unit: 'ms' },
  ];
}

/** Callers that each send their next batch as soon as the last one returns. */
async function atFullSpeed(server: BenchServer, tenantId: string, sequence: SealedSequence): Promise<Line[]> {
  const bare = await insertOnly(server);
  const call = writing(server, tenantId, BATCH);
  const before = residentMib(server.pid);
  let peak = before;
  const backlog: { at: number; waiting: number }[] = [];
  const began = performance.now();
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      peak = Math.max(peak, residentMib(server.pid));
      backlog.push({ at: performance.now() - began, waiting: await sequence.waiting() });
      await setTimeout(COUNT_MS, undefined, { signal: done.signal }).catch(() => {});
    }
  })();
  const batches = await throughput(() => send(call), CALLERS, MINUTES * 60).finally(() => done.abort());
  const end = performance.now();
  await watching;
  const left = await sequence.waiting();
  while ((await sequence.waiting()) > 0) {
    if (performance.now() > end + TIMEOUT_MS) throw new Error('expected the inbox to become empty');
    await setTimeout(POLL_MS);
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

/** Entries per second by multi-row INSERTs into the entries table alone, never sealed. */
async function insertOnly(server: BenchServer): Promise<number> {
  const tenantId = randomUUID();
  const database = await connect(server.runtimeUrl, CALLERS + 1);
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
    await remove(server, tenantId);
  }
}

const writing = ({ url, module }: BenchServer, tenantId: string, entries: number): Call =>
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

const idsOf = (response: string) =>
  (JSON.parse(response) as { data: { createLogs: { id: string }[] } }).data.createLogs.map(({ id }) => id);

/** A UUIDv7's time (RFC 9562, section 5.7): when the entry was accepted, before it was committed. */
const millisecondsOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
