import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir, ReelProcess } from '../support/process.js';
import { JWT_SECRET, moduleToken, SERVICE_SECRET } from '../support/reel.js';

/** REEL_TEST_CLIENT_KILLS=100 is the long form. */
const KILLS = Number(process.env.REEL_TEST_CLIENT_KILLS ?? 10);
const WRITER = join(import.meta.dirname, 'writer.mjs');

let own: TestDatabase;
let spool: string;
beforeAll(async () => {
  own = await createDatabase();
  spool = mkdtempSync(join(tmpdir(), 'reel-client-'));
});
afterAll(async () => {
  await own.drop();
  rmSync(spool, { recursive: true });
});

test('what log() took is stored once, however often client and server are killed under load', async () => {
  const tenantId = randomUUID();
  const token = await moduleToken('billing');
  const ledger = join(spool, 'ledger');
  const dataDir = await makeDataDir();
  const settings = {
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
  };
  let server = new ReelProcess(dataDir, settings);
  const url = await server.ready();
  const { port } = new URL(url);
  const serve = async () => {
    server = new ReelProcess(dataDir, { ...settings, REEL_PORT: port });
    await server.ready();
  };
  let writers = 0;
  const write = (): ChildProcess => {
    writers += 1;
    const args = [WRITER, url, token, tenantId, join(spool, 'entries'), ledger, `w${writers}`];
    return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  };
  const kill = async (child: ChildProcess, signal: NodeJS.Signals) => {
    const ended = once(child, 'close');
    child.kill(signal);
    return (await ended)[0] as number | null;
  };

  // Two at a time, on one spool.
  const running = [write(), write()];
  let starting = Promise.resolve();
  for (let count = 0; count < KILLS; count += 1) {
    await pause(50 + Math.random() * 400);
    if (count % 3 === 2) {
      await starting;
      await server.stop('SIGKILL');
      starting = serve();
    } else {
      await kill(running.shift()!, 'SIGKILL');
      running.push(write());
    }
  }
  await starting;
  await expect.poll(() => readFileSync(ledger, 'utf8'), { timeout: 60_000 }).toContain(`w${writers}-`);
  for (const child of running) expect(await kill(child, 'SIGTERM')).toBe(0);
  await server.stop();

  const taken = readFileSync(ledger, 'utf8').trim().split('\n');
  const rows = await own.query(
    'select resource_id as id, count(*)::int as times from reel_log_entries where tenant_id = $1 group by 1',
    [tenantId],
  );
  const times = new Map(rows.map(({ id, times }) => [id, times]));
  expect(taken.filter((id) => times.get(id) !== 1).slice(0, 5)).toEqual([]);
  expect(rows.filter((row) => row.times !== 1)).toEqual([]);
  expect(readdirSync(join(spool, 'entries'))).toEqual([]);
  expect(existsSync(join(spool, 'entries', 'rejected.ndjson'))).toBe(false);
  console.log(`${taken.length} entries taken by ${writers} processes, ${KILLS} kills`);
}, 1_200_000);
