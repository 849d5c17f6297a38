import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createReelClient } from 'reel/client';
import { mockReel } from 'reel/client/mock';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBilling } from '../../docs/examples/billing.js';
import { actions } from '../../docs/examples/billing-actions.js';
import { blocksOf } from '../docs/pages.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';

const run = promisify(execFile);
let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken('billing');
});
afterAll(() => reel.close());

const stored = (tenantId: string) =>
  reel.own.query('select action, resource_id, actor_id, data from reel_log_entries where tenant_id = $1', [
    tenantId,
  ]);

test('docs/examples/billing.ts records in a real Reel what its test says', async () => {
  const tenantId = randomUUID();
  const request = {
    method: 'DELETE',
    url: '/invoices/42',
    headers: { 'x-tenant-id': tenantId, 'x-user-id': 'ana' },
  } as const;
  const mock = mockReel({ actions });
  const tested = await createBilling(mock);
  expect((await tested.inject(request)).json()).toEqual({ deleted: '42' });
  expect(mock.entries).toMatchObject([{ action: 'invoices.delete', resource_id: '42', tenant_id: tenantId }]);

  const client = createReelClient({ url: reel.url, token, actions, warn: () => {} });
  const real = await createBilling(client);
  await real.inject(request);
  await real.close();
  expect(client.stats()).toMatchObject({ sent: 1, rejected: 0 });
  expect(await stored(tenantId)).toEqual([
    {
      action: 'invoices.delete',
      resource_id: '42',
      actor_id: 'ana',
      data: {
        before: { amount: 120, card: '****1111' },
        reason: 'a duplicate',
        _redacted: { 'before.card': 'mask' },
      },
    },
  ]);
});

test.runIf(['/usr/bin/python3', '/usr/local/bin/python3'].some(existsSync))(
  'the example in Python runs',
  async () => {
    const [block] = blocksOf('docs/clients.md').filter(({ language }) => language === 'python');
    const tenantId = randomUUID();
    const env = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      REEL_URL: reel.url,
      MODULE_TOKEN: token,
      TENANT: tenantId,
    };
    expect((await run('python3', ['-c', block!.text], { env })).stdout).toBe('201\n');
    expect(await stored(tenantId)).toMatchObject([{ action: 'invoices.issue', resource_id: '42' }]);
  },
);

test('a real Reel refuses, repairs and resolves as the client says', async () => {
  const tenantId = randomUUID();
  const rejected: unknown[] = [];
  const client = createReelClient({
    url: reel.url,
    token,
    module: 'billing',
    warn: () => {},
    onRejected: (rejection) => rejected.push(rejection),
  });
  const { id } = await client.logAndWait('a.b', {
    tenantId,
    userAgent: 'x'.repeat(2_000),
    data: { text: '\u0000' },
  });
  expect(
    await reel.own.query('select id, repaired from reel_log_entries where tenant_id = $1', [tenantId]),
  ).toEqual([{ id, repaired: ['data', 'user_agent'] }]);
  await expect(client.logAndWait('a.b', { tenantId: 'none' })).rejects.toMatchObject({
    code: 'REFUSED',
    message: expect.stringMatching(/tenant_id|UUID/),
  });
  expect(rejected).toMatchObject([{ code: 'REFUSED', entry: { tenant_id: 'none' } }]);
  const other = createReelClient({ url: reel.url, token, module: 'guardian', warn: () => {} });
  await expect(other.logAndWait('a.b', { tenantId })).rejects.toMatchObject({ code: 'REFUSED' });
  await other.close();
  await client.close();
});

test('docs/clients.md has every option', () => {
  const source = readFileSync(join(import.meta.dirname, '../../src/client/client.ts'), 'utf8');
  const [options] = /^export interface ReelClientOptions[\s\S]*?^}/m.exec(source)!;
  const page = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8');
  const names = [...options.matchAll(/^ {2}(\w+)\??[:(]/gm)].map(([, name]) => name);
  expect(names.filter((name) => name !== 'fetch' && !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});
