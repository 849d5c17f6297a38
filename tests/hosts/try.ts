import { equal, match } from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { HostDatabase } from './cluster.ts';
import { NODE } from './host.ts';
import type { HostKind } from './kinds.ts';

const run = promisify(execFile);
const START_MS = 180_000;

/** Migrates, starts the host and tries what docs/embedding.md says. Errors: what did not hold. */
export async function tryHost(folder: string, kind: HostKind, database: HostDatabase): Promise<void> {
  const env = {
    PATH: process.env.PATH,
    REEL_DATABASE_URL: database.runtimeUrl,
    REEL_JWT_SECRET: randomUUID() + randomUUID(),
    REEL_SERVICE_SECRET: randomUUID() + randomUUID(),
    REEL_LOG_LEVEL: 'warn',
  };
  const reel = (...args: string[]) =>
    run(NODE, [join(folder, 'node_modules', 'reel', 'dist', 'cli', 'reel.js'), ...args], {
      cwd: folder,
      env: { ...env, REEL_MIGRATE_URL: database.ownerUrl },
    });
  await reel('migrate');
  const child = spawn(NODE, [kind.program], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    const lines = createInterface({ input: child.stdout });
    const origin = new Promise<string>((done) =>
      lines.on('line', (line) => {
        const url = /^listening on (\S+)/.exec(line)?.[1];
        if (url) done(url);
        else said += `${line}\n`;
      }),
    );
    const timer = AbortSignal.timeout(START_MS);
    const late = once(timer, 'abort').then(() => ['no address in time']);
    const ended = Promise.race([exited, late]).then(([code]) => {
      throw new Error(`expected the host to start, got ${code}: ${said}`);
    });
    ended.catch(() => {});
    const tenant = randomUUID();
    const token = (
      await reel('token', 'person', '--tenant', tenant, '--grant', 'reel.logs.view:ACCOUNT')
    ).stdout.trim();
    await converse(await Promise.race([origin, ended]), tenant, token);
    // Hosts say what they like of the transaction that was to fail.
    equal(
      /Warning|"level":[456]0|ERESOLVE/.exec(said)?.[0],
      undefined,
      'expected Reel to have nothing to warn of',
    );
  } catch (error) {
    throw new Error(`${(error as Error).stack}\n${said}`);
  } finally {
    child.kill();
    await exited;
  }
}

async function converse(origin: string, tenantId: string, token: string): Promise<void> {
  const text = async (path: string, init: RequestInit = {}) => (await fetch(origin + path, init)).text();
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    };
    return (await fetch(origin + path, init)).json();
  };
  // The host is as it was.
  equal((await post('/graphql', { query: '{ platform }' })).data.platform, 'the host');
  for (const path of ['/health', '/metrics']) equal(await text(path), 'the host');
  const schema = await text('/schema');
  equal(/LogEntry/.test(schema), false, `expected a schema of the host's alone, got ${schema}`);
  // An entry stands or falls with its transaction.
  const { id } = await post('/invoices', { tenantId });
  const failing = { tenantId, fails: true };
  const failed = await post('/invoices', failing).catch(() => null);
  equal(failed?.id, undefined);
  equal(await text(`/entries?tenantId=${tenantId}`), JSON.stringify([{ id, severity: 'WARNING' }]));
  equal(await text('/refused'), JSON.stringify({ isReel: true, code: 'BAD_USER_INPUT' }));
  // Reel is below its prefix.
  const authorization = `Bearer ${token}`;
  const found = await post('/audit/graphql', { query: '{ logs { nodes { id data } } }' }, { authorization });
  equal(
    JSON.stringify(found),
    JSON.stringify({ data: { logs: { nodes: [{ id, data: { fails: false } }] } } }),
  );
  const listed = JSON.parse(await text('/audit/api/v1/reel/logs', { headers: { authorization } }));
  equal(listed.items[0].id, id);
  equal(await text('/audit/health/ready'), '{"status":"ok"}');
  match(await text('/audit/metrics'), /^reel_entries_written_total/m);
  const page = await text('/audit/');
  const script = /<script[^>]+src="([^"]+)"/.exec(page)?.[1] ?? '';
  equal((await fetch(new URL(script, `${origin}/audit/`))).status, 200);
}
