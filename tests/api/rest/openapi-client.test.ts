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
  writeFileSync(
    join(folder, 'openapi.json'),
    await (await fetch(`${reel.url}/api/v1/reel/openapi.json`)).text(),
  );
});
afterAll(async () => {
  await reel?.close();
  rmSync(folder, { recursive: true, force: true });
});

const node = (program: string, ...args: string[]) =>
  run(process.execPath, [join(root, program), ...args], { cwd: folder }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${program}: ${error.stdout}${error.stderr}`);
    },
  );

test('a client by openapi-typescript compiles in a folder of its own, and is understood by a server', async () => {
  await node('node_modules/openapi-typescript/bin/cli.js', 'openapi.json', '--output', 'reel.d.ts');

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
  await node('node_modules/@typescript/native/bin/tsc', '-p', folder);

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

test('a client in Python by quicktype needs nothing but the standard library, and is understood by a server', async ({
  skip,
}) => {
  const python = await run('python3', ['--version']).catch(() => null);
  skip(python === null, 'there is no python3 on this machine');
  await node('docs/examples/python-types.mjs', 'openapi.json', 'reel_types.py');
  cpSync(join(root, 'tests/fixtures/rest-client.py'), join(folder, 'client.py'));

  const tenant = randomUUID();
  const tokens = [await moduleToken(), await viewer(tenant)];
  // Without what else is installed for Python here.
  const { stdout } = await run('python3', ['-S', '-W', 'error', 'client.py', reel.url, ...tokens, tenant], {
    cwd: folder,
  });
  expect(JSON.parse(stdout)).toEqual({
    same: true,
    data: { amounts: [1, 2.5], paid: null },
    name: 'Zoë',
    total: 1,
    batch: [201, 422],
    stored: 'invoices.send',
    fault: ['body', 'entries', 1, 'action'],
    count: 2,
    refused: [422, ['query', 'severity'], 404, 'Log entry not found'],
  });
});
