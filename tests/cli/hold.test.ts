import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noneComesOfAge, runCommand, settingsOf, startCommand, wrongCounts } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let own: TestDatabase;
/** What each test's database is a copy of; without it that is empty. */
let source: TestDatabase | undefined;
beforeEach(async () => {
  own = await createDatabase(source);
});
afterEach(() => own.drop());

interface Hold {
  id: string;
  tenantId: string;
  reason: string;
  from: string | null;
  to: string | null;
  actorId: string | null;
  createdAt: string;
  releasedAt: string | null;
}

const reel = (...args: string[]) => runCommand(args, settingsOf(own));
async function answerOf<T>(...args: string[]): Promise<T> {
  const ran = await reel(...args, '--json');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as T;
}
const addHold = (tenantId: string, ...more: string[]) =>
  answerOf<Hold>('hold', 'add', '--tenant', tenantId, '--reason', 'case 7', ...more);
const cleanup = async (days: number, ...more: string[]) =>
  (await answerOf<{ entries: number }>('cleanup', '--days', String(days), ...more)).entries;
const seed = async (entries: number, ...more: string[]) => {
  const tenants = await answerOf<{ tenantId: string }[]>(
    'seed',
    '--entries',
    String(entries),
    '--days',
    '100',
    ...more,
  );
  await noneComesOfAge(own);
  return tenants.map(({ tenantId }) => tenantId);
};

const number = async (sql: string, parameters: unknown[] = []) =>
  (await own.query(`select (${sql})::int as n`, parameters))[0]!.n as number;
const DAYS = 'created_at < now() - make_interval(days => $1)';
const older = (days: number, condition = 'true', ...parameters: unknown[]) =>
  number(`select count(*) from reel_log_entries where ${DAYS} and ${condition}`, [days, ...parameters]);
const ownEntries = (tenantId: string) =>
  own.query(
    `select action, actor_name, actor_id, resource_type, resource_id, request_id, data from reel_log_entries
     where tenant_id = $1 and module = 'reel' order by id`,
    [tenantId],
  );

describe('hold', () => {
  test('is added, listed and released, each with an entry in the tenant', async () => {
    const tenantId = randomUUID();
    const actorId = randomUUID();
    const first = await addHold(tenantId);
    expect(first).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenantId,
      reason: 'case 7',
      from: null,
      to: null,
      actorId: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      releasedAt: null,
    });
    const second = await addHold(
      tenantId,
      '--from',
      '2026-01-05',
      '--to',
      '2026-01-07',
      '--actor',
      actorId.toUpperCase(),
    );
    expect(second).toMatchObject({
      from: '2026-01-05T00:00:00.000000Z',
      to: '2026-01-07T23:59:59.999999Z',
      actorId,
    });
    const elsewhere = await reel('hold', 'add', '--tenant', randomUUID(), '--reason', 'tax');
    expect(elsewhere).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/),
    });

    expect((await answerOf<Hold[]>('hold', 'list')).map(({ id }) => id)).toEqual([
      first.id,
      second.id,
      elsewhere.stdout.trim(),
    ]);
    expect(await answerOf<Hold[]>('hold', 'list', '--tenant', tenantId)).toEqual([first, second]);
    expect((await reel('hold', 'list', '--tenant', tenantId)).stdout.split('\n')).toEqual([
      `${first.id}  tenant ${tenantId}  added ${first.createdAt}  case 7`,
      `${second.id}  tenant ${tenantId}  from ${second.from}  to ${second.to}  actor ${actorId}  added ${second.createdAt}  case 7`,
      '',
    ]);

    const released = await answerOf<Hold>('hold', 'release', first.id);
    expect(released).toEqual({ ...first, releasedAt: expect.stringMatching(/Z$/) });
    expect(await answerOf<Hold[]>('hold', 'list', '--tenant', tenantId)).toEqual([second]);
    expect(await answerOf<Hold[]>('hold', 'list', '--tenant', tenantId, '--all')).toEqual([released, second]);
    const again = await reel('hold', 'release', first.id, '--json');
    expect(again).toMatchObject({ code: 0, stderr: 'it had already been released\n' });
    expect(JSON.parse(again.stdout)).toEqual(released);

    const entries = await ownEntries(tenantId);
    expect(entries.map(({ action, resource_id }) => [action, resource_id])).toEqual([
      ['reel.holds.added', first.id],
      ['reel.holds.added', second.id],
      ['reel.holds.released', first.id],
    ]);
    expect(entries[1]).toMatchObject({
      actor_name: expect.stringMatching(/^.+@.+$/),
      actor_id: null,
      resource_type: 'hold',
      data: {
        by: entries[1]!.actor_name,
        command: 'reel hold add',
        reason: 'case 7',
        from: second.from,
        to: second.to,
        actorId,
      },
    });
    expect(entries[2]).toMatchObject({ data: { reason: 'case 7', addedAt: first.createdAt } });
    expect(await number('select count(*) from reel_log_inbox where tenant_id = $1', [tenantId])).toBe(3);
  });

  test('two releases at once are one', async () => {
    const { id, tenantId } = await addHold(randomUUID());
    const both = await Promise.all([reel('hold', 'release', id), reel('hold', 'release', id)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(await ownEntries(tenantId)).toHaveLength(2);
  });

  test('refuses what it cannot understand', async () => {
    const T = randomUUID();
    const cases: [string[], number, RegExp][] = [
      [['hold', 'add', '--tenant', T], 2, /--reason <text> is required/],
      [['hold', 'add', '--reason', 'x'], 2, /--tenant <id> is required/],
      [['hold', 'add', '--tenant', 'T', '--reason', 'x'], 2, /Expected a UUID/],
      [['hold', 'add', '--tenant', T, '--reason', ''], 2, /Expected 1 to 1000 characters/],
      [['hold', 'add', '--tenant', T, '--reason', 'x', '--from', 'yesterday'], 2, /Expected a date/],
      [['hold', 'add', '--tenant', T, '--reason', 'x', '--form', '2026-01-01'], 2, /Did you mean --from/],
      [
        ['hold', 'add', '--tenant', T, '--reason', 'x', '--from', '2026-01-02', '--to', '2026-01-01'],
        2,
        /--to: expected a time at or after --from/,
      ],
      [
        ['hold', 'add', '--tenant', T, '--reason', 'x', '--actor', 'ana@example.com'],
        2,
        /an id, which an e-mail address never is\./,
      ],
      [['hold', 'release', 'x'], 2, /Expected a UUID/],
      [['hold', 'release', T], 1, /expected the id of a hold/],
    ];
    const told = await Promise.all(cases.map(([args]) => reel(...args)));
    for (const [index, [, code, said]] of cases.entries())
      expect(told[index]).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(said) });
    expect(await number('select count(*) from reel_log_holds')).toBe(0);
    expect(await number('select count(*) from reel_log_entries')).toBe(0);
  });
});

describe('cleanup', () => {
  test('leaves a whole tenant that is on hold, months too, until it is released', async () => {
    const [held, other] = await seed(2000, '--tenants', '2');
    const { id } = await addHold(held!);
    const due = await older(20, 'tenant_id = $2', held);
    const elsewhere = await older(20, 'tenant_id = $2', other);
    expect(await cleanup(20, '--dry-run')).toBe(elsewhere);
    expect(await cleanup(20)).toBe(elsewhere);
    expect(await cleanup(20, '--tenant', held!)).toBe(0);
    expect([await older(20, 'tenant_id = $2', held), await older(20, 'tenant_id = $2', other)]).toEqual([
      due,
      0,
    ]);
    expect(await wrongCounts(own)).toEqual([]);
    expect((await ownEntries(held!)).map(({ action }) => action)).toEqual(['reel.holds.added']);
    await answerOf('hold', 'release', id);
    expect(await cleanup(20)).toBe(due);
    expect(await older(20)).toBe(0);
    expect(await wrongCounts(own)).toEqual([]);
  });

  test('leaves the times and the person that a hold names, and says what it removed, place by place', async () => {
    const [tenantId] = await seed(3000);
    const [row] = await own.query(
      `select actor_id from reel_log_entries where actor_id is not null group by 1 order by count(*) desc limit 1`,
    );
    const [{ first, last }] = (await own.query(
      `select to_char(now() - interval '60 days', 'YYYY-MM-DD') as first, to_char(now() - interval '40 days', 'YYYY-MM-DD') as last`,
    )) as [{ first: string; last: string }];
    await addHold(tenantId!, '--from', first, '--to', last);
    await addHold(tenantId!, '--actor', row!.actor_id as string);
    const covered = `(created_at >= $2::date and created_at < $3::date + 1 or $4 in (actor_id, on_behalf_of_id))`;
    const kept = [10, covered, first, last, row!.actor_id] as const;
    const [all, stay] = [await older(10), await older(...kept)];
    expect(stay).toBeGreaterThan(0);
    expect(stay).toBeLessThan(all);
    expect(await cleanup(10)).toBe(all - stay);
    expect([await older(10), await older(...kept)]).toEqual([stay, stay]);
    expect(await wrongCounts(own)).toEqual([]);

    const accounts = (await ownEntries(tenantId!)).filter(({ action }) => action === 'reel.logs.removed');
    const said = accounts.map(({ data }) => data as Record<string, number | string>);
    expect(said.reduce((sum, { entries }) => sum + (entries as number), 0)).toBe(all - stay);
    expect(said.at(-1)).toMatchObject({
      by: accounts[0]!.actor_name,
      command: 'reel cleanup',
      reason: 'older than 10 days',
      before: expect.stringMatching(/Z$/),
      entriesOfRun: all - stay,
      emptyPlaces: all - stay,
    });
    expect(new Set(accounts.map(({ request_id }) => request_id)).size).toBe(1);
    // The places that are empty by rights are exactly those whose entry is gone.
    expect(
      await own.query(
        `select s.seq from reel_log_sequence s left join reel_log_entries e on e.id = s.entry_id
         where (e.id is null) <> exists (select from reel_log_removals r
           where r.tenant_id = s.tenant_id and s.seq between r.first_seq and r.last_seq)`,
      ),
    ).toEqual([]);
    expect(
      await number(
        `select count(*) from reel_log_removals a join reel_log_removals b on a.tenant_id = b.tenant_id and b.first_seq = a.last_seq + 1`,
      ),
    ).toBe(0);
  });
});

describe('a hold while cleanup is between two batches', () => {
  let tenantId: string;
  beforeAll(async () => {
    own = await createDatabase();
    [tenantId] = (await seed(12_000)) as [string];
    source = own;
  });
  afterAll(async () => {
    await source?.drop();
    source = undefined;
  });

  test('saves what is left', async () => {
    const due = await older(1);
    const blocker = await blockSecondBatch();
    const cleaning = startCommand(['cleanup', '--days', '1', '--tenant', tenantId], settingsOf(own));
    await waiting(1);
    const holding = startCommand(['hold', 'add', '--tenant', tenantId, '--reason', 'x'], settingsOf(own));
    await waiting(2);
    expect(await number('select count(*) from reel_log_holds')).toBe(0);
    await blocker.end();
    const [cleaned, held] = await Promise.all([cleaning.ended, holding.ended]);
    expect([cleaned.code, held.code]).toEqual([0, 0]);
    expect(cleaned.stdout).toMatch(/^removed 10000 /);
    expect(await older(1)).toBe(due - 10_000);
    expect(await cleanup(1)).toBe(0);
    expect(await wrongCounts(own)).toEqual([]);
  });

  test('leaves nothing where it is killed while it waits', async () => {
    const blocker = await blockSecondBatch();
    const cleaning = startCommand(['cleanup', '--days', '1', '--tenant', tenantId], settingsOf(own));
    await waiting(1);
    const holding = startCommand(['hold', 'add', '--tenant', tenantId, '--reason', 'x'], settingsOf(own));
    await waiting(2);
    holding.child.kill('SIGKILL');
    await holding.ended;
    await blocker.end();
    expect((await cleaning.ended).code).toBe(0);
    await expect.poll(() => commands()).toBe(0);
    expect(await number('select count(*) from reel_log_holds')).toBe(0);
    const actions = new Set((await ownEntries(tenantId)).map(({ action }) => action));
    expect(actions).toEqual(new Set(['reel.logs.removed']));
    expect(await older(1)).toBe(0);
  });
});

/** Batches are of 5,000: the second one comes upon an entry that somebody holds, and waits until `end`. */
async function blockSecondBatch(): Promise<{ end(): Promise<void> }> {
  const client = new pg.Client({ connectionString: own.ownerUrl });
  await client.connect();
  await client.query('begin');
  const [row] = await own.query('select id from reel_log_entries order by id offset 7000 limit 1');
  await client.query('select from reel_log_entries where id = $1 for update', [row!.id]);
  return {
    end: async () => {
      await client.query('rollback');
      await client.end();
    },
  };
}

const commands = (state = 'true') =>
  number(
    `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'reel' and ${state}`,
  );
const waiting = (count: number) => expect.poll(() => commands(`wait_event_type = 'Lock'`)).toBe(count);

test("the server's role may do none of it", async () => {
  const settings = { REEL_MIGRATE_URL: own.runtimeUrl };
  const { id, tenantId } = await addHold(randomUUID());
  for (const args of [
    ['hold', 'add', '--tenant', tenantId, '--reason', 'x'],
    ['hold', 'list'],
    ['hold', 'release', id],
  ])
    expect(await runCommand(args, settings)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^reel: .*\n$/),
    });
  expect(await runCommand(['hold', 'list'], { REEL_DATABASE_URL: own.runtimeUrl })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('REEL_MIGRATE_URL'),
  });
  await own.query(`insert into reel_log_removals values ($1, 1, 2, 0)`, [tenantId]);
  const refused = (statement: string) =>
    own
      .query(
        `begin; set local reel.tenant_id = '${tenantId}'; set local reel.tenant_ids = '${tenantId}'; ${statement}`,
        [],
        'runtime',
      )
      .then(
        () => 'done',
        (error: { code?: string }) => error.code,
      );
  for (const statement of [
    `insert into reel_log_holds (tenant_id, id, reason, created_at) values ('${tenantId}', '${randomUUID()}', 'x', now())`,
    'update reel_log_holds set released_at = now()',
    'delete from reel_log_holds',
    `insert into reel_log_removals values ('${tenantId}', 5, 6, 0)`,
    'update reel_log_removals set last_seq = 9',
    'delete from reel_log_removals',
    'truncate reel_log_removals, reel_log_holds',
    `select from reel_log_holds for update`,
  ])
    expect([statement, await refused(statement)]).toEqual([statement, '42501']);
  const seen = async (tenant: string) => {
    const client = new pg.Client({ connectionString: own.runtimeUrl });
    await client.connect();
    await client.query(`begin; set local reel.tenant_id = '${tenant}'`);
    const { rows } = await client.query('select first_seq::int, last_seq::int from reel_log_removals');
    await client.end();
    return rows;
  };
  expect(await seen(tenantId)).toEqual([{ first_seq: 1, last_seq: 2 }]);
  expect(await seen(randomUUID())).toEqual([]);
  expect(await answerOf<Hold[]>('hold', 'list')).toHaveLength(1);
});
