import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { moduleToken, startReel, type TestReel, viewer } from '../../support/reel.js';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..', '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'reel-client-'));
let reel: TestReel;
beforeAll(async () => {
  reel = await startReel();
});
afterAll(async () => {
  await reel?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a client by openapi-typescript compiles in a folder of its own, and is understood by a server', async () => {
  const node = (program: string, ...args: string[]) =>
    run(process.execPath, [join(root, 'node_modules', program), ...args], { cwd: folder }).catch(
      (error: { stdout: string; stderr: string }) => {
        throw new Error(`${program}: ${error.stdout}${error.stderr}`);
      },
    );
  writeFileSync(
    join(folder, 'openapi.json'),
    await (await fetch(`${reel.url}/api/v1/reel/openapi.json`)).text(),
  );
  await node('openapi-typescript/bin/cli.js', 'openapi.json', '--output', 'reel.d.ts');

  cpSync(join(root, 'tests/fixtures/rest-client.ts'), join(folder, 'client.ts'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const compilerOptions = {
    target: 'ESNext',
    lib: ['ESNext'],
    module: 'NodeNext',
    strict: true,
    noEmit: true,
    types: ['node'],
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['client.ts'] }));
  await node('@typescript/native/bin/tsc', '-p', folder);

  const tenant = randomUUID();
  const tokens = [await moduleToken(), await viewer(tenant)];
  const { stdout } = await run(process.execPath, ['client.ts', reel.url, ...tokens, tenant], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    same: true,
    batch: [201],
    total: 2,
    errors: 1,
    refused: [null, null, null],
  });
});
