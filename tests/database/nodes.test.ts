import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

/**
 * The functions that ask each node of a Citus cluster by itself, on plain PostgreSQL with what they use of Citus' catalogue: two nodes, each with
 * a shard of each table. tests/operations/citus.test.ts has the same on a cluster, where one is named.
 */

const TABLES = [
  'reel_streams',
  'reel_log_sequence',
  'reel_stream_parked',
  'reel_log_inbox',
  'reel_log_search',
];
const QUESTIONS = [
  'select * from reel_due_streams(100)',
  'select * from reel_lagging_streams(100)',
  'select * from reel_search_backlog(100) order by tenant_id',
  'select tenant_id, oldest, entries from reel_waiting_logs(100, 10) where silent_node is null order by oldest',
];
const [NEAR, FAR] = [randomUUID(), randomUUID()];

let own: TestDatabase;
/** Of each question, from the tables as they are on one PostgreSQL. */
let plain: Record<string, unknown>[][];
const ask = (question: string) => own.query(question, [], 'runtime');
const asSuperuser = (sql: string) => own.query(sql, [], 'superuser');

/** A stream that is due, one that is not, one that is paused, and one with an entry that is to be sent again, of a tenant with 40 entries. */
async function fill(node: number, tenant: string): Promise<void> {
  await own.query(`
    insert into reel_log_sequence_${node} (tenant_id, seq, entry_id, leaf_hash) select '${tenant}', n, gen_random_uuid(), '' from generate_series(1, 40) n;
    insert into reel_log_inbox_${node} (tenant_id, entry_id, leaf_hash) select '${tenant}', gen_random_uuid(), '' from generate_series(1, 3) n`);
  for (const [index, [state, position, error]] of [
    ['RUNNING', 17, '503 no, said ana@example.com'],
    ['FAILING', 40, null],
    ['PAUSED', 3, null],
    ['RUNNING', 40, 'went wrong'],
  ].entries()) {
    const id = randomUUID();
    await own.query(
      `insert into reel_streams_${node} (tenant_id, id, name, kind, format, query, settings, state, run, position, previous, last_error,
         last_delivered_at, created_at)
       values ($1, $2, 'a "stream"', 'WEBHOOK', 'REEL', '', '{}', $3, 1, $4, $4, $5, now() - make_interval(secs => $6), now())`,
      [tenant, id, state, position, error, node * 10 + index],
    );
    if (index === 3)
      await own.query(
        `insert into reel_stream_parked_${node} (tenant_id, stream_id, seq, entry_id, reason, parked_at, retry)
         values ($1, $2, 5, gen_random_uuid(), '', now(), true)`,
        [tenant, id],
      );
  }
}

beforeAll(async () => {
  own = await createDatabase();
  // In the table's own name by inheritance, as a cluster shows the rows of its shards.
  for (const table of TABLES)
    for (const node of [1, 2])
      await own.query(`create table ${table}_${node} (like ${table} including all) inherits (${table})`);
  await fill(1, NEAR);
  await fill(2, FAR);
  plain = await Promise.all(QUESTIONS.map(ask));
  const catalogue = TABLES.flatMap((table) =>
    [1, 2].map((node) => `('${table}'::regclass, ${node}, '${node}')`),
  );
  await asSuperuser(`
    set allow_system_table_mods = on;
    create table pg_catalog.pg_dist_partition as select t::regclass as logicalrelid, 'h' as partmethod from unnest(array['${TABLES.join("','")}']) t;
    create table pg_catalog.pg_dist_shard as select * from (values ${catalogue}) v(logicalrelid, shardid, shardminvalue);
    create table pg_catalog.pg_dist_placement as select n as shardid, n as groupid from generate_series(1, 2) n;
    create table pg_catalog.pg_dist_node as select n as nodeid, 'node' || n as nodename, 5432 as nodeport from generate_series(1, 2) n;
    create table pg_catalog.pg_dist_local_group (groupid integer);
    create table pg_catalog.silent_node (nodeid integer);
    create function pg_catalog.run_command_on_all_nodes(command text) returns table (nodeid integer, success boolean, result text)
    language plpgsql security definer as $$
      begin
        for nodeid in select n.nodeid from pg_catalog.pg_dist_node n order by 1 loop
          success := not exists (select from pg_catalog.silent_node s where s.nodeid = run_command_on_all_nodes.nodeid);
          delete from pg_catalog.pg_dist_local_group;
          insert into pg_catalog.pg_dist_local_group values (nodeid);
          result := 'connection refused';
          if success then
            execute command into result;
          end if;
          return next;
        end loop;
      end
    $$;
    grant select on pg_catalog.pg_dist_partition, pg_catalog.pg_dist_shard, pg_catalog.pg_dist_placement, pg_catalog.pg_dist_node,
      pg_catalog.pg_dist_local_group to public`);
});
afterAll(() => own?.drop());

describe.each(QUESTIONS.map((question, at) => [question, at] as const))('%s', (question, at) => {
  test('answers of all nodes what it answers of one PostgreSQL, in the same order', async () => {
    expect(plain[at]!.length).toBeGreaterThan(1);
    expect(await ask(question)).toEqual(plain[at]);
  });

  test('answers of the nodes that are there where one is silent', async () => {
    await asSuperuser('insert into pg_catalog.silent_node values (2)');
    try {
      const ofNear = await own.query('select id from reel_streams where tenant_id = $1', [NEAR]);
      const near = [NEAR, ...ofNear.map(({ id }) => id)];
      const isNear = ({ tenant_id: tenant, id }: Record<string, unknown>) => near.includes(tenant ?? id);
      expect(plain[at]!.some(isNear)).toBe(true);
      expect(await ask(question)).toEqual(plain[at]!.filter(isNear));
    } finally {
      await asSuperuser('delete from pg_catalog.silent_node');
    }
  });
});

test('a silent node is named', async () => {
  await asSuperuser('insert into pg_catalog.silent_node values (1)');
  expect(
    await ask('select silent_node from reel_waiting_logs(100, 10) where silent_node is not null'),
  ).toEqual([{ silent_node: 'node1:5432: connection refused' }]);
});
