import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { excessPrivileges } from '../../src/database/roles.js';
import { connectPool } from '../../src/database/session.js';
import { migrate } from '../../src/log/migrate.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let own: TestDatabase;
beforeAll(async () => {
  own = await createDatabase();
});
afterAll(() => own?.drop());

const served = async () => (await connectPool(own.runtimeUrl, 1)).close();
const migrated = () => migrate(own.ownerUrl, own.runtimeUrl);

describe('where everybody may create in the schema', () => {
  /** As the runtime role; what is called in place of PostgreSQL's own leaves a table that tells who called it. */
  const SHADOW = (signature: string, returns: string) => `
    create function public.${signature} returns ${returns} language plpgsql as $$
      begin
        execute 'create table if not exists public.stolen as select current_user::text as by';
        return null;
      end
    $$`;
  const SHADOWS = [
    SHADOW('format(text, text, uuid, uuid)', 'text'),
    SHADOW('format(text, text, text)', 'text'),
    SHADOW('cardinality(integer[])', 'integer'),
    SHADOW('unnest(bigint[])', 'setof bigint'),
    SHADOW('contains(integer[], integer[])', 'boolean'),
    'create operator public.@> (leftarg = integer[], rightarg = integer[], function = public.contains)',
    SHADOW('pg_advisory_xact_lock(integer)', 'void'),
    SHADOW('make_interval(months integer)', 'interval'),
    SHADOW('string_agg(name, text)', 'text'),
  ]
    .map((sql) => (/setof|void/.test(sql) ? sql.replace('return null', 'return') : sql))
    // A name that is there, with which the caller goes on, so that what was done is committed.
    .map((sql) =>
      sql.includes('returns text') ? sql.replace('return null', "return 'public.stolen'") : sql,
    );
  const CALLS = [
    "select reel_ensure_month('2033-01-05T00:00:00Z')",
    'select * from reel_waiting_tenants(10)',
    "select * from reel_search_candidates('{1}', 10)",
    'select * from reel_search_backlog(10)',
  ];
  const stolen = () => own.query("select relname from pg_class where relname = 'stolen'");
  const asRuntime = async (statements: string[]) => {
    for (const statement of statements) await own.query(statement, [], 'runtime');
  };

  beforeEach(async () => {
    await own.query('grant create on schema public to public', [], 'superuser');
    await asRuntime(SHADOWS);
  });
  afterEach(async () => {
    await own.query('revoke create on schema public from public', [], 'superuser');
    await own.query('drop table if exists public.stolen', [], 'superuser');
    await own.query('drop owned by reel cascade', [], 'superuser');
    await migrated();
  });

  it('nothing that the runtime role makes there is run as the owner', async () => {
    await asRuntime([`set reel.tenant_id = '0190a1b2-0000-7000-8000-0000000000f1'; ${CALLS[2]}`, ...CALLS]);
    expect(await stolen()).toEqual([]);
    // Each was found in PostgreSQL's own schema: with the schema in the path, the first call falls for it.
    await own.query('alter function reel_ensure_month(timestamptz) set search_path = public, pg_temp');
    await own.query("select reel_ensure_month('2034-01-05T00:00:00Z')", [], 'runtime').catch(() => {});
    expect(await own.query('select by from public.stolen', [], 'superuser')).toEqual([{ by: 'reel_owner' }]);
    await own.query('alter function reel_ensure_month(timestamptz) set search_path = pg_catalog, pg_temp');
  });

  it('nor is a type, operator or table of its own in the temporary schema', async () => {
    const evil = `
      create or replace function pg_temp.evil(pg_catalog.uuid) returns boolean language plpgsql as $$
        begin
          execute 'create table if not exists public.stolen as select current_user::text as by';
          return true;
        end
      $$`;
    const month = "select reel_ensure_month('2035-01-05T00:00:00Z')";
    const session = [
      evil,
      'create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.evil(value))',
      'create domain pg_temp.timestamptz as pg_catalog.timestamptz',
      'create temporary table reel_log_inbox (tenant_id pg_catalog.uuid, entry_id pg_catalog.uuid)',
    ].join(';');
    await asRuntime([`${session}; ${CALLS.join('; ')}; ${month}`]);
    expect(await stolen()).toEqual([]);
    // With a path that does not name the temporary schema, which is then searched first, it is.
    await own.query('alter function reel_first_id(timestamptz) set search_path = pg_catalog');
    await asRuntime([`${session}; ${month.replace('2035', '2036')}`]);
    expect(await own.query('select by from public.stolen', [], 'superuser')).toEqual([{ by: 'reel_owner' }]);
    await own.query('alter function reel_first_id(timestamptz) set search_path = pg_catalog, pg_temp');
  });

  it('no server starts, and nothing is migrated', async () => {
    await expect(served()).rejects.toThrow(
      /^REEL_DATABASE_URL: expected a role .*, got reel, which may create objects in the schema public/,
    );
    await expect(migrated()).rejects.toThrow(
      'REEL_MIGRATE_URL: expected a schema that only its owner may create in, got public, in which everybody may (revoke create on schema public from public)',
    );
    expect(await stolen()).toEqual([]);
  });

  it('what was made before it was closed is found, and not run', async () => {
    await own.query('revoke create on schema public from public', [], 'superuser');
    await expect(migrated()).rejects.toThrow(
      /^REEL_MIGRATE_URL: expected a schema without others' objects of names that Reel or PostgreSQL uses, got /,
    );
    expect(await stolen()).toEqual([]);
    await own.query('drop owned by reel cascade', [], 'superuser');
    await migrated();
    await served();
  });
});

describe('a role with too many rights', () => {
  beforeAll(async () => {
    await own.query('drop role if exists reel_bolder, reel_boldest', [], 'superuser');
    await own.query('create role reel_bolder login; create role reel_boldest superuser', [], 'superuser');
    await own.query('grant usage on schema public to reel_bolder');
  });
  afterAll(async () => {
    await own.query('drop owned by reel_bolder cascade', [], 'superuser');
    await own.query('drop role reel_bolder, reel_boldest', [], 'superuser');
  });
  const excess = (role: string) => excessPrivileges((sql) => own.query(sql), role);

  it('is not the one that was made', async () => {
    expect(await excess('reel')).toBeNull();
    expect(await excess('reel_bolder')).toBeNull();
    expect(await excess('nobody')).toBeNull();
  });

  it.each([
    ['alter role reel_bolder superuser', 'alter role reel_bolder nosuperuser', /is a superuser/],
    ['grant reel_boldest to reel_bolder', 'revoke reel_boldest from reel_bolder', /may become one/],
    [
      'alter role reel_bolder bypassrls',
      'alter role reel_bolder nobypassrls',
      /may bypass row-level security/,
    ],
    ['alter role reel_bolder createrole', 'alter role reel_bolder nocreaterole', /CREATEROLE/],
    ['alter role reel_bolder replication', 'alter role reel_bolder noreplication', /REPLICATION/],
    ['grant reel_owner to reel_bolder', 'revoke reel_owner from reel_bolder', /is the owner of the tables/],
    ...['pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_execute_server_program'].map(
      (role) =>
        [
          `grant ${role} to reel_bolder`,
          `revoke ${role} from reel_bolder`,
          new RegExp(`belongs to ${role}`),
        ] as const,
    ),
    ...['update', 'delete', 'truncate', 'references', 'trigger'].map(
      (right) =>
        [
          `grant ${right} on reel_log_entries to reel_bolder`,
          `revoke ${right} on reel_log_entries from reel_bolder`,
          new RegExp(`has rights beyond its own: ${right} on reel_log_entries`, 'i'),
        ] as const,
    ),
    [
      'grant update (module) on reel_log_entries to reel_bolder',
      'revoke update (module) on reel_log_entries from reel_bolder',
      /UPDATE on reel_log_entries/,
    ],
    [
      'grant delete on reel_log_checkpoints to public',
      'revoke delete on reel_log_checkpoints from public',
      /DELETE on reel_log_checkpoints/,
    ],
    [
      'grant insert on reel_log_removals to reel_bolder',
      'revoke insert on reel_log_removals from reel_bolder',
      /INSERT on reel_log_removals/,
    ],
    [
      'grant select on reel_log_entries_default to reel_bolder',
      'revoke select on reel_log_entries_default from reel_bolder',
      /SELECT on reel_log_entries_default/,
    ],
    [
      'grant create on schema public to reel_bolder',
      'revoke create on schema public from reel_bolder',
      /may create objects in the schema public/,
    ],
  ] as const)('by %s', async (give, take, said) => {
    await own.query(give, [], 'superuser');
    try {
      expect(await excess('reel_bolder')).toMatch(said);
    } finally {
      await own.query(take, [], 'superuser');
    }
    expect(await excess('reel_bolder')).toBeNull();
  });

  it('is refused by migrate too, which then changes nothing', async () => {
    // A role of this test's own, since roles are the whole cluster's.
    const bolder = new URL(own.runtimeUrl);
    bolder.username = 'reel_bolder';
    await own.query('grant pg_read_all_data to reel_bolder', [], 'superuser');
    await expect(migrate(own.ownerUrl, bolder.toString())).rejects.toThrow(
      /^REEL_DATABASE_URL: .* got reel_bolder, which belongs to pg_read_all_data$/,
    );
    await own.query('revoke pg_read_all_data from reel_bolder', [], 'superuser');
    const tables =
      "select table_name from information_schema.role_table_grants where grantee = 'reel_bolder'";
    expect(await own.query(tables, [], 'superuser')).toEqual([]);
  });
});
