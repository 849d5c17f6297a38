import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noneComesOfAge, runCommand, settingsOf, startCommand, wrongCounts } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { recount } from '../support/recount.js';

let own: TestDatabase;
beforeEach(async () => {
  own = await createDatabase();
});
afterEach(() => own.drop());

/** Tenants' ids, the largest first. */
async function seed(entries: number, more: string[] = []): Promise<string[]> {
  const ran = await runCommand(
    ['seed', '--entries', String(entries), '--days', '100', '--json', ...more],
    settingsOf(own),
  );
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  await noneComesOfAge(own);
  return JSON.parse(ran.stdout).map(({ tenantId }: { tenantId: string }) => tenantId);
}

async function cleanup(...more: string[]) {
  const ran = await runCommand(['cleanup', '--json', ...more], settingsOf(own));
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as {
    dryRun: boolean;
    before: string;
    entries: number;
    tenants: { tenantId: string; entries: number }[];
  };
}

const number = async (sql: string, parameters: unknown[] = []) => {
  const [row] = await own.query(`select (${sql})::int as n`, parameters);
  return row!.n as number;
};
// But for those of Reel's own, which account for what was done.
const entries = () => number(`select count(*) from reel_log_entries where module <> 'reel'`);
const older = (days: number, tenantId: string | null = null) =>
  number(
    `select count(*) from reel_log_entries where created_at < now() - make_interval(days => $1) and ($2::uuid is null or tenant_id = $2)`,
    [days, tenantId],
  );
const months = () =>
  number(`select count(*) from pg_inherits where inhparent = 'reel_log_entries'::regclass
    and inhrelid::regclass::text < 'reel_log_entries_' || to_char(now(), 'YYYYMM')`);

test('removes what is older, with its keys and counts, and leaves places and leaf hashes', async () => {
  const tenants = await seed(3000, ['--tenants', '2']);
  const [old] = await own.query('select tenant_id, id from reel_log_entries order by created_at limit 1');
  const [young] = await own.query(
    'select tenant_id, id from reel_log_entries order by created_at desc limit 1',
  );
  for (const [key, row] of Object.entries({ old, young }))
    await own.query(`insert into reel_log_keys values ($1, 'module:x', $2, $3, '\\x00')`, [
      row!.tenant_id,
      key,
      row!.id,
    ]);
  const all = await months();
  const due = await older(20);

  const planned = await cleanup('--days', '20', '--dry-run');
  expect(planned).toMatchObject({ dryRun: true, entries: due });
  expect(await entries()).toBe(3000);
  expect(await wrongCounts(own)).toEqual([]);

  const removed = await cleanup('--days', '20');
  expect(removed).toMatchObject({ dryRun: false, entries: due });
  const byTenant = (tenants: { tenantId: string }[]) =>
    tenants.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
  expect(byTenant(removed.tenants)).toEqual(byTenant(planned.tenants));
  expect(removed.tenants.map(({ tenantId }) => tenantId).toSorted()).toEqual(tenants.toSorted());
  expect(await entries()).toBe(3000 - due);
  expect(await older(20)).toBe(0);
  expect(await wrongCounts(own)).toEqual([]);
  expect(await own.query('select idempotency_key as key from reel_log_keys')).toEqual([{ key: 'young' }]);
  expect(await number('select count(*) from reel_log_sequence where length(leaf_hash) = 32')).toBe(3000);
  expect(await months()).toBeLessThan(all);
  expect((await cleanup('--days', '20')).entries).toBe(0);
});

test('one tenant alone, by REEL_RETENTION_DAYS', async () => {
  const [one, other] = await seed(2000, ['--tenants', '2']);
  const due = await older(50, one);
  const elsewhere = await older(50, other);
  const ran = await runCommand(['cleanup', '--tenant', one!], {
    ...settingsOf(own),
    REEL_RETENTION_DAYS: '50',
  });
  expect(ran.stdout).toMatch(new RegExp(`^removed ${due} entries created before \\d{4}-`));
  expect([await older(50, one), await older(50, other)]).toEqual([0, elsewhere]);
  expect(await wrongCounts(own)).toEqual([]);
});

test('what waits for its place stays, whatever its age, and its month with it', async () => {
  await seed(1000);
  const [oldest] = await own.query('select tenant_id, id from reel_log_entries order by created_at limit 1');
  // As if it had only just been committed: out of the order, back in the inbox, not counted yet.
  await own.query(
    `with back as (delete from reel_log_sequence where entry_id = $1 returning tenant_id, entry_id, leaf_hash)
     insert into reel_log_inbox select * from back`,
    [oldest!.id],
  );
  for (const statement of recount(`'${oldest!.tenant_id}'`)) await own.query(statement);
  expect(await wrongCounts(own)).toEqual([]);
  const due = await older(20);
  expect((await cleanup('--days', '20')).entries).toBe(due - 1);
  expect(await own.query('select id from reel_log_entries order by created_at limit 1')).toEqual([
    { id: oldest!.id },
  ]);
  expect(await wrongCounts(own)).toEqual([]);
});

test('a month that is being read goes in batches', async () => {
  await seed(1000);
  const due = await older(20);
  const reader = new pg.Client({ connectionString: own.ownerUrl });
  await reader.connect();
  await reader.query('begin; lock table reel_log_entries in access share mode');
  expect((await cleanup('--days', '20')).entries).toBe(due);
  await reader.query('commit');
  await reader.end();
  expect(await older(20)).toBe(0);
  expect(await wrongCounts(own)).toEqual([]);
});

test('killed in the middle it leaves nothing half done, and the next run finishes', async () => {
  const [tenant] = await seed(6_000);
  const due = await older(1);
  const holder = new pg.Client({ connectionString: own.ownerUrl });
  await holder.connect();
  // Batches are of 5,000: the second one comes upon an entry that somebody holds, and waits.
  await holder.query('begin');
  const [held] = await own.query('select id from reel_log_entries order by id offset 5500 limit 1');
  await holder.query('select from reel_log_entries where id = $1 for update', [held!.id]);
  const { child, ended } = startCommand(['cleanup', '--days', '1', '--tenant', tenant!], settingsOf(own));
  const others = (state: string) =>
    number(
      `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'reel' and ${state}`,
    );
  await expect.poll(() => others(`wait_event_type = 'Lock'`)).toBe(1);
  child.kill('SIGKILL');
  await ended;
  await holder.query('rollback');
  await holder.end();
  await expect.poll(() => others('true')).toBe(0);
  expect(await entries()).toBe(1000);
  expect(await wrongCounts(own)).toEqual([]);
  expect((await cleanup('--days', '1')).entries).toBe(due - 5000);
  expect(await older(1)).toBe(0);
  expect(await wrongCounts(own)).toEqual([]);
});

test('two at once remove each entry once', async () => {
  await seed(6_000);
  const due = await older(10);
  const both = await Promise.all([cleanup('--days', '10'), cleanup('--days', '10')]);
  expect(both[0].entries + both[1].entries).toBe(due);
  expect(await wrongCounts(own)).toEqual([]);
});

test('the runtime role may not', async () => {
  await seed(100);
  const ran = await runCommand(['cleanup', '--days', '1'], { REEL_MIGRATE_URL: own.runtimeUrl });
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(/^reel: .*\n$/);
  expect(await entries()).toBe(100);
  expect(
    await runCommand(['cleanup', '--days', '1', '--tenant', randomUUID()], settingsOf(own)),
  ).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^removed 0 /),
  });
});
