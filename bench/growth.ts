import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import { graphql, median, send } from './load.ts';
import { type BenchServer, startServer } from './server.ts';
import { remove } from './writing.ts';

/** Entries of the tenant: a name of a size that is seeded, and how many that is. */
const SIZES = [
  ['10000', 10_000],
  ['100000', 100_000],
  ['1m', 1_000_000],
] as const;
const LARGEST = ['10m', 10_000_000] as const;
const WARM_UP = 300;
const TIMES = 60;

const FIELDS = `id module action severity actorId actorEmail actorName tenantId clientId resourceType resourceId data
  ipAddress userAgent requestId createdAt`;

interface Asked {
  readonly entries: number;
  /** Of an entry in the middle of the log. */
  readonly id: string;
  /** Into which is written. */
  readonly ownTenant: string;
}

/** What is asked, and one sentence of why it takes what it takes. */
const QUESTIONS: readonly (readonly [what: string, why: string, ask: (asked: Asked) => string])[] = [
  ['newest 50', 'the end of an index', () => `{ logs(first: 50) { nodes { ${FIELDS} } } }`],
  ['one entry', 'one look at the index of its month', ({ id }) => `{ log(id: "${id}") { ${FIELDS} } }`],
  [
    'page in the middle, by number',
    'counts say in which quarter of an hour it begins',
    ({ entries }) => `{ logs(first: 50, page: ${Math.max(1, entries / 100)}) { nodes { ${FIELDS} } } }`,
  ],
  [
    'filter that matches nothing',
    'an index of its field has nothing',
    () => `{ logs(filter: { query: "actor:nobody@example.org" }) { nodes { id } } }`,
  ],
  [
    'absent word',
    'one look at the index of trigrams',
    () => `{ logs(filter: { search: "zqxjkvword" }) { nodes { id } pageInfo { searchedUntil } } }`,
  ],
  [
    'errors with their exact total',
    'a sum of stored counts by sixteen days',
    () => `{ logs(filter: { severities: [ERROR] }) { nodes { id } totalCount { value } } }`,
  ],
  [
    'statistics',
    'sums of stored counts',
    () =>
      '{ logStats { totalEntries entriesBySeverity { key count } entriesByModule { key count } entriesToday } }',
  ],
  [
    'a year by the day',
    'a row of stored counts for each day and severity',
    () => '{ logStats { timeline(interval: DAY) { start count bySeverity { key count } } } }',
  ],
  [
    'most frequent actions',
    'stored counts by action and sixteen days',
    () => '{ logStats { facet(field: ACTION) { key count } } }',
  ],
  [
    'most frequent actors',
    'stored counts by actor, and a look for each name',
    () => '{ logStats { facet(field: ACTOR) { key label count } } }',
  ],
  [
    'createLog',
    'a commit of one entry and its place in the queue',
    ({ ownTenant }) =>
      `mutation { createLog(input: { module: "guardian", action: "users.update", tenantId: "${ownTenant}", resourceType: "user", resourceId: "42" }) { id } }`,
  ],
];

/**
 * How what one caller waits for grows with the number of entries, from ten thousand to a million, and to ten million where
 * `isLarge`: as a table, and drawn in docs/pictures/growth.svg. Medians in milliseconds, over HTTP.
 */
export async function growth(isLarge: boolean): Promise<string> {
  const sizes = [...SIZES, ...(isLarge ? [LARGEST] : [])];
  const series = QUESTIONS.map(([name, why]) => ({ name, why, points: [] as [number, number][] }));
  for (const [size, entries] of sizes) {
    const server = await startServer(size);
    const ownTenant = randomUUID();
    try {
      const asked = { entries, id: await idInTheMiddle(server), ownTenant };
      for (const [at, [, , ask]] of QUESTIONS.entries())
        series[at]!.points.push([entries, await medianOf(server, ask(asked))]);
    } finally {
      await remove(server, ownTenant);
      await server.close();
    }
  }
  const pictures = join(import.meta.dirname, '..', 'docs', 'pictures');
  mkdirSync(pictures, { recursive: true });
  writeFileSync(
    join(pictures, 'growth.svg'),
    drawChart({ title: 'Milliseconds until the answer, by entries of the tenant', series }),
  );
  const head = ['', ...sizes.map(([, entries]) => entries.toLocaleString('en'))];
  const rows = series.map(({ name, points }) => [name, ...points.map(([, ms]) => `${ms.toFixed(1)} ms`)]);
  return [head, ...rows]
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(34) : cell.padStart(12))).join(''))
    .join('\n');
}

async function idInTheMiddle({ sql, tenant }: BenchServer): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `select id from reel_log_entries join reel_log_sequence on entry_id = id
     where seq = (select max(seq) / 2 from reel_log_sequence where tenant_id = $1) and reel_log_sequence.tenant_id = $1`,
    [tenant.tenantId],
  );
  return rows[0]!.id;
}

async function medianOf(server: BenchServer, query: string): Promise<number> {
  const call = graphql(server.url, query.startsWith('mutation') ? server.module : server.viewer, query);
  for (let count = 0; count < WARM_UP; count += 1) await send(call);
  const times: number[] = [];
  while (times.length < TIMES) {
    const began = performance.now();
    await send(call);
    times.push(performance.now() - began);
  }
  return median(times);
}
