import { randomUUID } from 'node:crypto';
import { CompiledQuery } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import type { Database, ReadDatabase } from '../../src/database/database.js';
import { compile, type Execute, type Row, type TextRow } from '../../src/database/execute.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { type Criteria, toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { LogOrder } from '../../src/log/read/page.js';
import { LogReader } from '../../src/log/read/reader.js';
import { forgetStatistics, storeMany } from '../support/many-entries.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const COUNT = Number(process.env.COUNT ?? 40_000);
const [tenantId, clientId] = [randomUUID(), randomUUID()];
const newest = new Date(Date.now() - 3_600_000);
let own: TestDatabase;
let database: Database;

beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl);
  await storeMany(own, { tenantId, clientId, count: COUNT, newest });
}, 300_000);
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** Rows that the scans of a plan read, and the scans. */
function scans(node: PlanNode): { rows: number; names: string[] } {
  const inner = (node.Plans ?? []).map(scans);
  const own = node['Relation Name']
    ? (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
    : 0;
  const name = node['Relation Name']
    ? [`${node['Node Type']} ${node['Index Name'] ?? node['Relation Name']} ${own}`]
    : [];
  return {
    rows: own + inner.reduce((sum, { rows }) => sum + rows, 0),
    names: [...(own > 0 ? name : []), ...inner.flatMap(({ names }) => names)],
  };
}

const literal = (value: unknown): string =>
  Array.isArray(value)
    ? pg.escapeLiteral(`{${value.map((each) => JSON.stringify(String(each))).join()}}`)
    : pg.escapeLiteral(String(value));

/** Runs reads as the database would, and notes what the plan of each of their statements reads. */
function explained(seen: { rows: number; names: string[]; sql: string }[]): ReadDatabase {
  return {
    query: (tenant, statement, options) =>
      database.read(
        tenant,
        async (execute) => {
          const { sql, parameters } = compile(statement);
          // What is kept has one plan for any parameters.
          const mode = options?.isKept ? 'force_generic_plan' : 'force_custom_plan';
          for (const setting of [`plan_cache_mode = ${mode}`, 'enable_seqscan = off'])
            await execute(CompiledQuery.raw(`set local ${setting}`));
          await execute(CompiledQuery.raw(`prepare noted as ${sql}`));
          const given = parameters.length > 0 ? `(${parameters.map(literal).join()})` : '';
          const [row] = await execute<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
            CompiledQuery.raw(`explain (analyze, timing off, format json) execute noted${given}`),
          );
          await execute(CompiledQuery.raw('deallocate noted'));
          seen.push({ ...scans(row!['QUERY PLAN'][0].Plan), sql });
          return execute(statement);
        },
        options,
      ),
    read: (tenant, work, options) =>
      database.read(
        tenant,
        (execute) => {
          const noting: Execute = async <R extends Row | TextRow>(statement: Parameters<Execute>[0]) => {
            const { sql, parameters } = compile(statement);
            const [row] = await execute<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
              CompiledQuery.raw(`explain (analyze, timing off, format json) ${sql}`, [...parameters]),
            );
            seen.push({ ...scans(row!['QUERY PLAN'][0].Plan), sql });
            return execute<R>(statement);
          };
          return work(noting);
        },
        options,
      ),
  };
}

const FILTERS: Record<string, LogFilter> = {
  everything: {},
  'a frequent module': { modules: ['common'] },
  'a rare module': { modules: ['rare'] },
  'a rare module and a severity': { modules: ['rare'], severities: ['CRITICAL'] as never },
  errors: { minSeverity: LogSeverity.ERROR },
  'a severity and an absent actor': { severities: [LogSeverity.CRITICAL], actorIds: ['nobody'] },
  'a rare actor': { actorIds: ['somebody'] },
  'a rare actor and a frequent module': { actorIds: ['somebody'], modules: ['common', 'rare'] },
  'an absent actor': { actorIds: ['nobody'] },
  'several actors': { actorIds: ['somebody', 'nobody', 'actor-3'] },
  'one resource': { resourceType: 'invoice', resourceId: 'invoice-77' },
  'one request': { requestId: 'request-4711' },
  'an address': { ipAddress: '10.0.7.7' },
  'a block of addresses': { ipAddress: '10.0.7.0/24' },
  'an absent block of addresses': { ipAddress: '192.168.0.0/16' },
  'actions below a name': { actions: ['users.*'] },
  'absent actions below a name': { actions: ['roles.*'] },
};

describe.each([
  ['as they come', null],
  ['of tables never analysed', false],
  ['that say that all is empty', true],
])('with statistics %s', (_name, zero) => {
  beforeAll(async () => {
    if (zero !== null) await forgetStatistics(own, zero);
  });

  const criteria = (filter: LogFilter): Criteria =>
    toCriteria({ tenantId, clients: null }, filter, new Date());
  const read = async (work: (reader: LogReader) => Promise<unknown>) => {
    const seen: { rows: number; names: string[]; sql: string }[] = [];
    await work(new LogReader(explained(seen), 50, { searchMs: 30_000 }));
    return seen;
  };

  test.each(Object.entries(FILTERS))('a page of %s reads few rows', async (_filter, filter) => {
    for (const orderBy of [LogOrder.NEWEST_FIRST, LogOrder.OLDEST_FIRST]) {
      const seen = await read((reader) => reader.list(criteria(filter), { first: 50, orderBy }));
      if (process.env.SHOW)
        console.log(
          _filter,
          orderBy,
          JSON.stringify(
            seen.map(({ rows, names }) => ({ rows, names })),
            null,
            1,
          ),
        );
      for (const { rows, sql, names } of seen)
        expect(rows, `${sql}\n${names.join('\n')}`).toBeLessThan(12_000);
    }
  });

  test('a count from the counts reads few rows', async () => {
    const startDate = new Date(newest.getTime() - 10_000_000).toISOString();
    const seen = await read(async (reader) => {
      await reader.count(criteria({ modules: ['rare'] }), 'exact');
      await reader.count(criteria({ startDate, minSeverity: LogSeverity.ERROR }), 'exact');
    });
    for (const { rows, sql, names } of seen) expect(rows, `${sql}\n${names.join('\n')}`).toBeLessThan(5_000);
  });

  test('counting, exporting and following read each row a few times', async () => {
    const scope = { tenantId, clients: [clientId] };
    for (const filter of [{}, { notActions: ['none'] }, { actions: ['users.*'] }]) {
      const seen = await read(async (reader) => {
        expect(await reader.countSequenced(toCriteria(scope, filter, new Date()), COUNT)).toBe(COUNT / 2);
      });
      const rows = seen.reduce((sum, each) => sum + each.rows, 0);
      expect(rows, seen.map(({ names }) => names.join()).join('\n')).toBeLessThan(COUNT * 6);
    }
    const seen = await read(async (reader) => {
      let count = 0;
      for await (const batch of reader.streamSequenced(criteria({}), 3_000, 1_000)) {
        expect(batch.length).toBeLessThanOrEqual(1_000);
        count += batch.length;
      }
      expect(count).toBe(3_000);
    });
    for (const { rows, sql } of seen) expect(rows, sql).toBeLessThan(1_100);
  });

  test('related entries and single ones are looked up', async () => {
    const seen = await read(async (reader) => {
      const { entries } = await reader.list(criteria({}), { first: 50 });
      await reader.byIds(
        { tenantId, clients: null },
        entries.map(({ id }) => id),
      );
      await reader.byRequests(
        { tenantId, clients: null },
        entries.map(({ requestId }) => requestId!),
        20,
      );
    });
    for (const { rows, sql } of seen) expect(rows, sql).toBeLessThan(300);
  });
});
