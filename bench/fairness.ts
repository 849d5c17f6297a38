import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { type Call, graphql, send } from './load.ts';
import { CLIENT, KINDS, type Kind, type Saturation, type Served, writing } from './saturate.ts';
import type { BenchServer } from './server.ts';
import { type Line, table } from './table.ts';
import { remove } from './writing.ts';

const SECONDS = Number(process.env.SECONDS ?? 20);
/** The neighbour reads and writes so often, whether or not earlier calls have returned. */
const PERIOD_MS = 100;
const POLL_MS = 5;
/** Entries that the saturating tenant has at the beginning. */
const ENTRIES = 60_000;
const CALL = 1_000;
/** Many tenants that write, each one entry at a time. */
const [TENANTS, RATE, MANY_SECONDS] = [5_000, 1_500, 30];

const FACTOR = 5;
const MOST_MS = 500;

interface Figures {
  read: number[];
  write: number[];
  /** From the response to a write until the entry is seen sealed. */
  sealing: number[];
  /** Calls that failed. */
  faults: string[];
}

/** One tenant's latencies alone, and beside another that asks for as much as it can get in one way and in all. */
export async function fairness(server: BenchServer): Promise<Line[]> {
  const [busy, quiet] = [randomUUID(), randomUUID()];
  const saturation: Saturation = {
    url: server.url,
    kinds: [],
    tenantId: busy,
    viewer: await server.viewerOf(busy),
    exporter: await server.exporterOf(busy, CLIENT),
    module: await server.moduleNamed('guardian'),
  };
  const neighbour = await openNeighbour(server, quiet);
  try {
    for (let stored = 0; stored < ENTRIES; stored += CALL) await send(writing(saturation, CALL));
    for (let stored = 0; stored < 2 * CALL; stored += CALL)
      await send(writing({ ...saturation, tenantId: quiet }, CALL));
    await neighbour.settle();
    const alone = await neighbour.measure(SECONDS);
    const lines = linesOf('alone', alone, null, '');
    report(lines);
    for (const kinds of [...KINDS.map((kind) => [kind]), [...KINDS]] as Kind[][]) {
      const { figures, note } = await beside({ ...saturation, kinds }, neighbour);
      const besides = linesOf(kinds.length > 1 ? 'all of these' : kinds[0]!, figures, alone, note);
      report(besides);
      lines.push(...besides);
      await neighbour.settle();
    }
    return [...lines, ...(await manyTenants(server))];
  } finally {
    await neighbour.close();
    for (const tenantId of [busy, quiet]) await remove(server, tenantId);
  }
}

async function beside(
  saturation: Saturation,
  neighbour: Neighbour,
): Promise<{ figures: Figures; note: string }> {
  const worker = new Worker(new URL('./saturate.ts', import.meta.url), { workerData: saturation });
  try {
    await setTimeout(2_000);
    const figures = await neighbour.measure(SECONDS);
    worker.postMessage('served');
    const [{ done, refused }] = (await once(worker, 'message')) as [Served];
    const count = (of: Record<Kind, number>) =>
      saturation.kinds.map((kind) => of[kind].toLocaleString('en')).join(' + ');
    const { faults } = figures;
    const own = faults.length > 0 ? `; ${faults.length} own calls failed: ${faults[0]}` : '';
    return { figures, note: `meanwhile ${count(done)} served, ${count(refused)} refused${own}` };
  } finally {
    await worker.terminate();
  }
}

/** As it comes, since the whole takes some minutes. */
const report = (lines: readonly Line[]) => process.stderr.write(`${table(lines)}\n\n`);

interface Neighbour {
  measure(seconds: number): Promise<Figures>;
  /** Until nothing is left to seal. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

async function openNeighbour(server: BenchServer, tenantId: string): Promise<Neighbour> {
  const read = graphql(
    server.url,
    await server.viewerOf(tenantId),
    '{ logs(first: 50) { nodes { id module action severity actorEmail data createdAt sequence } } }',
  );
  const write = graphql(
    server.url,
    await server.moduleNamed('billing'),
    'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
    { input: { module: 'billing', action: 'invoices.void', tenantId, resourceId: '42' } },
  );
  const client = new pg.Client({
    connectionString: server.runtimeUrl,
    options: `-c jit=off -c reel.tenant_id=${tenantId}`,
  });
  await client.connect();
  return {
    measure: async (seconds) => {
      const figures: Figures = { read: [], write: [], sealing: [], faults: [] };
      const waiting = new Map<string, number>();
      const over = new AbortController();
      const watching = (async () => {
        while (!over.signal.aborted || waiting.size > 0) {
          const { rows } = await client.query(
            'select entry_id from reel_log_sequence where tenant_id = $1 and entry_id = any ($2::uuid[])',
            [tenantId, [...waiting.keys()]],
          );
          for (const { entry_id } of rows) {
            figures.sealing.push(performance.now() - waiting.get(entry_id)!);
            waiting.delete(entry_id);
          }
          await setTimeout(POLL_MS);
        }
      })();
      const timed = async (times: number[], work: () => Promise<string>) => {
        const start = performance.now();
        const text = await work();
        times.push(performance.now() - start);
        return text;
      };
      const calls: Promise<unknown>[] = [];
      for (const end = performance.now() + seconds * 1_000; performance.now() < end; ) {
        const wrote = timed(figures.write, () => send(write)).then((text) => {
          const { data } = JSON.parse(text) as { data: { createLog: { id: string } } };
          waiting.set(data.createLog.id, performance.now());
        });
        for (const call of [timed(figures.read, () => send(read)), wrote])
          calls.push(
            call.catch((error: Error) => {
              figures.faults.push(error.message);
            }),
          );
        await setTimeout(PERIOD_MS);
      }
      await Promise.all(calls);
      over.abort();
      await watching;
      return figures;
    },
    settle: async () => {
      while (Number((await server.owner.query('select count(*) from reel_log_inbox')).rows[0].count) > 0)
        await setTimeout(100);
    },
    close: () => client.end(),
  };
}

const at = (times: readonly number[], share: number): number => {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
};

/** `bare` is alone. */
function linesOf(beside: string, figures: Figures, alone: Figures | null, note: string): Line[] {
  return (['read', 'write', 'sealing'] as const).flatMap((what) => {
    const [own, other] = [figures[what], alone?.[what]];
    const line = (share: number): Line => ({
      what: `${alone ? 'beside ' : ''}${beside}: ${what} p${share * 100}`,
      reel: at(own, share),
      ...(other ? { bare: at(other, share) } : {}),
      unit: 'ms',
    });
    const aim = `<= ${FACTOR} times, ${MOST_MS} ms`;
    return [line(0.5), { ...line(0.99), ...(alone ? { aim } : {}), ...(what === 'read' ? { note } : {}) }];
  });
}

/** How long entries wait to be sealed while very many tenants write. */
async function manyTenants(server: BenchServer): Promise<Line[]> {
  const tenants = Array.from({ length: TENANTS }, () => randomUUID());
  const input = (tenantId: string) => ({ module: 'guardian', action: 'users.update', tenantId });
  const mutation = 'mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { entry { id } } }';
  const module = await server.moduleNamed('guardian');
  const each = 50;
  const seen = { most: 0, backlog: 0, looks: 0 };
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const { rows } = await server.owner.query(
        // Not those of the tenant before, which may have waited long to be written.
        'select count(*) as entries, min(entry_id::text) as oldest from reel_log_inbox where tenant_id = any ($1::uuid[])',
        [tenants],
      );
      const { oldest } = rows[0] as { oldest: string | null };
      if (oldest) seen.most = Math.max(seen.most, Date.now() - millisecondsOf(oldest));
      seen.backlog = Math.max(seen.backlog, Number(rows[0].entries));
      seen.looks += 1;
      await setTimeout(50, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  const calls: Promise<unknown>[] = [];
  const began = performance.now();
  for (let number = 0; number < (RATE * MANY_SECONDS) / each; number += 1) {
    const due = began + (number * each * 1_000) / RATE;
    if (due > performance.now()) await setTimeout(due - performance.now());
    const inputs = Array.from({ length: each }, (_, at) => input(tenants[(number * each + at) % TENANTS]!));
    calls.push(insist(graphql(server.url, module, mutation, { inputs })));
  }
  await Promise.all(calls);
  const rate = (RATE * MANY_SECONDS) / ((performance.now() - began) / 1_000);
  over.abort();
  await watching;
  for (;;) {
    const { rows } = await server.owner.query('select count(*) from reel_log_inbox');
    if (Number(rows[0].count) === 0) break;
    await setTimeout(100);
  }
  for (const table of ['entries', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'search'])
    await server.owner.query(`delete from reel_log_${table} where tenant_id = any ($1::uuid[])`, [tenants]);
  return [
    {
      what: `${TENANTS.toLocaleString('en')} tenants writing: longest wait of an entry to be sealed`,
      reel: seen.most,
      unit: 'ms',
      aim: '<= 5,000 ms',
      note: `${Math.round(rate).toLocaleString('en')} entries/s for ${MANY_SECONDS} s, looked ${seen.looks} times, at most ${seen.backlog.toLocaleString('en')} waiting`,
    },
  ];
}

/** Again and again where the queue is full. */
async function insist(call: Call): Promise<void> {
  for (;;)
    try {
      await send(call);
      return;
    } catch (error) {
      if (!String(error).includes('OVERLOADED')) throw error;
      await setTimeout(200);
    }
}

/** A UUIDv7's time (RFC 9562, section 5.7): when the entry was accepted. */
const millisecondsOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
