import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { openScratch, removeLeftBehind } from '../hosts/left-behind.js';

const HOSTS = resolve(import.meta.dirname, '..', 'hosts');
/** As `npm run test:hosts` begins. */
const RUN = `
  const { openScratch } = await import('${HOSTS}/left-behind.ts');
  const { Cluster } = await import('${HOSTS}/cluster.ts');
  const scratch = await openScratch();
  await Cluster.start(scratch);
  console.log(scratch);
  setInterval(() => {}, 1000);`;

let own: string;
afterAll(() => rm(own, { recursive: true, force: true }));

test('npm run test:hosts that was killed leaves a database, which the next one ends and removes, and no other run’s', async () => {
  own = await openScratch();
  const child = spawn(process.execPath, ['--input-type=module', '--eval', RUN], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [scratch] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [line = ''] = readFileSync(join(scratch, 'cluster/postgres/data/postmaster.pid'), 'utf8').split('\n');
  const postmaster = Number(line);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(process.kill(postmaster, 0)).toBe(true);
  expect(await removeLeftBehind()).toContain(scratch);
  expect(() => process.kill(postmaster, 0)).toThrow('ESRCH');
  expect([existsSync(scratch), existsSync(own)]).toEqual([false, true]);
});
