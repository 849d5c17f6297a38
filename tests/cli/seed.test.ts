import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataFault } from '../../src/client/actions.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import { SAMPLE_ACTIONS } from '../../src/sample/actions.js';
import { sampleEntries, sampleTenants } from '../../src/sample/entries.js';
import { SAMPLE_MODULES } from '../../src/sample/registered.js';
import { type CommandResult, runCommand, settingsOf, wrongCounts } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const SEED = ['seed', '--entries', '2600', '--tenants', '2', '--days', '40', '--seed', 'spring'];

let [first, second]: TestDatabase[] = [];
let [ran, ranToo]: CommandResult[] = [];
beforeAll(async () => {
  [first, second] = [await createDatabase(), await createDatabase()];
  [ran, ranToo] = await Promise.all([
    runCommand(SEED, settingsOf(first)),
    runCommand(SEED, settingsOf(second)),
  ]);
}, 120_000);
afterAll(async () => {
  await first?.drop();
  await second?.drop();
});

const tenantsOf = ({ stdout }: CommandResult) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '));

test('prints a line a tenant: its id, its clients, how many', async () => {
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const lines = tenantsOf(ran!);
  expect(lines.map(([, , count]) => Number(count)).reduce((sum, count) => sum + count)).toBe(2600);
  for (const [tenantId, clients, count] of lines) {
    const [row] = await first!.query(
      `select count(*)::int as entries, array_agg(distinct client_id::text) filter (where client_id is not null) as clients
       from reel_log_entries where tenant_id = $1`,
      [tenantId],
    );
    expect(row!.entries).toBe(Number(count));
    expect(clients!.split(',')).toEqual(expect.arrayContaining(row!.clients as string[]));
    expect((row!.clients as string[]).length).toBeGreaterThan(1);
  }
});

test('the same seed gives the same entries, but for their salts', async () => {
  expect(ranToo).toEqual(ran);
  const rows = (own: TestDatabase) =>
    own.query(
      `select to_jsonb(e) - array['identity_salt', 'data_salt', 'identity_digest', 'data_digest'] as entry, encode(identity_salt, 'hex') as salt
       from reel_log_entries e order by tenant_id, id`,
    );
  const [one, two] = [await rows(first!), await rows(second!)];
  expect(one.length).toBe(2600);
  expect(two.map((row) => row.entry)).toEqual(one.map((row) => row.entry));
  expect(two[0]!.salt).not.toBe(one[0]!.salt);
});

test('every entry has its place and its count, none waits', async () => {
  const [row] = await first!.query(`
    select (select count(*)::int from reel_log_inbox) as waiting, (select count(*)::int from reel_log_sequence) as placed,
      (select bool_and(complete) from (select max(seq) = count(*) as complete from reel_log_sequence group by tenant_id) t) as complete,
      (select count(*)::int from reel_log_entries_default) as elsewhere`);
  expect(row).toEqual({ waiting: 0, placed: 2600, complete: true, elsewhere: 0 });
  expect(await wrongCounts(first!)).toEqual([]);
});

test('ids and times agree, lie in their months, and reach as far back as asked', async () => {
  const [row] = await first!.query(`
    select bool_and(left(replace(id::text, '-', ''), 12) = lpad(to_hex(floor(extract(epoch from created_at) * 1000)::bigint), 12, '0')) as agree,
      max(created_at) < now() as past, (min(created_at) > now() - interval '41 days')::text as recent,
      count(distinct created_at::date)::int as days from reel_log_entries`);
  expect(row).toMatchObject({ agree: true, past: true, recent: 'true' });
  expect(row!.days).toBeGreaterThan(35);
});

test('is refused a second time, also once everything was cleaned up', async () => {
  const again = await runCommand(SEED, settingsOf(first!));
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toMatch(/^reel: --seed: expected a seed that was not used here before, got .*\n$/);
  await second!.query('delete from reel_log_entries');
  expect(await runCommand(SEED, settingsOf(second!))).toMatchObject({ code: 1, stdout: '' });
});

test('needs a migrated database', async () => {
  const own = await createDatabase();
  await own.query('delete from reel_migrations');
  const refused = await runCommand(SEED, settingsOf(own));
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('reel migrate');
  await own.drop();
});

test('any plan gives as many entries as asked, in order, each fit to be stored', () => {
  const hour = 3_600_000;
  fc.assert(
    fc.property(
      fc.string({ maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (seed, tenants, more, hours) => {
        const until = Date.UTC(2026, 2, 1);
        const plan = { seed, tenants, entries: tenants + more, from: until - hours * hour, until };
        let sum = 0;
        for (const tenant of sampleTenants(plan)) {
          let last = '';
          for (const { identity, author, input } of sampleEntries(plan, tenant)) {
            sum += 1;
            expect(identity.createdAt > last).toBe(true);
            last = identity.createdAt;
            expect(checkInput(input, author)).toMatchObject({ tenantId: tenant.id });
          }
          expect(last < new Date(until).toISOString()).toBe(true);
        }
        expect(sum).toBe(plan.entries);
      },
    ),
    { numRuns: 20 },
  );
});

test('every kind of act happens', () => {
  const until = Date.UTC(2026, 2, 1);
  const plan = { seed: 'x', tenants: 1, entries: 20_000, from: until - 30 * 86_400_000, until };
  const happened = new Set<string>();
  for (const { input } of sampleEntries(plan, sampleTenants(plan)[0]!))
    happened.add(`${input.action} ${input.severity}`);
  expect(happened).toEqual(new Set(SAMPLE_ACTIONS.map(({ action, severity }) => `${action} ${severity}`)));
});

test('every entry of the sample is as its module registers it', () => {
  const plan = { seed: 'registered', tenants: 1, entries: 20_000, from: 0, until: 30 * 86_400_000 };
  const met = new Set<string>();
  for (const { input } of sampleEntries(plan, sampleTenants(plan)[0]!)) {
    const name = `${input.module} ${input.action}`;
    met.add(name);
    const defined = SAMPLE_MODULES.find(({ module }) => module === input.module)?.actions[input.action];
    expect(defined, name).toBeDefined();
    expect(defined?.resource ?? null, name).toBe(input.resourceType ?? null);
    expect(defined?.data ? dataFault(defined.data, input.data) : null, name).toBeNull();
  }
  expect(met.size).toBe(SAMPLE_MODULES.flatMap(({ actions }) => Object.keys(actions)).length);
});
