import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsOf } from './cli.js';
import { grant, JWT_SECRET, moduleToken, person, SERVICE_SECRET, startReel, type TestReel } from './reel.js';

const root = resolve(import.meta.dirname, '..');
const run = promisify(execFile);
const tenantId = randomUUID();
const client = randomUUID();
let reel: TestReel;
let directory: string;
let env: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reel-trust-'));
  await copyFile(join(root, 'docs/examples/check-export.mjs'), join(directory, 'check-export.mjs'));
  await writeFile(
    join(directory, 'reel'),
    `#!/bin/sh\nexec "${process.execPath}" "${root}/dist/cli/reel.js" "$@"\n`,
    { mode: 0o755 },
  );
  reel = await startReel({ REEL_DATA_DIR: directory });
  const inputs = Array.from({ length: 700 }, (_, index) => ({
    module: 'billing',
    action: 'invoices.update',
    tenantId,
    clientId: index % 3 === 0 ? client : null,
    actorEmail: `person-${index}@example.com`,
    ipAddress: '10.0.0.1',
    resourceId: String(index),
    data: { after: { amount: index / 8, note: `„ü“ ${index}`, nested: { b: [1, null], a: true } } },
  }));
  const token = await moduleToken();
  for (const part of [inputs.slice(0, 300), inputs.slice(300)])
    await reel.graphql(
      token,
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs: part },
    );
  env = {
    PATH: `${directory}:${resolve(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`,
    REEL_URL: reel.url,
    REEL_TOKEN: await person({
      grants: [
        grant(tenantId, 'reel.logs.view:ACCOUNT'),
        grant(tenantId, `reel.logs.export:CLIENT:${client}`),
      ],
    }),
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_DATA_DIR: directory,
    ...settingsOf(reel.own),
    TENANT: tenantId,
    CLIENT: client,
  };
});
afterAll(async () => {
  await reel?.close();
  await rm(directory, { recursive: true, force: true });
});

const shell = (commands: string) => run('sh', ['-euc', commands], { cwd: directory, env });

test('every command of docs/trust.md runs as it stands, one after the other', async () => {
  const page = await readFile(join(root, 'docs/trust.md'), 'utf8');
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);
  expect(blocks).toHaveLength(4);
  // A machine without curl: the same by Node.
  await writeFile(
    join(directory, 'curl'),
    '#!/bin/sh\nexec node -e "fetch(process.argv[1]).then(r=>r.text()).then(t=>process.stdout.write(t))" "$2"\n',
    { mode: 0o755 },
  );
  await expect
    .poll(async () => (await shell('reel verify --tenant "$TENANT"')).stdout, { timeout: 20_000 })
    .toContain('size 700');
  const said: string[] = [];
  for (const block of blocks) said.push((await shell(block)).stdout);
  expect(said[1]).toMatch(/^ok tenant \S+ size 70\d root \S+\n$/m);
  expect(said[3]).toMatch(/^ok tenant \S+ size 70\d root \S+\nok 234 entries of \S+, signed at size 70\d\n$/);
});

test.each([
  ['a field', (text: string) => text.replace('"amount":0.375', '"amount":0.376')],
  ['an address', (text: string) => text.replaceAll('person-6@', 'person-7@')],
  ['a place', (text: string) => text.replaceAll('"sequence":4,', '"sequence":5,')],
  ['the checkpoint', (text: string) => text.replace(/\\n70\d\\n/, '\\n699\\n')],
])('both find that %s was changed', async (_what, change) => {
  const text = await readFile(join(directory, 'evidence.ndjson'), 'utf8');
  expect(change(text)).not.toBe(text);
  await writeFile(join(directory, 'changed.ndjson'), change(text));
  for (const command of [
    'reel verify --export changed.ndjson --key keys.txt',
    'node check-export.mjs changed.ndjson keys.txt',
  ])
    await expect(shell(command)).rejects.toMatchObject({ code: 1 });
});
