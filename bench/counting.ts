import { graphql, latency, rounds, send } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const SECONDS = 0.8;

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
  const found = await rounds(
    {
      totals: () => latency(query(totals), SECONDS),
      rest: () => latency(() => send({ url: `${url}/api/v1/reel/logs/stats`, headers: viewer }), SECONDS),
      totalsSql: () => latency(scan('module, severity'), 0),
      utc: () =>
        latency(query('{ timeline(interval: DAY) { start count bySeverity { key count } } }'), SECONDS),
      half: () =>
        latency(
          query('{ timeline(interval: DAY) { start count bySeverity { key count } } }', 'Asia/Kolkata'),
          SECONDS,
        ),
      halfSql: () => latency(day('Asia/Kolkata'), 0),
      facet: () => latency(query('{ facet(field: MODULE) { key count } }'), SECONDS),
      facetScan: () => latency(query('{ facet(field: ACTION) { key count } }'), 0),
      facetSql: () => latency(scan('action'), 0),
      actors: () => latency(query('{ facet(field: ACTOR) { key label count } }'), 0),
      actorsSql: () => latency(scan('coalesce(actor_id, actor_email_folded, actor_name)'), 0),
    },
    3,
  );
  const aim = 'under 25 ms';
  return [
    { what: 'statistics, GraphQL', reel: found.totals, bare: found.totalsSql, unit: 'ms', aim },
    { what: 'statistics, REST', reel: found.rest, bare: found.totalsSql, unit: 'ms', aim },
    { what: 'a year by DAY in UTC', reel: found.utc, unit: 'ms' },
    { what: 'a year by DAY in Asia/Kolkata', reel: found.half, bare: found.halfSql, unit: 'ms' },
    { what: 'modules', reel: found.facet, unit: 'ms' },
    {
      what: 'most frequent actions',
      reel: found.facetScan,
      bare: found.facetSql,
      unit: 'ms',
    },
    {
      what: 'most frequent actors, with their names',
      reel: found.actors,
      bare: found.actorsSql,
      unit: 'ms',
    },
  ];
}
