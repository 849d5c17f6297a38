import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsOf } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const DEMO = resolve(import.meta.dirname, '..', '..', 'dist', 'development', 'demo.js');

let own: TestDatabase;
let dataDir: string;
beforeAll(async () => {
  own = await createDatabase();
  dataDir = mkdtempSync(join(tmpdir(), 'reel-demo-'));
});
afterAll(async () => {
  await own?.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Demo {
  child: ChildProcess;
  links: URL[];
  ended: Promise<unknown>;
}

async function startDemo(): Promise<Demo> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, HOME, NODE_COMPILE_CACHE, REEL_PORT: '0', REEL_DATA_DIR: dataDir, ...settingsOf(own) };
  const child = spawn(process.execPath, [DEMO], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let [said, faults] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => (faults += text));
  await new Promise<void>((done) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Ctrl-C')) done();
    });
    child.once('close', () => done());
  });
  // The viewer's; the playground has one, too.
  const links = said.match(/^http.*\?lang=.*$/gm) ?? [];
  if (links.length === 0) throw new Error(`expected links, got ${said}${faults}`);
  return { child, links: links.map((link) => new URL(link)), ended };
}

const count = async (condition = 'true') =>
  Number((await own.query(`select count(*)::int as n from reel_log_entries where ${condition}`))[0]!.n);

test('two tenants of a few thousand lively entries, more arriving, links signed in; a second start goes on', {
  timeout: 120_000,
}, async () => {
  const { child, links, ended } = await startDemo();
  const tenants = links.map((link) => new URLSearchParams(link.hash.slice(1)).get('tenant'));
  expect(links.map((link) => link.searchParams.get('lang'))).toEqual(['en', 'pt-BR']);
  expect(new Set(tenants).size).toBe(2);
  for (const [index, link] of links.entries()) {
    const token = new URLSearchParams(link.hash.slice(1)).get('token');
    const headers = { authorization: `Bearer ${token}`, 'x-tenant-id': tenants[index]! };
    const response = await fetch(`${link.origin}/api/v1/reel/logs?page_size=1`, { headers });
    expect(await response.json()).toMatchObject({ total: expect.any(Number), items: [expect.anything()] });
  }
  expect(await count()).toBeGreaterThan(3_500);
  for (const condition of [
    `data ? 'before' and data ? 'after'`,
    'on_behalf_of_id is not null',
    `action = 'invoices.delete' and on_behalf_of_id is not null and extract(isodow from created_at at time zone 'UTC') = 2`,
    'erased_at is not null',
    `created_at > now() - interval '3 hours' and data->>'code' = 'gateway_timeout'`,
  ])
    expect(await count(condition), condition).toBeGreaterThan(0);
  expect(await count('created_at > now()')).toBe(0);

  const before = await count();
  await expect.poll(() => count()).toBeGreaterThan(before + 2);
  expect(
    await own.query(
      'select module, count(*)::int as n from reel_log_actions group by module order by module',
    ),
  ).toEqual([
    { module: 'aurora', n: 6 },
    { module: 'billing', n: 5 },
    { module: 'guardian', n: 7 },
    { module: 'infinity', n: 1 },
    { module: 'matrix', n: 2 },
    { module: 'mentor', n: 2 },
  ]);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);

  const kept = await count();
  await own.query(
    `delete from reel_log_entries where created_at > now() - interval '5 hours' and action <> 'log.erase'`,
  );
  const left = await count();
  const again = await startDemo();
  expect(again.links.map(({ searchParams }) => searchParams.get('lang'))).toEqual(['en', 'pt-BR']);
  expect(await count()).toBeGreaterThan(left);
  expect(await count()).toBeLessThan(kept + 500);
  again.child.kill('SIGINT');
  expect(await again.ended).toEqual([0, null]);
});
