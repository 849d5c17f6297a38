import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATION_NAMES } from '../../src/database/migration-names.js';
import type { MigrationDriver } from '../../src/database/migrations/migration.js';
import { MIGRATIONS } from '../../src/database/pending.js';
import { ensureRuntimeRole } from '../../src/database/roles.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { Receiver } from '../support/receiver.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';
import { StreamCalls, store } from '../support/streams.js';

/** As docs/operations.md has it: a release runs on the schema of the one after it, and says what the one before lacks. */

const LATER = 'Migration29991231000000_later';
const NEWEST = MIGRATION_NAMES.at(-1)!;

describe('on the schema of the release after', () => {
  const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
  let reel: TestReel;
  let token: string;
  let reader: string;
  beforeAll(async () => {
    const own = await createDatabase();
    await expand(own);
    reel = await startReel({ REEL_AUDIT_READS: 'all' }, own);
    token = await moduleToken();
    reader = await person({
      grants: ['reel.logs.view:ACCOUNT', `reel.logs.export:CLIENT:${CLIENT}`].map((text) =>
        grant(TENANT, text),
      ),
    });
  });
  afterAll(() => reel?.close());

  /** Adds what migrations may add: columns to every table, a table of tenants, an index, a function. */
  async function expand(own: TestDatabase): Promise<void> {
    const tables = await own.query(
      `select relname::text as name from pg_class where relname like 'reel\\_%' and relkind in ('r', 'p') and not relispartition
         and relnamespace = current_schema()::regnamespace and relname <> 'reel_migrations'`,
    );
    expect(tables.length).toBeGreaterThan(15);
    for (const { name } of tables)
      await own.query(
        `alter table ${name} add column later_text text, add column later_flag boolean not null default false, add column later_json jsonb`,
      );
    const runtime = new URL(own.runtimeUrl).username;
    for (const statement of [
      `create table reel_later (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id))`,
      `alter table reel_later enable row level security`,
      `create policy reel_tenant on reel_later using (tenant_id = nullif(current_setting('reel.tenant_id', true), '')::uuid)`,
      `grant select, insert on reel_later to ${runtime}`,
      `create index reel_later_entries on reel_log_entries (tenant_id, later_text)`,
      `create function reel_later(most integer) returns integer language sql as 'select most'`,
      `insert into reel_migrations (name) values ('${LATER}')`,
    ])
      await own.query(statement);
  }
  const rest = (method: string, path: string, body?: unknown) =>
    reel.rest(method === 'GET' || path === '/logs/export' ? reader : token, method, path, body);
  const sealed = () => expect.poll(() => reel.own.query('select 1 from reel_log_inbox')).toEqual([]);

  test('it starts, is ready, writes, lists, searches, counts, exports, proves and streams', async () => {
    expect((await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    const receiver = await Receiver.start();
    try {
      const entries = [1, 2, 3].map((n) => ({
        client_id: CLIENT,
        actor_email: 'carla@example.com',
        data: { word: `needle ${n}` },
      }));
      const [first] = await store(reel, token, TENANT, entries);
      expect(
        (await rest('POST', '/logs', { module: 'billing', action: 'a.b', tenant_id: TENANT })).status,
      ).toBe(201);
      await sealed();
      expect((await rest('GET', '/logs?search=needle')).body.total).toBe(3);
      expect((await rest('GET', `/logs/${first}`)).body.data).toEqual({ word: 'needle 1' });
      expect((await rest('GET', '/logs/stats')).body.total_entries).toBeGreaterThan(3);
      for (const format of ['csv', 'json', 'ndjson']) {
        const { body } = await rest('POST', '/logs/export', { format });
        const exported = await fetch(new URL(body.download_url, reel.url));
        expect([exported.status, await exported.text()]).toEqual([
          200,
          expect.stringContaining('carla@example.com'),
        ]);
      }
      const { body } = await reel.graphql(
        reader,
        'query ($id: UUID!) { log(id: $id) { proof { leafIndex } } logs(last: 1, filter: { query: "actor:carla@example.com" }) { nodes { id data } totalCount { value } } }',
        { id: first },
      );
      expect(body.errors).toBeUndefined();
      expect([body.data.log.proof.leafIndex, body.data.logs.totalCount.value]).toEqual([
        expect.any(Number),
        3,
      ]);
      const calls = await StreamCalls.of(reel, TENANT);
      const { id } = await calls.create({ settings: { url: receiver.url }, after: 0 });
      await calls.until(id, ({ lagEntries }) => expect(lagEntries).toBe(0));
      const view = 'mutation { saveView(input: { name: "mine", query: "", shared: false }) { id } }';
      expect((await calls.ask(view)).saveView.id).toBeDefined();
      const actions = 'mutation { registerActions(actions: [{ action: "a.b", version: 1 }]) { action } }';
      expect((await reel.graphql(await moduleToken('billing'), actions)).body.errors).toBeUndefined();
    } finally {
      await receiver.close();
    }
  });

  test('its commands migrate nothing, hold, erase, clean up and verify', async () => {
    const command = (...args: string[]) => runCommand(args, settingsOf(reel.own));
    expect(await command('migrate')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'the database is up to date\n',
    });
    expect(await command('migrate', '--check')).toMatchObject({ code: 0 });
    expect((await command('doctor')).stdout).toMatch(
      /^well +migrations: up to date, and 1 of a newer release$/m,
    );
    const of = ['--tenant', TENANT];
    expect(await command('hold', 'add', ...of, '--reason', 'case', '--actor', 'bob')).toMatchObject({
      code: 0,
    });
    expect(await command('erase', ...of, '--reason', 'asked', '--email', 'carla@example.com')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^erased [3-9]/),
    });
    expect(await command('cleanup', ...of, '--days', '1')).toMatchObject({ code: 0 });
    await sealed();
    expect(await command('verify', ...of)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok /) });
  });
});

describe('on the schema of the release before', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase('template0');
    await own.query('revoke create on schema public from public', [], 'superuser');
    await own.query(`alter schema public owner to ${new URL(own.ownerUrl).username}`, [], 'superuser');
    await migrateUntil(own, NEWEST);
  });
  afterAll(() => own?.drop());

  /** As `reel migrate` of the release before did. */
  async function migrateUntil({ ownerUrl, runtimeUrl }: TestDatabase, last: string): Promise<void> {
    const client = new pg.Client({ connectionString: ownerUrl });
    await client.connect();
    try {
      const execute = async (sql: string) => (await client.query(sql)).rows;
      const driver: MigrationDriver = { execute };
      await client.query('begin');
      await execute(
        'create table reel_migrations (id serial primary key, name varchar(255) not null, executed_at timestamptz not null default current_timestamp)',
      );
      for (const { name, class: Each } of MIGRATIONS.filter(({ name }) => name < last)) {
        const migration = new Each(driver);
        await migration.up();
        for (const statement of migration.getQueries()) await execute(statement);
        await execute(`insert into reel_migrations (name) values ('${name}')`);
      }
      await ensureRuntimeRole(execute, ownerUrl, runtimeUrl);
      await client.query('commit');
    } finally {
      await client.end();
    }
  }

  test('it does not start, and says what is missing and what to do', async () => {
    const { host } = new URL(own.runtimeUrl);
    await expect(startReel({}, own)).rejects.toThrow(
      `REEL_DATABASE_URL: expected a migrated database at ${host}, got one without ${NEWEST} (run: reel migrate)`,
    );
    const command = (...args: string[]) => runCommand(args, settingsOf(own));
    expect(await command('migrate', '--check')).toMatchObject({ code: 1, stdout: `missing ${NEWEST}\n` });
    expect(await command('doctor')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/migrations: 1 of \d+ are missing: run reel migrate/),
    });
    expect(await command('verify', '--tenant', randomUUID())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('reel migrate'),
    });
  });

  test('and starts once it is migrated', async () => {
    expect(await runCommand(['migrate'], settingsOf(own))).toMatchObject({
      code: 0,
      stdout: `applied ${NEWEST}\n`,
    });
    const reel = await startReel({}, own);
    expect((await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    await reel.close();
  });
});
