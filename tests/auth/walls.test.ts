import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const MINE = randomUUID();
const OTHER = randomUUID();
const CLIENT = randomUUID();
const REQUEST = randomUUID();
const TABLES = ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'search'].map(
  (name) => `reel_log_${name}`,
);

let reel: TestReel;
let theirs: string;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  const token = await moduleToken();
  const ids: Record<string, string> = {};
  for (const tenant of [MINE, OTHER])
    for (let at = 0; at < 3; at++) {
      const made = await reel.rest(
        token,
        'POST',
        '/logs',
        {
          module: tenant === MINE ? 'mine' : 'theirs',
          action: 'users.create',
          tenant_id: tenant,
          client_id: CLIENT,
          request_id: REQUEST,
          data: { word: 'needle' },
        },
        { 'idempotency-key': `key-${at}` },
      );
      expect(made.status).toBe(201);
      ids[tenant] = made.body.id;
    }
  theirs = ids[OTHER]!;
  // Everything has its place: nothing is left in the inbox, the counts are kept.
  await vi.waitFor(async () => {
    expect(await reel.own.query('select 1 from reel_log_inbox')).toEqual([]);
    expect(await reel.own.query('select 1 from reel_log_sequence')).toHaveLength(6);
  }, 60_000);
});
afterAll(() => reel.close());
afterEach(() => vi.restoreAllMocks());

/** Takes the condition on the tenant out of every statement that leaves for the database. */
function withoutFirstWall(): { removed: () => number } {
  let removed = 0;
  const query = pg.Client.prototype.query as (...given: unknown[]) => unknown;
  vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...given: unknown[]) {
    const without = (text: string) =>
      text.replaceAll(/(\w+\.)?tenant_id = (\$\d+)::uuid/g, (_, _table, parameter: string) => {
        removed += 1;
        return `(${parameter}::uuid is not null)`;
      });
    const [statement] = given;
    if (typeof statement === 'string') given[0] = without(statement);
    // A statement whose answer is counted while it comes is a pg.Query.
    else if (statement instanceof pg.Query && 'text' in statement && typeof statement.text === 'string')
      statement.text = without(statement.text);
    return query.apply(this, given);
  } as never);
  return { removed: () => removed };
}

describe("with the application's own wall taken away", () => {
  it('GraphQL shows, counts and finds nothing of another tenant', async () => {
    const token = await viewer(MINE);
    const wall = withoutFirstWall();
    const { body } = await reel.graphql(
      token,
      `query ($id: UUID!) {
        newest: logs { nodes { module tenantId related { tenantId } } totalCount(exact: true) { value } }
        oldest: logs(orderBy: OLDEST_FIRST, last: 2) { nodes { tenantId } }
        deep: logs(page: 2, first: 2) { nodes { tenantId } }
        found: logs(filter: { search: "needle" }) { nodes { tenantId } totalCount { value } }
        log(id: $id) { id }
        logStats {
          totalEntries entriesByModule { key count } entriesToday
          timeline { count } facet(field: MODULE) { key count }
        }
        narrow: logStats(filter: { actions: ["users.*"] }) { totalEntries facet(field: ACTION) { key count } }
      }`,
      { id: theirs },
    );
    expect(wall.removed()).toBeGreaterThan(5);
    expect(body.errors).toBeUndefined();
    const { data } = body;
    for (const list of [data.newest, data.oldest, data.deep, data.found])
      for (const node of list.nodes) expect(node.tenantId).toBe(MINE);
    expect(data.newest.nodes).toHaveLength(3);
    expect(data.newest.totalCount.value).toBe(3);
    expect(data.newest.nodes[0].related.map((each: { tenantId: string }) => each.tenantId)).toEqual([
      MINE,
      MINE,
    ]);
    expect(data.oldest.nodes).toHaveLength(2);
    expect(data.deep.nodes).toHaveLength(1);
    expect(data.found.totalCount.value).toBe(3);
    expect(data.log).toBeNull();
    expect(data.logStats).toMatchObject({
      totalEntries: 3,
      entriesByModule: [{ key: 'mine', count: 3 }],
      facet: [{ key: 'mine', count: 3 }],
    });
    expect(data.narrow).toEqual({ totalEntries: 3, facet: [{ key: 'users.create', count: 3 }] });
  });

  it('REST lists, counts, finds and exports nothing of another tenant', async () => {
    const token = await person({
      grants: [grant(MINE, 'reel.logs.view:ACCOUNT'), grant(MINE, `reel.logs.export:CLIENT:${CLIENT}`)],
    });
    const wall = withoutFirstWall();
    const list = await reel.rest(token, 'GET', '/logs');
    expect(list.body.total).toBe(3);
    expect(new Set(list.body.items.map((item: { module: string }) => item.module))).toEqual(
      new Set(['mine']),
    );
    expect((await reel.rest(token, 'GET', `/logs/${theirs}`)).status).toBe(404);
    expect((await reel.rest(token, 'GET', '/logs/stats')).body.total_entries).toBe(3);
    const made = await reel.rest(token, 'POST', '/logs/export', { format: 'json' });
    expect(made.body.record_count).toBe(3);
    const file = await (await fetch(reel.url + made.body.download_url)).json();
    expect(file.logs.map((entry: { module: string }) => entry.module)).toEqual(['mine', 'mine', 'mine']);
    expect(wall.removed()).toBeGreaterThan(3);
  });
});

/** Statements of one transaction as the server's own role, which is rolled back. */
async function asRuntime(statements: (string | [string, unknown[]])[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: reel.own.runtimeUrl });
  await client.connect();
  try {
    await client.query('begin');
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) {
      const [text, parameters] = typeof statement === 'string' ? [statement, []] : statement;
      rows = (await client.query(text, parameters)).rows;
    }
    return rows;
  } finally {
    await client.query('rollback').catch(() => {});
    await client.end();
  }
}

const asTenant = (id: string) => `set local reel.tenant_id = '${id}'`;
const PERMISSION_DENIED = '42501';
const refused = (statements: Parameters<typeof asRuntime>[0]) =>
  asRuntime(statements).then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );

describe('the row-level security of PostgreSQL', () => {
  it.each(TABLES)('%s shows the rows of the tenant that is set, and of no other', async (table) => {
    for (const id of [MINE, OTHER]) {
      const rows = await asRuntime([asTenant(id), `select distinct tenant_id from ${table}`]);
      for (const row of rows) expect(row.tenant_id).toBe(id);
    }
    expect(await asRuntime([asTenant(randomUUID()), `select * from ${table}`])).toEqual([]);
  });

  it.each(TABLES)('%s shows nothing where no tenant is set', async (table) => {
    expect(await asRuntime([`select * from ${table}`])).toEqual([]);
    expect(await asRuntime([asTenant(''), `select * from ${table}`])).toEqual([]);
    expect(await asRuntime([asTenant(MINE), 'reset reel.tenant_id', `select * from ${table}`])).toEqual([]);
  });

  it('stands on every table with a tenant that the role of the server may touch at all', async () => {
    const tables = await reel.own.query(
      `select relname::text as name, relrowsecurity as walled
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
        where relkind in ('r', 'p', 'v', 'm', 'f') and relnamespace = 'public'::regnamespace
          and has_any_column_privilege($1, c.oid, 'select, insert, update')
        order by 1`,
      [new URL(reel.own.runtimeUrl).username],
    );
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(TABLES));
    for (const table of tables) expect(table).toMatchObject({ walled: true });
  });

  it('really has rows to hide', async () => {
    for (const table of ['entries', 'sequence', 'counts', 'keys'])
      for (const id of [MINE, OTHER])
        expect(
          await reel.own.query(`select 1 from reel_log_${table} where tenant_id = $1`, [id]),
        ).not.toHaveLength(0);
  });

  it('is not gone round by a join, a count, an aggregate or a cast that fails', async () => {
    const [row] = await asRuntime([asTenant(MINE), 'select count(*)::int as n from reel_log_entries']);
    expect(row?.n).toBe(3);
    const joined = await asRuntime([
      asTenant(MINE),
      'select e.tenant_id from reel_log_sequence s join reel_log_entries e on e.id = s.entry_id',
    ]);
    expect(joined.map((each) => each.tenant_id)).toEqual([MINE, MINE, MINE]);
    // A condition that fails on another tenant's row is never tried on it.
    const leaky = `select count(*) from reel_log_entries where 1 / (length(module) - length('theirs')) < 9`;
    expect(await asRuntime([asTenant(MINE), leaky])).toHaveLength(1);
  });

  it('lets no row of a tenant be written that the transaction does not name', async () => {
    const row = (tenant: string): [string, unknown[]] => [
      'insert into reel_log_keys (tenant_id, writer, idempotency_key, entry_id, content_hash) values ($1, $2, $3, $4, $5)',
      [tenant, 'w', 'k', randomUUID(), Buffer.alloc(32)],
    ];
    const names = (...ids: string[]) => `set local reel.tenant_ids = '${ids.join(',')}'`;
    expect(await refused([names(MINE), row(MINE)])).toBe('done');
    expect(await refused([names(MINE, OTHER), row(OTHER)])).toBe('done');
    expect(await refused([names(MINE), row(OTHER)])).toBe(PERMISSION_DENIED);
    expect(await refused([asTenant(OTHER), names(MINE), row(OTHER)])).toBe(PERMISSION_DENIED);
    expect(await refused([names(), row(MINE)])).toBe(PERMISSION_DENIED);
    expect(await refused([row(MINE)])).toBe(PERMISSION_DENIED);
  });

  it("takes no other tenant's row from the inbox and changes no other tenant's count", async () => {
    const taken = await asRuntime([
      [`set local reel.tenant_ids = '${OTHER}'`, []],
      [
        'insert into reel_log_inbox (tenant_id, entry_id, leaf_hash) values ($1, $2, $3)',
        [OTHER, randomUUID(), Buffer.alloc(32)],
      ],
      asTenant(MINE),
      'delete from reel_log_inbox returning 1 as gone',
    ]);
    expect(taken).toEqual([]);
    const counted = await asRuntime([
      asTenant(MINE),
      'update reel_log_counts set count = count + 1 returning tenant_id',
    ]);
    for (const row of counted) expect(row.tenant_id).toBe(MINE);
    expect(await refused([asTenant(MINE), `update reel_log_counts set tenant_id = '${OTHER}'`])).toBe(
      PERMISSION_DENIED,
    );
  });
});

describe('the role of the server', () => {
  const APPEND_ONLY = ['entries', 'sequence', 'tiles', 'checkpoints'].map((name) => `reel_log_${name}`);

  it.each(APPEND_ONLY)('can neither change, delete nor empty %s', async (table) => {
    for (const statement of [
      `update ${table} set tenant_id = tenant_id`,
      `delete from ${table}`,
      `truncate ${table}`,
      `truncate ${table} cascade`,
      `select * from ${table} for update`,
      `drop table ${table} cascade`,
      `merge into ${table} t using (select 1) s on true when matched then delete`,
    ])
      expect([statement, await refused([asTenant(MINE), statement])]).toEqual([statement, PERMISSION_DENIED]);
  });

  it.each([...TABLES])('cannot take the security of %s away', async (table) => {
    for (const statement of [
      `alter table ${table} disable row level security`,
      `alter table ${table} no force row level security`,
      `drop policy reel_read on ${table}`,
      `create policy open on ${table} using (true)`,
      `alter policy reel_read on ${table} using (true)`,
      `alter table ${table} owner to current_user`,
      `create trigger t before insert on ${table} execute function suppress_redundant_updates_trigger()`,
      `create rule r as on insert to ${table} do instead nothing`,
      `truncate ${table}`,
    ])
      expect([statement, await refused([statement])]).toEqual([statement, PERMISSION_DENIED]);
  });

  it('reads no partition by its own name', async () => {
    const partitions = await reel.own.query(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'reel_log_entries'::regclass",
    );
    expect(partitions.length).toBeGreaterThan(1);
    for (const { name } of partitions)
      for (const statement of [
        `select * from ${name}`,
        `insert into ${name} default values`,
        `delete from ${name}`,
      ])
        expect([statement, await refused([asTenant(MINE), statement])]).toEqual([
          statement,
          PERMISSION_DENIED,
        ]);
  });

  it('sees nothing in a partition though it were granted all of it', async () => {
    await reel.own.query('grant all on reel_log_entries_default to reel');
    const [month] = await reel.own.query(
      'select tableoid::regclass::text as name from reel_log_entries limit 1',
    );
    await reel.own.query(`grant all on ${month!.name} to reel`);
    expect(await asRuntime([asTenant(MINE), `select * from ${month!.name}`])).toEqual([]);
    expect(await refused([asTenant(MINE), `insert into ${month!.name} select * from reel_log_entries`])).toBe(
      PERMISSION_DENIED,
    );
    await reel.own.query(`revoke all on ${month!.name}, reel_log_entries_default from reel`);
    const open = await reel.own.query(
      "select c.relname from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'reel_log_entries'::regclass and not c.relrowsecurity",
    );
    expect(open).toEqual([]);
  });

  it('has no rights on a partition that it had made itself', async () => {
    const made = 'select reel_ensure_month($1::timestamptz)';
    const at = ['2031-03-05T00:00:00Z'];
    expect(
      await asRuntime([
        [made, at],
        [made, at],
      ]),
    ).toEqual([{ reel_ensure_month: true }]);
    expect(await refused([[made, at], 'select * from reel_log_entries_203103'])).toBe(PERMISSION_DENIED);
    expect(await refused([[made, at], 'drop table reel_log_entries_203103'])).toBe(PERMISSION_DENIED);
  });

  it('becomes nobody else', async () => {
    const owner = new URL(reel.own.ownerUrl).username;
    const superuser = new URL(reel.own.superuserUrl).username;
    for (const statement of [
      `set role ${owner}`,
      `set role ${superuser}`,
      `set session authorization ${owner}`,
      `set session authorization ${superuser}`,
      `grant ${owner} to current_user`,
      'alter role current_user bypassrls',
      'alter role current_user superuser',
      'create role another superuser',
    ])
      expect([statement, await refused([statement])]).toEqual([statement, PERMISSION_DENIED]);
    // Asking for row-level security to be off is answered with an error, never with the rows.
    expect(await refused(['set local row_security = off', 'select * from reel_log_entries'])).toBe(
      PERMISSION_DENIED,
    );
  });

  it('makes nothing of its own where names are looked up, and reads no files', async () => {
    for (const statement of [
      'create table public.mine (a int)',
      'create schema mine',
      'create function public.mine() returns int language sql as $$ select 1 $$',
      `select pg_read_file('/etc/passwd')`,
      `copy (select 1) to '/tmp/mine'`,
      `copy (select 1) to program 'true'`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user and usename is not null`,
    ])
      expect([statement, await refused([statement])]).toEqual([statement, PERMISSION_DENIED]);
  });

  it('gets by the functions that run as the owner no more than tenants that wait and ids of its tenant', async () => {
    const functions = await reel.own.query(
      "select proname::text as name, proconfig::text[] as config, prosrc as body from pg_proc where prosecdef and pronamespace = 'public'::regnamespace order by 1",
    );
    expect(functions.map(({ name }) => name)).toEqual([
      'reel_due_streams',
      'reel_due_streams_on_node',
      'reel_ensure_month',
      'reel_lagging_streams',
      'reel_lagging_streams_on_node',
      'reel_search_backlog',
      'reel_search_backlog_on_node',
      'reel_search_candidates',
      'reel_waiting_logs',
      'reel_waiting_on_node',
      'reel_waiting_tenants',
    ]);
    const paths = await reel.own.query(
      "select proname::text as name from pg_proc where proname like 'reel\\_%' and not proconfig @> array['search_path=pg_catalog, pg_temp']",
    );
    expect(paths).toEqual([]);
    for (const { config, body } of functions) {
      expect(config).toContain('search_path=pg_catalog, pg_temp');
      // A name of Reel's own is found in the schema that it is said to be in, and nowhere else.
      expect(String(body)).not.toMatch(/(?<![."'\w])reel_\w+(?!\.tenant)/);
    }
    // Only those with something in the inbox, and nothing but their ids.
    const stranger = randomUUID();
    const rows = await asRuntime([
      `set local reel.tenant_ids = '${stranger}'`,
      [
        'insert into reel_log_inbox (tenant_id, entry_id, leaf_hash) values ($1, $2, $3)',
        [stranger, randomUUID(), Buffer.alloc(32)],
      ],
      'select * from reel_waiting_tenants(10) as waiting',
    ]);
    expect(rows).toEqual([{ waiting: stranger }]);
    const entry = randomUUID();
    const logs = await asRuntime([
      `set local reel.tenant_ids = '${stranger}'`,
      [
        'insert into reel_log_inbox (tenant_id, entry_id, leaf_hash) values ($1, $2, $3)',
        [stranger, entry, Buffer.alloc(32)],
      ],
      'select * from reel_waiting_logs(10, 10)',
    ]);
    expect(logs).toEqual([{ tenant_id: stranger, oldest: entry, entries: 1, silent_node: null }]);
    // Of streams ids, how far they are, and what kind of error there was, without what the receiver said.
    const id = randomUUID();
    const stream = (functionCall: string) =>
      asRuntime([
        `set local reel.tenant_id = '${MINE}'`,
        [
          `insert into reel_streams (tenant_id, id, name, kind, format, query, settings, state, run, position, previous, last_error, created_at)
            values ($1, $2, 'its name', 'WEBHOOK', 'REEL', '', '{}', 'RUNNING', 1, 1, 1, '503 its words', now())`,
          [MINE, id],
        ],
        `set local reel.tenant_id = '${stranger}'`,
        functionCall,
      ]);
    expect(await stream('select * from reel_due_streams(10)')).toEqual([{ tenant_id: MINE, id }]);
    expect(await stream('select * from reel_lagging_streams(10)')).toEqual([
      {
        id,
        kind: 'WEBHOOK',
        state: 'RUNNING',
        position: '1',
        last: '3',
        oldest: expect.any(String),
        error: '503',
      },
    ]);
    for (const table of ['reel_streams', 'reel_stream_parked'])
      expect(await stream(`select * from ${table}`)).toEqual([]);
  });

  it('neither sees, nor makes, nor changes views of another tenant than the one it is about', async () => {
    const insert: [string, unknown[]] = [
      `insert into reel_views (tenant_id, id, owner_id, shared, name, query, columns, order_by, updated_at)
        values ($1, $2, 'ana', true, 'its name', '', '[]', 'NEWEST_FIRST', now())`,
      [MINE, randomUUID()],
    ];
    const switched = (tenantId: string, ...steps: string[]) =>
      asRuntime([
        `set local reel.tenant_id = '${MINE}'`,
        insert,
        `set local reel.tenant_id = '${tenantId}'`,
        ...steps,
      ]);
    expect(await switched(MINE, 'select name from reel_views')).toEqual([{ name: 'its name' }]);
    for (const statement of [
      'select * from reel_views',
      `update reel_views set name = 'taken' returning id`,
      'delete from reel_views returning id',
    ])
      expect([statement, await switched(randomUUID(), statement)]).toEqual([statement, []]);
    expect(await refused([`set local reel.tenant_id = '${randomUUID()}'`, insert])).toBe(PERMISSION_DENIED);
  });

  it('sees, where it seals several tenants, those alone, and nothing of them where it only writes', async () => {
    for (const table of ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts']) {
      const select = `select distinct tenant_id from reel_log_${table}`;
      const [one] = await asRuntime([`set local reel.sealing_ids = '${MINE}'`, select]);
      expect([undefined, MINE]).toContain(one?.tenant_id);
      for (const setting of [
        `reel.sealing_ids = '${randomUUID()},${randomUUID()}'`,
        `reel.sealing_ids = ''`,
        `reel.tenant_ids = '${MINE}'`,
      ])
        expect(await asRuntime([`set local ${setting}`, select])).toEqual([]);
    }
    expect(
      await asRuntime([
        `set local reel.sealing_ids = '${MINE}'`,
        `update reel_log_counts set count = count + 1 where tenant_id <> '${MINE}' returning 1`,
      ]),
    ).toEqual([]);
  });

  it('finds candidates of a search in the tenant that is set and in no other', async () => {
    const candidates = `select id from reel_search_candidates('{1}', 100) id`;
    const mine = await reel.own.query('select id from reel_log_entries where tenant_id = $1', [MINE]);
    const found = await asRuntime([asTenant(MINE), candidates]);
    expect(found.map(({ id }) => id).sort()).toEqual(mine.map(({ id }) => id).sort());
    expect(await asRuntime([asTenant(randomUUID()), candidates])).toEqual([]);
    expect(await asRuntime([asTenant(''), candidates])).toEqual([]);
    expect(await asRuntime([candidates])).toEqual([]);
  });

  it('is not led astray by names of its own in the temporary schema', async () => {
    const rows = await asRuntime([
      `create temporary table reel_log_inbox (tenant_id uuid, entry_id uuid, leaf_hash bytea)`,
      [`insert into pg_temp.reel_log_inbox values ($1, $1, null)`, [randomUUID()]],
      'select * from reel_waiting_tenants(10)',
    ]);
    expect(rows).toEqual([]);
  });

  it('leaves nobody else a way in', async () => {
    const grants = await reel.own.query(
      "select table_name, grantee from information_schema.role_table_grants where table_name like 'reel%' and grantee not in ($1, $2)",
      [new URL(reel.own.ownerUrl).username, new URL(reel.own.runtimeUrl).username],
    );
    expect(grants).toEqual([]);
  });
});
