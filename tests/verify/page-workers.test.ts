import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIN_ENTRIES } from '../../src/verify/log/page-workers.js';
import { runCommand } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const ENTRIES = MIN_ENTRIES + 1_000;
let own: TestDatabase;
let tenantId: string;

/** The built command: threads run built code alone. */
const reel = (...args: string[]) =>
  runCommand(args, { REEL_DATABASE_URL: own.runtimeUrl, REEL_MIGRATE_URL: own.ownerUrl });

beforeAll(async () => {
  own = await createDatabase();
  const { code, stdout, stderr } = await reel('seed', '--entries', String(ENTRIES), '--days', '1', '--json');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  [{ tenantId }] = JSON.parse(stdout);
}, 120_000);
afterAll(() => own?.drop());

test('a log that threads check is told as any other', async () => {
  const whole = await reel('verify', '--tenant', tenantId);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringContaining(`ok tenant ${tenantId} size`) });

  const entry = '(select entry_id from reel_log_sequence where tenant_id = $1 and seq = $2)';
  await own.query(`update reel_log_entries set action = 'a.changed' where tenant_id = $1 and id = ${entry}`, [
    tenantId,
    5,
  ]);
  await own.query(`delete from reel_log_entries where tenant_id = $1 and id = ${entry}`, [tenantId, 15_000]);
  await own.query('delete from reel_log_sequence where tenant_id = $1 and seq = $2', [tenantId, 18_000]);
  const { code, stdout } = await reel('verify', '--tenant', tenantId);
  expect(code).toBe(1);
  const told = stdout.split('\n').map((line) => /^\w+ \d+/.exec(line)?.[0]);
  expect(told).toEqual(expect.arrayContaining(['changed 5', 'missing 15000', 'missing 18000']));
});

test('what a thread cannot check, or no thread is left to, is for whoever asked to check', async () => {
  const built = join(resolve(import.meta.dirname, '..', '..'), 'dist', 'verify', 'log', 'page-workers.js');
  const { PageWorkers } = createRequire(import.meta.url)(
    built,
  ) as typeof import('../../src/verify/log/page-workers.js');
  const nowhere = { url: own.runtimeUrl, tenantId, id: '00000000-00000000-1', searchPath: 'public' };
  const workers = PageWorkers.start(nowhere, ENTRIES)!;
  expect(await Promise.all([0, 1, 2].map((page) => workers.check(page * 100, page * 100 + 100)))).toEqual([
    null,
    null,
    null,
  ]);
  const underWay = workers.check(300, 400);
  await workers[Symbol.asyncDispose]();
  expect(await underWay).toBeNull();
  expect(await workers.check(400, 500)).toBeNull();
});
