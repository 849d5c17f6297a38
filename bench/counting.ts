import { graphql, latency, rounds, send } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const SECONDS = 0.8;
/** Until V8 has compiled what they run. */
const WARM_UP = 50;

/** Of more entries, counting them one by one takes minutes. */
const MOST_SCANNED = 2_000_000;

/** Statistics beside counting the entries one by one. */
export async function counting({ url, viewer, tenant, sql }: BenchServer): Promise<Line[]> {
  const t = `tenant_id = '${tenant.tenantId}'`;
  const totals =
    '{ totalEntries entriesBySeverity { key count } entriesByModule { key count } entriesToday entriesThisWeek }';
  const query =
    (selection: string, zone = 'UTC', filter = '') =>
    () =>
      send(graphql(url, viewer, `{ logStats(timeZone: "${zone}"${filter}) ${selection} }`));
  const scan = (columns: string) => () =>
    sql.query(`select ${columns}, count(*) from reel_log_entries where ${t} group by ${columns}`);
  const day = (zone: string) =>
    scan(`date_trunc('day', created_at at time zone '${zone}'), severity`.replace('),', ')::timestamp,'));
  const timeline = (interval: string) =>
    `{ timeline(interval: ${interval}) { start count bySeverity { key count } } }`;
  const since = new Date(Date.now() - 30 * 86_400_000).toISOString();
  const rest = { url: `${url}/api/v1/reel/logs/stats`, headers: viewer };
  const actors = 'coalesce(actor_id, actor_email_folded, actor_name)';
  const bySeverity = scan('module, severity');
  const lines: Line[] = [];
  for (const [what, aim, reel, one] of [
    ['statistics, GraphQL', '<= 10 ms', query(totals), bySeverity],
    ['statistics, REST', '<= 10 ms', () => send(rest), bySeverity],
    ['a year by the day', '<= 10 ms', query(timeline('DAY')), day('UTC')],
    ['a year by the day in Asia/Kolkata', '', query(timeline('DAY'), 'Asia/Kolkata'), day('Asia/Kolkata')],
    [
      'a month by the hour',
      '<= 10 ms',
      query(timeline('HOUR'), 'UTC', `, filter: { startDate: "${since}" }`),
      null,
    ],
    ['modules', '', query('{ facet(field: MODULE) { key count } }'), null],
    ['most frequent actions', '<= 20 ms', query('{ facet(field: ACTION) { key count } }'), scan('action')],
    [
      'most frequent actors, with their names',
      '<= 50 ms',
      query('{ facet(field: ACTOR) { key label count } }'),
      scan(actors),
    ],
  ] as const) {
    for (let count = 0; count < WARM_UP; count += 1) await reel();
    const contestants: Record<string, () => Promise<number>> = { reel: () => latency(reel, SECONDS) };
    if (one !== null && tenant.entries <= MOST_SCANNED) contestants.bare = () => latency(one, 0);
    const { reel: took = Number.NaN, bare } = await rounds(contestants, 3);
    lines.push({ what, reel: took, bare, unit: 'ms', ...(aim && { aim }) });
  }
  return lines;
}
