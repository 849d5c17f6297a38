/** `npm run torture`, briefly: docs/reliability.md has what 200 rounds found. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const RUN = join(import.meta.dirname, 'run.ts');
/** With these the database, a server, and all of them are killed. */
const BRIEFLY = ['--rounds', '2', '--seed', 'brief', '--writers', '8', '--calls', '4', '--seeded', '100'];

test('entries are stored once and in order whatever is killed', { timeout: 900_000 }, async () => {
  const child = spawn(process.execPath, [RUN, ...BRIEFLY], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = await once(child, 'close');
  expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(/^\| lost \| 0 \|$/m) });
});

test('a number of rounds that is none is refused', async () => {
  const child = spawn(process.execPath, [RUN, '--rounds', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  expect([await once(child, 'close'), said]).toEqual([[2, null], 'expected a number from 1 on, got 0\n']);
});
