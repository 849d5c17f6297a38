import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defineEntity, MikroORM, type Options, p, ValidationError } from '@mikro-orm/postgresql';
import pg from 'pg';
import {
  getLogReader,
  getReelService,
  LogEntry,
  type LogInput,
  LogOrigin,
  LogSeverity,
  ReelSchemaGenerator,
} from 'reel';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { databaseOptions } from '../../src/database/options.js';
import { wholeEntry } from '../../src/log/entry/stored-entry.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { openTrail, type Trail } from '../support/trail.js';

const Invoice = defineEntity({
  name: 'Invoice',
  properties: { id: p.uuid().primary(), amount: p.integer() },
});

/** A host's own ORM, whose sessions speak in a zone half an hour off. */
const hostOrm = (clientUrl: string, more: Partial<Options> = {}) =>
  MikroORM.init({
    clientUrl,
    entities: [LogEntry, Invoice],
    extensions: [ReelSchemaGenerator],
    driverOptions: { options: '-c timezone=Asia/Kolkata' },
    logger: () => {},
    ...more,
  });

describe("entries through a host's EntityManager", () => {
  const tenantId = randomUUID();
  const scope = { tenantId, clients: null };
  let trail: Trail;
  let orm: MikroORM;
  /** As Reel's own reader has them: the first two sealed, the third not. */
  let entries: LogEntry[];

  const session = { variables: { 'reel.tenant_id': tenantId } };
  const fork = () => orm.em.fork({ session });
  const ids = async (where: Parameters<ReturnType<typeof fork>['find']>[1]) =>
    (await fork().find(LogEntry, where as object, { orderBy: { id: 'asc' } })).map(({ id }) =>
      entries.findIndex((entry) => entry.id === id),
    );

  beforeAll(async () => {
    trail = await openTrail();
    orm = await hostOrm(trail.own.runtimeUrl);
    const inputs: Omit<LogInput, 'tenantId'>[] = [
      {
        module: 'billing',
        action: 'invoices.create',
        severity: LogSeverity.ERROR,
        occurredAt: '1800-01-01T00:00:00.000001Z',
        actorId: randomUUID(),
        actorEmail: 'ana@example.com',
        actorName: 'Ana',
        onBehalfOfId: randomUUID(),
        clientId: randomUUID(),
        resourceType: 'invoice',
        resourceId: '42',
        requestId: randomUUID(),
        ipAddress: '::FFFF:10.0.0.1',
        userAgent: 'a browser',
        data: { after: { amount: 1.5, tags: ['Größe', null, true], nested: { deep: {} } } },
      },
      { module: 'guardian', action: 'users.login', severity: LogSeverity.DEBUG, ipAddress: '2001:DB8::1' },
      { module: 'guardian', action: 'users.logout', severity: LogSeverity.CRITICAL },
    ];
    const written: LogEntry[] = [];
    for (const [index, input] of inputs.entries()) {
      if (index === 2) await trail.sequencer.catchUp(tenantId);
      written.push(await trail.service.log({ ...input, tenantId }));
    }
    const found = await trail.reader.byIds(
      scope,
      written.map(({ id }) => id),
    );
    entries = written.map(({ id }) => wholeEntry(found.get(id)!));
  });
  afterAll(async () => {
    await orm?.close(true);
    await trail?.close();
  });

  test('are what Reel itself reads, field by field, and of the types that LogEntry names', async () => {
    const read = await fork().find(LogEntry, {}, { orderBy: { id: 'asc' } });
    expect(read.map((entry) => ({ ...entry }))).toEqual(entries);
    expect(read[0]).toMatchObject({
      severity: 'ERROR',
      origin: LogOrigin.MODULE,
      ipAddress: '10.0.0.1',
      occurredAt: '1800-01-01T00:00:00.000001Z',
      createdAt: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      data: { after: { amount: 1.5, tags: ['Größe', null, true], nested: { deep: {} } } },
      erasedAt: null,
    });
    expect(read.map(({ sequence }) => sequence)).toEqual([1, 2, null]);
  });

  test('are the same by findOne, by key, by the query builder and by a row of plain SQL', async () => {
    const [first] = entries as [LogEntry];
    const { id } = first;
    const one = await fork().findOneOrFail(LogEntry, { tenantId, id });
    const byKey = await fork().findOneOrFail(LogEntry, [id, tenantId]);
    const built = await fork().transactional(async (em) =>
      em.createQueryBuilder(LogEntry, 'e').select('*').where({ id }).getSingleResult(),
    );
    const mapped = await fork().transactional(async (em) => {
      const [row] = await em.execute('select * from reel_log_entries where id = ?', [id]);
      return em.map(LogEntry, row!);
    });
    for (const entry of [one, byKey, built]) expect(entry).toMatchObject(first);
    // The two that are formulas are not among the columns of plain SQL.
    const { sequence: _, repaired: __, ...columns } = first;
    expect(mapped).toMatchObject(columns);
    expect(await getLogReader(fork()).get(scope, id)).toEqual(first);
  });

  test('are found by what LogEntry says, to the microsecond, and sorted by it', async () => {
    const { createdAt } = entries[1]!;
    expect(await ids({ severity: 'ERROR' })).toEqual([0]);
    expect(await ids({ severity: { $gte: LogSeverity.ERROR } })).toEqual([0, 2]);
    expect(await ids({ severity: { $in: ['DEBUG', 'CRITICAL'] }, origin: 'MODULE' })).toEqual([1, 2]);
    expect(await ids({ createdAt })).toEqual([1]);
    expect(await ids({ createdAt: { $gte: createdAt } })).toEqual([1, 2]);
    expect(await ids({ createdAt: { $lt: createdAt } })).toEqual([0]);
    expect(await ids({ occurredAt: '1800-01-01T01:00:00.000001+01:00' })).toEqual([0]);
    expect(await ids({ ipAddress: '::ffff:A00:1' })).toEqual([0]);
    expect(await ids({ ipAddress: { $exists: true }, erasedAt: null })).toEqual([0, 1]);
    expect(await ids({ sequence: { $lte: 1 } })).toEqual([0]);
    const sorted = await fork().find(LogEntry, {}, { orderBy: { severity: 'desc' } });
    expect(sorted.map(({ severity }) => severity)).toEqual(['CRITICAL', 'ERROR', 'DEBUG']);
  });

  test('page by a cursor over severities and instants', async () => {
    const seen: string[] = [];
    const options = { first: 1, orderBy: { severity: 'asc', createdAt: 'asc' } } as const;
    let page = await fork().findByCursor(LogEntry, options);
    for (; ; page = await fork().findByCursor(LogEntry, { ...options, after: page.endCursor! })) {
      seen.push(...page.items.map(({ severity }) => severity));
      if (!page.hasNextPage) break;
    }
    expect(seen).toEqual(['DEBUG', 'ERROR', 'CRITICAL']);
  });

  test.each([
    [{ severity: 'LOUD' }, 'severity: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got "LOUD"'],
    [{ origin: 0 }, 'origin: expected one of MODULE, BROWSER, got [object Number]'],
    [
      { createdAt: { $gte: new Date() } },
      'createdAt: expected an RFC 3339 instant as text, got [object Date]',
    ],
    [{ erasedAt: { $lt: '2026-01-05' } }, 'erasedAt: expected an RFC 3339 instant as text, got "2026-01-05"'],
    [{ ipAddress: '10.0.0.0/8' }, 'ipAddress: expected an IP address, got "10.0.0.0/8"'],
  ])('are not looked for by %o', async (where, message) => {
    const looking = fork().find(LogEntry, where as object);
    await expect(looking).rejects.toThrow(ValidationError);
    await expect(looking).rejects.toThrow(message);
  });

  test('have salts and digests where they are asked for, and never show a salt', async () => {
    const [plain] = await fork().find(LogEntry, { severity: LogSeverity.ERROR });
    expect([plain!.identitySalt, plain!.dataDigest]).toEqual([undefined, undefined]);
    const populate = ['identitySalt', 'dataSalt', 'identityDigest', 'dataDigest'] as const;
    const [whole] = await fork().find(LogEntry, { severity: LogSeverity.ERROR }, { populate });
    const { identitySalt, dataSalt, identityDigest, dataDigest } = whole!;
    expect(
      [identitySalt, dataSalt, identityDigest, dataDigest].map((each) => each instanceof Buffer),
    ).toEqual([true, true, true, true]);
    expect([identitySalt!.length, dataSalt!.length, identityDigest!.length, dataDigest!.length]).toEqual([
      16, 16, 32, 32,
    ]);
    const shown = JSON.parse(JSON.stringify(whole));
    expect(shown).toMatchObject(entries[0]!);
    expect(shown).not.toHaveProperty('identitySalt');
    expect(shown).not.toHaveProperty('dataSalt');
  });

  test('are left alone by a flush', async () => {
    const em = fork();
    const [entry] = await em.find(LogEntry, { severity: LogSeverity.ERROR });
    entry!.severity = LogSeverity.DEBUG;
    em.persist(em.create(LogEntry, { ...entries[1]!, id: randomUUID() }));
    await em.flush();
    expect(await fork().find(LogEntry, {}, { orderBy: { id: 'asc' } })).toMatchObject(entries);
  });
});

test("a connection that breaks while entries are written is not lost to the host's pool", async () => {
  const own = await createDatabase();
  const orm = await hostOrm(own.runtimeUrl, {
    pool: { min: 0, max: 2 },
    driverOptions: { connectionTimeoutMillis: 5_000 },
  });
  const log = () =>
    getReelService(orm.em.fork()).log({ module: 'billing', action: 'a', tenantId: randomUUID() });
  try {
    await log();
    const blocked = `select pid from pg_stat_activity where usename = 'reel' and wait_event_type = 'Lock' and datname = current_database()`;
    for (let time = 0; time < 3; time += 1) {
      const lock = new pg.Client({ connectionString: own.ownerUrl });
      await lock.connect();
      await lock.query('begin; lock table reel_log_inbox');
      const refused = expect(log()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await vi.waitUntil(async () => (await own.query(blocked, [], 'superuser')).length > 0, 60_000);
      await own.query(`select pg_terminate_backend(pid) from (${blocked}) b`, [], 'superuser');
      await refused;
      await lock.end();
    }
    await log();
    expect(await own.query('select count(*)::int as entries from reel_log_entries')).toEqual([
      { entries: 2 },
    ]);
  } finally {
    await orm.close(true);
    await own.drop();
  }
});

describe('instants', () => {
  const INSTANTS = [
    '0001-01-01T00:00:00.000000Z',
    '1582-10-10T12:00:00.500000Z',
    '1899-12-31T23:59:59.999999Z',
    '1970-01-01T00:00:00.000010Z',
    '2026-03-29T01:00:00.123456Z',
    '2026-11-01T05:59:59.999999Z',
  ];
  const tenantId = randomUUID();
  const session = { variables: { 'reel.tenant_id': tenantId } };
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
    const orm = await hostOrm(own.runtimeUrl);
    const entries = INSTANTS.map((occurredAt) => ({ module: 'm', action: 'a', tenantId, occurredAt }));
    for (const entry of entries) await getReelService(orm.em.fork()).log(entry);
    await orm.close(true);
  });
  afterAll(() => own?.drop());

  const read = async (options: string) => {
    const orm = await hostOrm(own.runtimeUrl, { driverOptions: { options } });
    try {
      const entries = await orm.em.fork({ session }).find(LogEntry, {}, { orderBy: { id: 'asc' } });
      return entries.map(({ occurredAt }) => occurredAt);
    } finally {
      await orm.close(true);
    }
  };

  test.each([
    'UTC',
    'Asia/Kolkata',
    'America/St_Johns',
    'Europe/Amsterdam',
    'Pacific/Kiritimati',
    'Etc/GMT+12',
  ])('are the same in a session of %s', async (zone) =>
    expect(await read(`-c timezone=${zone}`)).toEqual(INSTANTS),
  );

  test('are refused in a session whose DateStyle is not ISO', async () => {
    await expect(read('-c datestyle=German')).rejects.toThrow(
      'occurredAt: expected a timestamptz in DateStyle ISO',
    );
  });
});

describe('the schema generator', () => {
  const OWN_TABLE = 'create table "invoice" ("id" uuid not null, "amount" int not null, primary key ("id"));';
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
  });
  afterAll(() => own?.drop());

  const withOrm = async <T>(options: Partial<Options>, work: (orm: MikroORM) => Promise<T>): Promise<T> => {
    const orm = await MikroORM.init({ logger: () => {}, ...options } as Options);
    try {
      return await work(orm as MikroORM);
    } finally {
      await orm.close(true);
    }
  };

  /** Everything of Reel's that the catalogs know. */
  const catalogs = () =>
    own.query(`
      select 'relation' as kind, c.oid::regclass::text as name, concat_ws(' ', c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relispartition) as what
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname like 'reel%'
      union all select 'constraint', conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace and conrelid::regclass::text like 'reel%'
      union all select 'index', indexname, indexdef from pg_indexes where tablename like 'reel%'
      union all select 'policy', tablename || ' ' || policyname, concat_ws(' ', roles, cmd, qual, with_check) from pg_policies
      union all select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
      order by 1, 2, 3`);

  test('has nothing to do after reel migrate', () =>
    withOrm(databaseOptions(own.ownerUrl, { max: 2 }), async (orm) => {
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      expect(await orm.schema.getUpdateSchemaSQL({ safe: false, dropTables: true })).toBe('');
      expect(await orm.schema.getUpdateSchemaSQL({ safe: true })).toBe('');
      expect(await orm.schema.getUpdateSchemaMigrationSQL()).toEqual({ up: '', down: '' });
      expect(await orm.schema.getCreateSchemaSQL()).toBe('');
      expect(await orm.schema.getDropSchemaSQL({ dropMigrationsTable: true })).toBe('');
    }));

  test("would take Reel's tables apart without ReelSchemaGenerator", () =>
    withOrm({ clientUrl: own.ownerUrl, entities: [LogEntry] }, async (orm) => {
      expect(await orm.schema.getUpdateSchemaSQL()).toMatch(
        /drop table if exists "reel_log_tiles"[\s\S]+disable row level security[\s\S]+drop function if exists "reel_ensure_month"/,
      );
    }));

  test("manages a host's own tables and nothing of Reel's", async () => {
    const before = await catalogs();
    expect(before.length).toBeGreaterThan(100);
    const options = {
      clientUrl: own.ownerUrl,
      entities: [LogEntry, Invoice],
      extensions: [ReelSchemaGenerator],
    };
    await withOrm(options, async (orm) => {
      const bare = { wrap: false };
      expect((await orm.schema.getCreateSchemaSQL(bare)).trim()).toBe(OWN_TABLE);
      expect((await orm.schema.getUpdateSchemaSQL(bare)).trim()).toBe(OWN_TABLE);
      await own.query('create table old_invoice (id uuid)');
      await own.query('create function old_total() returns integer language sql as $$ select 1 $$');
      const { up, down } = await orm.schema.getUpdateSchemaMigrationSQL(bare);
      expect(up.split('\n').filter(Boolean)).toEqual([
        OWN_TABLE,
        'drop table if exists "old_invoice" cascade;',
        'drop function if exists "old_total"();',
      ]);
      expect(down).not.toMatch(/reel/i);
      await orm.schema.update();
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      await orm.schema.clear();
      expect((await orm.schema.getDropSchemaSQL(bare)).trim()).toBe(
        'drop table if exists "invoice" cascade;',
      );
      await orm.schema.drop();
    });
    expect(await catalogs()).toEqual(before);
  });
});

describe("MikroORM's command line in a fresh clone", { timeout: 60_000 }, () => {
  const root = resolve(import.meta.dirname, '..', '..');
  let own: TestDatabase;
  let clone: string;
  beforeAll(async () => {
    own = await createDatabase();
    clone = await mkdtemp(join(tmpdir(), 'reel-clone-'));
    for (const name of ['src', 'package.json', 'tsconfig.json', 'mikro-orm.config.ts'])
      await cp(join(root, name), join(clone, name), { recursive: true });
    await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
  });
  afterAll(async () => {
    await rm(clone, { recursive: true, force: true });
    await own?.drop();
  });

  const mikroOrm = (command: string, settings: Record<string, string>) => {
    const others = Object.entries(process.env).filter(([name]) => !/^(REEL|MIKRO|npm|VITEST)/.test(name));
    const env = { ...Object.fromEntries(others), NODE_ENV: '', ...settings };
    return new Promise<{ code: number; stdout: string; stderr: string }>((done) =>
      execFile('npx', ['mikro-orm', command], { cwd: clone, env }, (error, stdout, stderr) =>
        done({ code: error ? Number(error.code) : 0, stdout, stderr }),
      ),
    );
  };

  test('lists what is applied, finds nothing pending and no change to make', async () => {
    const settings = { REEL_MIGRATE_URL: own.ownerUrl };
    const [pending, list, check] = await Promise.all([
      mikroOrm('migration:pending', settings),
      mikroOrm('migration:list', settings),
      mikroOrm('migration:check', settings),
    ]);
    expect(pending).toEqual({ code: 0, stdout: 'No pending migrations\n', stderr: '' });
    expect([list.code, list.stdout.match(/Migration\w+/g)]).toEqual([
      0,
      (await own.query('select name from reel_migrations order by name')).map(({ name }) => name),
    ]);
    expect([check.code, check.stdout]).toEqual([0, expect.stringContaining('No changes required')]);
  });

  test('names a migration that is missing', async () => {
    const missing = await createDatabase();
    try {
      await missing.query(`delete from reel_migrations where name = 'Migration20261124000003_kept'`);
      const { code, stdout } = await mikroOrm('migration:pending', { REEL_MIGRATE_URL: missing.ownerUrl });
      expect([code, stdout.match(/Migration\w+/g)]).toEqual([0, ['Migration20261124000003_kept']]);
    } finally {
      await missing.drop();
    }
  });

  test('says what is wrong where there is no database', async () => {
    const none = await mikroOrm('migration:pending', { REEL_DATA_DIR: join(clone, 'none') });
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringContaining("REEL_MIGRATE_URL: expected the owner's connection, got nothing"),
    ]);
  });
});
