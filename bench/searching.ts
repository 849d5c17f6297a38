import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type Call, graphql, rounds, send } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';
import { remove } from './writing.ts';

const SEARCHES = 30;
/** Entries whose rows of the index are taken away, to see how soon they are added again. */
const REFILLED = 40_000;
/** Entries written at full speed, by so many callers, this many a call. */
const WRITTEN = Number(process.env.REEL_BENCH_WRITTEN ?? 40_000);
const CALLERS = 4;
const BATCH = 1_000;
const POLL_MS = 20;
const TIMEOUT_MS = 1_800_000;
/** As in src/log/search/groups.ts; whoever holds it keeps the index from being filled. */
const LOCK_CLASS = 7_237_535;
const GROUP_WIDTH = 16;

const LIST =
  'query ($search: String) { logs(filter: { search: $search }) { nodes { id } pageInfo { searchedUntil } } }';
const WRITE = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';

/** Searches of the seeded trail by its index, how soon that is filled, what it takes, and whether sealing notices. */
export async function searching(server: BenchServer): Promise<Line[]> {
  const { tenant } = server;
  await filled(server, tenant.tenantId);
  return [
    ...(await searches(server)),
    ...(await sizes(server)),
    await filling(server),
    await besideSealing(server),
  ];
}

async function searches(server: BenchServer): Promise<Line[]> {
  const { tenant, sql } = server;
  // Old, so that no walk from the newest entry on comes to it soon.
  const { rows } = await sql.query(
    `select id::text, request_id, actor_email from reel_log_entries
     where tenant_id = $1 and request_id is not null and actor_email is not null order by id offset 1000 limit 1`,
    [tenant.tenantId],
  );
  const { id, request_id: request, actor_email: email } = rows[0] as Record<string, string>;
  const terms: [what: string, term: string, aim?: string][] = [
    ['a rare word: a request id', request!, '<= 50 ms'],
    ['a rare word: an id', id!, '<= 50 ms'],
    ['an absent word', 'zqxjkvword', '<= 50 ms'],
    ['two words together that are nowhere', 'guardian declined card zebra', '<= 50 ms'],
    ['8 hexadecimal digits', request!.slice(0, 8)],
    ['6 hexadecimal digits', request!.slice(0, 6)],
    ['4 hexadecimal digits', request!.slice(0, 4)],
    ["an actor's e-mail address", email!],
    ['a frequent word', 'firefox'],
    ['a word of every entry', 'users'],
    ['two letters that are frequent', 'ma'],
    ['two characters that are nowhere (walked)', '§¶', 'a page within 2 s'],
  ];
  const lines: Line[] = [];
  for (const [what, term, aim] of terms) {
    const call = graphql(server.url, server.viewer, LIST, { search: term });
    const answer = JSON.parse(await send(call)) as {
      data: { logs: { nodes: unknown[]; pageInfo: { searchedUntil: string | null } } };
    };
    const { nodes, pageInfo } = answer.data.logs;
    const times = await timesOf(call);
    const at = (share: number) => times[Math.floor((times.length - 1) * share)]!;
    const note = `${nodes.length} found${pageInfo.searchedUntil ? ', looked in part' : ''}; p95 ${at(0.95).toFixed(1)} ms`;
    lines.push({ what: `${what}: p50`, reel: at(0.5), unit: 'ms', note, ...(aim ? { aim } : {}) });
  }
  return lines;
}

async function timesOf(call: Call): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + 10_000;
  while (times.length < SEARCHES && (times.length < 3 || performance.now() < end)) {
    const started = performance.now();
    await send(call);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}

async function sizes({ owner }: BenchServer): Promise<Line[]> {
  const { rows } = await owner.query(`
    select pg_table_size('reel_log_search') as rows, pg_relation_size('reel_log_search_grams') as grams,
      (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'reel_log_entries'::regclass) as entries,
      (select count(*) * ${GROUP_WIDTH} from reel_log_search) as indexed`);
  const { rows: table, grams, entries, indexed } = rows[0] as Record<string, string>;
  const mib = (bytes: number) => bytes / 2 ** 20;
  const index = Number(table) + Number(grams);
  return [
    {
      what: 'size of the index (bare: entries and their other indexes)',
      reel: mib(index),
      bare: mib(Number(entries)),
      unit: 'MiB',
      note: `${Math.round(index / Number(indexed))} bytes an entry, ${Math.round(Number(grams) / Number(indexed))} of them GIN`,
    },
  ];
}

/** How many entries a second are added, while nothing is written. */
async function filling(server: BenchServer): Promise<Line> {
  const { owner, tenant } = server;
  const { tenantId } = tenant;
  const from = Math.max(0, (await last(server, tenantId)) - REFILLED);
  await owner.query('delete from reel_log_search where tenant_id = $1 and first_seq > $2', [tenantId, from]);
  const start = await last(server, tenantId);
  while ((await last(server, tenantId)) === start) await setTimeout(POLL_MS);
  const began = performance.now();
  const first = await last(server, tenantId);
  await filled(server, tenantId);
  const entries = (await last(server, tenantId)) - first;
  return {
    what: 'entries added to the index, nothing being written',
    reel: entries / ((performance.now() - began) / 1000),
    unit: '/s',
    note: `${entries.toLocaleString('en')} entries`,
  };
}

/** Entries a second from the first one sent until all are sealed, with the filler and with it kept from its work. */
async function besideSealing(server: BenchServer): Promise<Line> {
  const behind: number[] = [];
  const run = async (isFilled: boolean) => {
    const tenantId = randomUUID();
    const lock = await server.owner.connect();
    try {
      if (!isFilled) await lock.query(`select pg_advisory_lock($1, hashtext($2))`, [LOCK_CLASS, tenantId]);
      const rate = await written(server, tenantId);
      if (isFilled) behind.push(WRITTEN - (await last(server, tenantId)));
      return rate;
    } finally {
      await lock.query('select pg_advisory_unlock_all()');
      lock.release();
      if (isFilled) await filled(server, tenantId);
      await remove(server, tenantId);
    }
  };
  const { reel, bare } = await rounds({ bare: () => run(false), reel: () => run(true) }, 3);
  return {
    what: 'entries written and sealed at full speed (bare: the index not filled)',
    reel: reel!,
    bare: bare!,
    unit: '/s',
    aim: '>= 1 / 1.3 = 0.77',
    note: `of ${WRITTEN.toLocaleString('en')}, ${behind.map((entries) => entries.toLocaleString('en')).join(', ')} were not in the index yet when all were sealed`,
  };
}

async function written(server: BenchServer, tenantId: string): Promise<number> {
  let left = WRITTEN / BATCH;
  const call = graphql(server.url, server.module, WRITE, {
    inputs: Array.from({ length: BATCH }, (_, index) => entry(tenantId, index)),
  });
  const started = performance.now();
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await send(call);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  for (;;) {
    const { rows } = await server.owner.query('select 1 from reel_log_inbox where tenant_id = $1 limit 1', [
      tenantId,
    ]);
    if (rows.length === 0) return WRITTEN / ((performance.now() - started) / 1000);
    await setTimeout(POLL_MS);
  }
}

const entry = (tenantId: string, index: number) => ({
  module: 'guardian',
  action: 'users.update',
  tenantId,
  actorId: randomUUID(),
  actorEmail: 'ana@example.com',
  actorName: 'Ana Souza',
  resourceType: 'user',
  resourceId: String(index),
  ipAddress: `203.0.113.${index % 256}`,
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  requestId: randomUUID(),
  data: { before: { role: 'viewer', active: true }, after: { role: 'editor', active: true } },
});

/** The last sequence number in the index. */
async function last({ owner }: BenchServer, tenantId: string): Promise<number> {
  const { rows } = await owner.query(
    `select coalesce(max(first_seq) + ${GROUP_WIDTH - 1}, 0)::integer as last from reel_log_search where tenant_id = $1`,
    [tenantId],
  );
  return (rows[0] as { last: number }).last;
}

/** Waits until the index has all full groups. */
async function filled(server: BenchServer, tenantId: string): Promise<void> {
  const { rows } = await server.owner.query(
    'select max(seq)::integer as size from reel_log_sequence where tenant_id = $1',
    [tenantId],
  );
  const { size } = rows[0] as { size: number };
  const end = performance.now() + TIMEOUT_MS;
  while (size - (await last(server, tenantId)) >= GROUP_WIDTH) {
    if (performance.now() > end) throw new Error('expected the search index to be filled');
    await setTimeout(POLL_MS);
  }
}
