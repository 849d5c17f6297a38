import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { settingsOf } from '../support/cli.js';
import { freePort } from '../support/free-port.js';
import { type Received, Receiver, type Reply } from '../support/receiver.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';
import { manager, StreamCalls, store } from '../support/streams.js';
import { blocksOf } from './pages.js';
import { openShell, type Shell } from './shell.js';

const PAGE = 'docs/streams.md';
const tenant = randomUUID();
let reel: TestReel;
let shell: Shell;
let calls: StreamCalls;
beforeAll(async () => {
  shell = await openShell();
  reel = await startReel();
  calls = await StreamCalls.of(reel, tenant);
  Object.assign(shell.env, settingsOf(reel.own), {
    REEL_URL: reel.url,
    REEL_TOKEN: await manager(tenant),
  });
  await store(reel, await moduleToken(), tenant, [{ resource_id: 'a' }, { resource_id: 'b' }]);
});
afterAll(async () => {
  await reel?.close();
  await shell?.close();
});

const examples = () => blocksOf(PAGE).filter(({ language }) => language === 'sh');

test('a webhook in five minutes: its commands run as they stand, and prove what was received', async () => {
  const [receiving, streaming, verifying] = examples().map(({ text }) => text);
  const port = await freePort();
  const here = (text: string) =>
    text
      .replaceAll('http://127.0.0.1:4000', reel.url)
      .replaceAll('127.0.0.1:9000', `127.0.0.1:${port}`)
      .replaceAll('--port 9000', `--port ${port}`)
      .replace('REEL_TOKEN=…', `REEL_TOKEN=${shell.env.REEL_TOKEN}`);
  const receiver = spawn(
    'sh',
    ['-euc', here(receiving!).replace('reel stream receive', 'exec reel stream receive')],
    {
      cwd: shell.directory,
      env: shell.env,
    },
  );
  const ended = once(receiver, 'exit');
  try {
    await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(405), {
      timeout: 60_000,
      interval: 100,
    });
    const { stdout } = await shell.run(here(streaming!));
    const [listed, tested] = stdout.trim().split('\n');
    expect(listed).toMatch(/^[0-9a-f-]{36} {2}webhook {2}running .* To my file$/);
    expect(tested).toBe('204');
    const id = listed!.slice(0, 36);
    // Its own record among them.
    await calls.until(id, ({ position }) => expect(position).toBe(3));
    expect((await shell.run(here(verifying!))).stdout).toMatch(new RegExp(`^ok tenant ${tenant} size 3 `));
  } finally {
    receiver.kill('SIGTERM');
    await ended;
  }
});

test('each kind of stream is set up by its command, as it stands', async () => {
  const adds = examples().flatMap(({ text }) =>
    text.split('\n').filter((line) => line.startsWith('reel stream add')),
  );
  for (const file of adds.flatMap((line) => /--secret-file (\S+)/.exec(line)?.[1] ?? []))
    await writeFile(join(shell.directory, file), 'a-token\n');
  const kinds: string[] = [];
  for (const line of adds) {
    const { stdout } = await shell.run(line);
    const stream = await calls.get(stdout.trim());
    expect(line).toContain(`--kind ${stream.kind.toLowerCase()} --name '${stream.name}'`);
    kinds.push(stream.kind);
    // Nothing answers there.
    await calls.act('pauseStream', stream.id);
  }
  expect(kinds.toSorted()).toEqual(['DATADOG', 'ELASTIC', 'OTLP', 'S3', 'SPLUNK', 'SYSLOG']);
});

test('objects of a bucket are verified as they are, by the command as it stands', async () => {
  const verifying = examples().at(-1)!.text;
  const objects = new Map<string, Buffer>();
  const bucket = ({ path, body }: Received): Reply => {
    objects.set(path.split('/').at(-1)!, body);
    return { status: 200 };
  };
  const receiver = await Receiver.start(bucket);
  const owner = randomUUID();
  const own = await StreamCalls.of(reel, owner);
  await store(reel, await moduleToken(), owner, [{ resource_id: 'a' }, { resource_id: 'b' }]);
  try {
    const { id } = await own.create({
      kind: 'S3',
      secret: 'x',
      settings: {
        endpoint: receiver.url,
        region: 'eu-central-1',
        bucket: 'trail',
        accessKeyId: 'AKIA',
        pathStyle: true,
        batchSeconds: 0,
        batchEntries: 2,
      },
      after: 0,
    });
    // Its own record among them.
    await own.until(id, ({ position }) => expect(position).toBe(3));
    const folder = join(shell.directory, 'objects');
    await mkdir(folder);
    for (const [name, body] of objects) await writeFile(join(folder, name), body);
    const keys = await (await fetch(`${reel.url}/.well-known/reel-keys`)).text();
    await writeFile(join(folder, 'keys.txt'), keys);
    const [first, second] = (await readdir(folder)).filter((name) => name.endsWith('.gz')).toSorted();
    const line = verifying.replace('1-4000.ndjson.gz', first!).replace('4001-4816.ndjson.gz', second!);
    expect([first, second]).toEqual(['1-2.ndjson.gz', '3-3.ndjson.gz']);
    expect((await shell.run(`cd objects\n${line}`)).stdout).toMatch(
      new RegExp(`^ok tenant ${owner} size 3 `),
    );
  } finally {
    await receiver.close();
  }
});
