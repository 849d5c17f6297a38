import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executorOn } from '../../src/database/execute.js';
import { Migration20261124000003_kept } from '../../src/database/migrations/Migration20261124000003_kept.js';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { removeEntries } from '../../src/log/retention/cleanup.js';
import { eraseEntries } from '../../src/log/retention/erase.js';
import { addHold, releaseHold } from '../../src/log/retention/hold.js';
import { OwnEntries, type OwnerDatabase } from '../../src/log/retention/own-entries.js';
import { fillGroups } from '../../src/log/search/groups.js';
import { publishKey, readKeys } from '../../src/seal/signing-keys.js';
import { type Fault, faultLine } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { type ColumnType, flip, ODD, quoted, seeded } from '../support/bit-flip.js';
import { storeFirstVersion } from '../support/first-version.js';
import { openTrail, SIGNER, type Trail } from '../support/trail.js';

/** FLIP_SEED and FLIP_ROWS look elsewhere, and further. */
const SEED = Number(process.env.FLIP_SEED ?? 1);
/** Rows that are changed of each column. */
const ROWS = Number(process.env.FLIP_ROWS ?? 1);

const GATEWAY = { kind: 'module', module: '*', ip: null, agent: null } as const;
const TENANT = randomUUID();
const OTHER = randomUUID();
const [ana, bob, client] = [randomUUID(), randomUUID(), randomUUID()];

let trail: Trail;
/** In UTC, as Reel's own sessions are. */
let superuser: pg.Client;

const connect = async (connectionString: string) => {
  const connection = new pg.Client({ connectionString, options: '-c timezone=UTC -c datestyle=ISO' });
  await connection.connect();
  return connection;
};
function entriesOf(tenantId: string, count: number, actors: readonly (string | null)[] = [null]) {
  return Array.from({ length: count }, (_, index) => ({
    module: 'guardian',
    action: 'users.update',
    tenantId,
    actorId: actors[index % actors.length] ?? null,
    ...(index % 3 === 0 ? { clientId: client, onBehalfOfId: bob, requestId: randomUUID() } : {}),
    ...(index % 2 === 0
      ? {
          actorEmail: 'Ana@Example.com',
          actorName: 'Ana',
          ipAddress: '10.0.0.1',
          userAgent: 'curl/8',
          resourceType: 'user',
          resourceId: String(index),
          data: { b: 'Straße', a: [1.5, { c: null }], index },
        }
      : {}),
    ...(index % 4 === 1
      ? {
          actorType: ActorType.AGENT,
          onBehalfOfName: 'Bob é',
          resourceName: 'Invoice "4711"',
          outcome: LogOutcome.DENIED,
          userAgent: 'x'.repeat(2_000),
          requestId: 'x'.repeat(300),
          repair: true,
        }
      : {}),
    ...(index % 5 === 0 ? { idempotencyKey: randomUUID() } : {}),
  }));
}
const write = (...what: Parameters<typeof entriesOf>) =>
  trail.service.createMany(GATEWAY, entriesOf(...what));

/** A log with entries erased, held, released, removed and in the inbox, keys, full tiles and a partial one. */
beforeAll(async () => {
  trail = await openTrail();
  await publishKey(trail.database, SIGNER);
  const owner = await connect(trail.own.ownerUrl);
  const database: OwnerDatabase = {
    transact: async (work) => {
      await owner.query('begin');
      const result = await work(executorOn(owner).execute);
      await owner.query('commit');
      return result;
    },
  };
  const ownEntries = () => new OwnEntries('ana@host', 'reel');
  const hold = (actorId: string | null, from: string | null, to: string | null) =>
    addHold(database, ownEntries(), { tenantId: TENANT, reason: 'case 7', from, to, actorId });
  await write(TENANT, 40, [null, ana, null, bob, null]);
  await write(OTHER, 20);
  await trail.sequencer.catchUp(TENANT);
  const fill = () => trail.database.seal(TENANT, (execute) => fillGroups(execute, TENANT));
  await fill();
  await eraseEntries(database, {
    tenantId: TENANT,
    target: { actorId: ana },
    reason: 'x',
    ownEntries: ownEntries(),
  });
  await hold(ana, null, null);
  const { id } = await hold(bob, '2026-01-01T00:00:00.000000Z', '2126-01-01T00:00:00.000000Z');
  await releaseHold(database, ownEntries(), id);
  await hold(bob, null, '2126-01-01T00:00:00.000000Z');
  await trail.sequencer.catchUp(TENANT);
  const before = new Date(Date.now() + 2);
  while (new Date() <= before) await new Promise((done) => setTimeout(done, 1));
  await removeEntries(database, { before, tenantId: TENANT, reason: 'old', ownEntries: ownEntries() });
  await storeFirstVersion(trail.database, entriesOf(TENANT, 60));
  for (const count of [1, 400, 30]) {
    await write(TENANT, count);
    await trail.sequencer.catchUp(TENANT);
    await fill();
  }
  const [last] = await trail.own.query(
    'select entry_id as id from reel_log_sequence where tenant_id = $1 order by seq desc limit 1',
    [TENANT],
  );
  await eraseEntries(database, {
    tenantId: TENANT,
    target: { entryId: last!.id as string },
    reason: 'x',
    ownEntries: ownEntries(),
  });
  await write(TENANT, 6);
  await trail.sequencer.catchUp(OTHER);
  await owner.end();

  superuser = await connect(trail.own.superuserUrl);
  // A flipped bit obeys no constraint. Rows are found by the same indexes all the same, which take any.
  const constraints = await superuser.query(
    `select conrelid::regclass as table, conname as name, pg_get_indexdef(nullif(conindid, 0)) as index from pg_constraint
     where contype in ('c', 'u', 'p') and conrelid::regclass::text like 'reel_log_%' and conparentid = 0
       and conislocal and conrelid in (select oid from pg_class where not relispartition)`,
  );
  for (const each of constraints.rows) {
    await superuser.query(`alter table ${each.table} drop constraint "${each.name}"`);
    if (each.index)
      await superuser.query(
        each.index.replace('UNIQUE ', '').replace(' ON ONLY ', ' ON ').replace('NULLS NOT DISTINCT', ''),
      );
  }
});
afterAll(async () => {
  await superuser?.end();
  await trail?.close();
});

/** As the server's role, within the superuser's transaction. */
async function verify(tenantId = TENANT, search = false): Promise<{ size: number; faults: Fault[] }> {
  const role = new URL(trail.own.runtimeUrl).username;
  await superuser.query(`set local role ${role}; set local reel.tenant_id = '${tenantId}'`);
  const { execute } = executorOn(superuser);
  const keys = await readKeys({ system: execute });
  const faults: Fault[] = [];
  const { size } = await verifyLog(execute, tenantId, {
    parallel: execute,
    keys,
    search,
    report: (fault) => faults.push(fault),
  });
  return { size, faults };
}

async function undone<T>(work: () => Promise<T>): Promise<T> {
  await superuser.query('begin');
  try {
    return await work();
  } finally {
    await superuser.query('rollback');
  }
}

interface Column {
  table: string;
  name: string;
  type: ColumnType;
  nullable: boolean;
}

/** Of all tables but the one of registered actions, which says nothing of any entry. */
const columns = async (): Promise<Column[]> =>
  (
    await superuser.query(
      `select c.table_name as table, column_name as name, case when data_type <> 'ARRAY' then data_type when udt_name = '_int4' then 'integer[]' else 'text[]' end as type, is_nullable = 'YES' as nullable
       from information_schema.columns c join pg_class p on p.oid = c.table_name::regclass
       where c.table_name like 'reel\\_log\\_%' and not p.relispartition and c.table_name <> 'reel_log_actions' order by 1, ordinal_position`,
    )
  ).rows;

/** The range of sequences in which a fault of the row `t` is to be reported, as two SQL expressions. */
const SEQUENCES: Record<string, string> = {
  reel_log_entries: sequenceOf('t.id'),
  reel_log_inbox: sequenceOf('t.entry_id'),
  reel_log_keys: sequenceOf('t.entry_id'),
  reel_log_sequence: 't.seq, t.seq',
  reel_log_tiles: 't.tile_index * 256 + 1, t.tile_index * 256 + 256',
  reel_log_checkpoints: 't.tree_size, t.tree_size',
  reel_log_counts: '1, (select max(seq) + 1 from reel_log_sequence where tenant_id = t.tenant_id)',
  reel_log_severity_counts: '1, (select max(seq) + 1 from reel_log_sequence where tenant_id = t.tenant_id)',
  reel_log_action_counts: '1, (select max(seq) + 1 from reel_log_sequence where tenant_id = t.tenant_id)',
  reel_log_actor_counts: '1, (select max(seq) + 1 from reel_log_sequence where tenant_id = t.tenant_id)',
  reel_log_holds: `(select min(s.seq) from reel_log_sequence s join reel_log_entries e on e.id = s.entry_id where e.resource_id = t.id::text),
    (select max(s.seq) from reel_log_sequence s join reel_log_entries e on e.id = s.entry_id where e.resource_id = t.id::text)`,
  // Reported at the sequences that it no longer covers, or covers instead.
  reel_log_removals: '1, (select max(seq) from reel_log_sequence where tenant_id = t.tenant_id)',
  // Reported where the first row is missing, at or before this one.
  reel_log_search: '1, t.first_seq',
  reel_log_signing_keys: `(select max(seq) from reel_log_sequence where tenant_id = '${TENANT}'),
    (select max(seq) from reel_log_sequence where tenant_id = '${TENANT}')`,
};
function sequenceOf(id: string): string {
  const sequence = `coalesce((select s.seq from reel_log_sequence s where s.tenant_id = t.tenant_id and s.entry_id = ${id}),
    (select max(s.seq) + 1 from reel_log_sequence s where s.tenant_id = t.tenant_id))`;
  return `${sequence}, ${sequence}`;
}

interface Target {
  ctid: string;
  tableoid: string;
  value: string | null;
  first: number;
  last: number;
}

async function targets({ table, name }: Column): Promise<Target[]> {
  const [first, last] = splitRange(SEQUENCES[table]!);
  const own = table === 'reel_log_signing_keys' ? '' : `where t.tenant_id = '${TENANT}'`;
  // Where the search index ends, entries are looked at one by one: a row less at its end is no fault.
  const end = `(select max(first_seq) from reel_log_search where tenant_id = '${TENANT}')`;
  const mine = table === 'reel_log_search' ? `${own} and t.first_seq < ${end}` : own;
  const { rows } = await superuser.query(
    `select t.ctid::text as ctid, t.tableoid::text as tableoid, t.${name}::text as value, (${first})::float8 as first, (${last})::float8 as last
     from ${table} t ${mine} order by 4, 5, 1`,
  );
  return rows;
}
function splitRange(range: string): [string, string] {
  let depth = 0;
  for (const [at, each] of [...range].entries()) {
    if (each === '(') depth += 1;
    if (each === ')') depth -= 1;
    if (each === ',' && depth === 0) return [range.slice(0, at), range.slice(at + 1)];
  }
  throw new Error(range);
}

interface Change {
  column: Column;
  target: Target;
  sql: string;
}

/** Changes these values and returns which of them were another's before, and what verify then reports. */
const changed = (changes: readonly Change[], tenants = [TENANT]) =>
  undone(async () => {
    const isOther: boolean[] = [];
    for (const { column, target, sql } of changes) {
      const { rowCount } = await superuser.query(
        `update ${column.table} set ${column.name} = ${sql} where ctid = $1::tid and tableoid = $2::oid and ${column.name} is distinct from ${sql}`,
        [target.ctid, target.tableoid],
      );
      isOther.push(rowCount === 1);
    }
    const reported: Fault[][] = [];
    for (const tenantId of tenants)
      reported.push((await verify(tenantId, changes[0]!.column.table === 'reel_log_search')).faults);
    return { isOther, reported };
  });

/** Columns of entries that place a row; what else is changed in one entry is a fault at its own sequence and at no other. */
const PLACING = ['id', 'tenant_id', 'created_at'];
const MOST_AT_ONCE = 16;

/** Those that are verified at once, since each is to be reported at a sequence of its own. */
function together<T extends Change>(changes: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (const change of changes) {
    const { column, target } = change;
    const isOwn = column.table === 'reel_log_entries' && !PLACING.includes(column.name);
    const group = groups.find(
      (each) =>
        isOwn &&
        each.length < MOST_AT_ONCE &&
        !PLACING.includes(each[0]!.column.name) &&
        each.every((other) => other.target.first !== target.first),
    );
    if (group) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

test('the log as written verifies', async () => {
  for (const tenantId of [TENANT, OTHER])
    expect((await undone(() => verify(tenantId, true))).faults.map(faultLine)).toEqual([]);
  const has = async (condition: string) =>
    Number(
      (await superuser.query(`select count(*) as n from ${condition} and tenant_id = '${TENANT}'`)).rows[0].n,
    );
  expect(await has('reel_log_entries where erased_at is not null')).toBe(9);
  expect(await has('reel_log_holds where true')).toBe(3);
  expect(await has('reel_log_removals where true')).toBeGreaterThan(2);
  expect(await has('reel_log_tiles where true')).toBe(2);
  expect(await has('reel_log_keys where true')).toBeGreaterThan(90);
  expect(await has('reel_log_inbox where true')).toBe(7);
  expect(await has('reel_log_search where true')).toBeGreaterThan(30);
  expect(await has("reel_log_entries where action = 'reel.logs.erased'")).toBe(2);
});

test('every table is covered here', async () => {
  const tables = new Set((await columns()).map(({ table }) => table));
  expect([...tables].sort()).toEqual(Object.keys(SEQUENCES).sort());
});

describe.each(Object.keys(SEQUENCES))('%s', { timeout: 120_000 }, (table) => {
  test(`one bit changed in any column is found (FLIP_SEED=${SEED})`, async () => {
    const draw = seeded(SEED);
    const changes: (Change & { what: string })[] = [];
    for (const column of await columns()) {
      if (column.table !== table) continue;
      const all = await targets(column);
      const chosen = Array.from({ length: ROWS }, () => all[draw(all.length)]!);
      for (const target of chosen) changes.push({ column, target, ...flip(column.type, target.value, draw) });
      for (const odd of ODD[column.type] ?? [])
        changes.push({
          column,
          target: all[draw(all.length)]!,
          sql: `${quoted(odd)}::${column.type}`,
          what: odd,
        });
      const filled = all.filter(({ value }) => value !== null);
      if (column.nullable && filled.length > 0)
        changes.push({ column, target: filled[draw(filled.length)]!, sql: 'null', what: 'null' });
    }
    for (const group of together(changes)) {
      const { isOther, reported } = await changed(group);
      for (const [at, { column, target, what }] of group.entries()) {
        if (!isOther[at]) continue;
        const said = `${column.name} at sequence ${target.first}: ${what}`;
        const near = reported[0]!.filter(
          ({ sequence }) => sequence >= target.first && sequence <= target.last,
        );
        const lines = reported[0]!.slice(0, 5).map(faultLine);
        expect([said, lines, near.length > 0]).toEqual([said, lines, true]);
      }
    }
  });
});

test.each(Object.keys(SEQUENCES))('a deleted row of %s is reported', async (table) => {
  const column = (await columns()).find((each) => each.table === table)!;
  const all = await targets(column);
  const draw = seeded(SEED);
  for (const target of table === 'reel_log_signing_keys' ? all : [0, 1].map(() => all[draw(all.length)]!)) {
    const { faults } = await undone(async () => {
      await superuser.query(`delete from ${table} where ctid = $1::tid and tableoid = $2::oid`, [
        target.ctid,
        target.tableoid,
      ]);
      return verify();
    });
    expect([target.first, faults.length > 0]).toEqual([target.first, true]);
  }
});

test.each([
  [
    'hold',
    `insert into reel_log_holds select tenant_id, gen_random_uuid(), reason, from_at, to_at, actor_id, created_at from reel_log_holds`,
    /^extra \d+: hold \S+: no entry records that it was added$/,
  ],
  [
    'key of an entry that came without one',
    `insert into reel_log_keys select tenant_id, 'module:guardian', 'again', id, sha256('x') from reel_log_entries e
     where tenant_id = '${TENANT}' and key_digest is null and module <> 'reel' limit 1`,
    /^changed \d+: entry \S+: idempotency key "again" refers to it, but it was written without one$/,
  ],
  [
    'key of an entry that is not there',
    `insert into reel_log_keys values ('${TENANT}', 'module:guardian', 'again', gen_random_uuid(), sha256('x'))`,
    /^changed \d+: entry \S+: idempotency key "again" refers to it, but its row is missing$/,
  ],
  [
    'release of a hold',
    `update reel_log_holds set released_at = now() where released_at is null`,
    /^changed \d+: hold \S+: released_at is \S+, but no entry records a release$/,
  ],
  [
    'signing key',
    `insert into reel_log_signing_keys select replace(vkey, 'reel.local', 'reel.other'), added_at, note from reel_log_signing_keys`,
    /^checkpoint \d+: signing key "reel.other\S+" does not match the note it signed$/,
  ],
])('a forged %s is reported', async (_what, statement, line) => {
  const { faults } = await undone(async () => {
    await superuser.query(statement);
    return verify();
  });
  expect(faults.length).toBeGreaterThan(0);
  for (const fault of faults) expect(faultLine(fault)).toMatch(line);
});

test('rows from before there were digests get them by migration', async () => {
  const statements: string[] = [];
  const migration = { addSql: (statement: string) => statements.push(statement) };
  await Migration20261124000003_kept.prototype.up.call(migration as never);
  const { faults } = await undone(async () => {
    await superuser.query(`
      drop index reel_log_entries_erased; drop policy reel_read on reel_log_holds;
      alter table reel_log_entries drop column key_digest; alter table reel_log_removals drop column places_digest;
      set local role ${new URL(trail.own.ownerUrl).username}`);
    for (const statement of statements) await superuser.query(statement);
    await superuser.query('reset role');
    return verify();
  });
  expect(faults.map(faultLine)).toEqual([]);
});

test("a row moved to another tenant is reported in both tenants' logs", async () => {
  for (const column of await columns()) {
    if (column.name !== 'tenant_id') continue;
    const all = await targets(column);
    const { reported } = await changed(
      [{ column, target: all.at(-1)!, sql: `'${OTHER}'::uuid` }],
      [TENANT, OTHER],
    );
    expect([column.table, ...reported.map((faults) => faults.length > 0)]).toEqual([
      column.table,
      true,
      true,
    ]);
  }
});
