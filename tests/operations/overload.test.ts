import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { issueModuleToken } from '../../src/auth/token.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir, ReelProcess } from '../support/process.js';

/** What one module may have in the queue, a quarter of it, and entries of one call. */
const [BOUND, CALL] = [5_000, 1_000];
const SECRET = 'a secret of modules of 32 bytes at least';
/** Less than what the refused calls would hold, were they kept. */
const HEAP_MIB = 256;

let dataDir: string;
let own: TestDatabase;
let reel: ReelProcess;
let url: string;
beforeAll(async () => {
  dataDir = await makeDataDir();
  own = await createDatabase();
  reel = new ReelProcess(dataDir, {
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_SERVICE_SECRET: SECRET,
    // The lock below is held for longer on a busy machine.
    REEL_STATEMENT_MS: '120000',
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
  });
  url = await reel.ready();
});
afterAll(async () => {
  await reel?.stop();
  await own?.drop();
  await rm(dirname(dataDir), { recursive: true, force: true });
});

const tenantId = randomUUID();
const headers = () => ({ authorization: `Bearer ${reel.tokens.module}`, 'content-type': 'application/json' });
const entry = { module: 'guardian', action: 'users.create', tenantId, data: { text: 'x'.repeat(200) } };
/** Another module, which is not kept from writing. */
const ofAnother = async () =>
  fetch(`${url}/api/v1/reel/logs`, {
    method: 'POST',
    headers: { ...headers(), authorization: `Bearer ${await issueModuleToken(SECRET, 'billing')}` },
    body: JSON.stringify({ module: 'billing', action: 'invoices.void', tenant_id: tenantId }),
  });
const createLogs = (count: number) =>
  fetch(`${url}/graphql`, {
    method: 'POST',
    headers: headers(),
    body: JSON.stringify({
      query: 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      variables: { inputs: Array.from({ length: count }, () => entry) },
    }),
  });

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

test("past a module's share of the queue its calls are refused at once, and no other's, the heap stays, and all that was taken on is stored", async () => {
  const blocker = new pg.Client({ connectionString: own.ownerUrl });
  onTestFinished(() => blocker.end());
  await blocker.connect();
  await blocker.query('begin; lock table reel_log_entries in share mode');
  const taken = Array.from({ length: BOUND / CALL }, () => createLogs(CALL));
  while ((await metric('reel_write_queue_entries')) < BOUND) await setTimeout(20);

  const refuse = async (count: number) => {
    for (let round = 0; round < count; round += 1) {
      const answer = await createLogs(CALL);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
    }
  };
  await refuse(60);

  const rest = await fetch(`${url}/api/v1/reel/logs`, {
    method: 'POST',
    headers: headers(),
    body: JSON.stringify({ module: 'guardian', action: 'users.create', tenant_id: tenantId }),
  });
  expect(rest.status).toBe(503);
  expect(Number(rest.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await rest.json()).toEqual({ detail: expect.stringMatching(/try again/) });
  const another = ofAnother();
  // Who reads is not kept waiting by who writes.
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);

  await blocker.query('rollback');
  for (const answer of await Promise.all(taken)) {
    expect(answer.status).toBe(200);
    const { data } = (await answer.json()) as { data: { createLogs: unknown[] } };
    expect(data.createLogs).toHaveLength(CALL);
  }
  expect((await another).status).toBe(201);
  expect((await createLogs(1)).status).toBe(200);
  const rows = await own.query('select count(*) as count from reel_log_entries where tenant_id = $1', [
    tenantId,
  ]);
  expect(rows).toEqual([{ count: String(BOUND + 2) }]);
}, 120_000);
