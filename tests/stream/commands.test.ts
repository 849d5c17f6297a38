import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommand, startCommand } from '../support/cli.js';
import { freePort } from '../support/free-port.js';
import { Receiver } from '../support/receiver.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';
import { manager, SECRET, StreamCalls, store } from '../support/streams.js';

const tenant = randomUUID();
let reel: TestReel;
let token: string;
let folder: string;
let settings: Record<string, string>;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken();
  folder = await mkdtemp(join(tmpdir(), 'reel-streams-'));
  settings = { REEL_URL: reel.url, REEL_TOKEN: await manager(tenant) };
  await writeFile(file('secret'), `${SECRET}\n`);
  await writeFile(file('keys'), await (await fetch(`${reel.url}/.well-known/reel-keys`)).text());
});
afterAll(async () => {
  await reel.close();
  await rm(folder, { recursive: true });
});

const run = async (...args: string[]) => {
  const result = await runCommand(['stream', ...args], settings);
  return {
    ...result,
    json: result.stdout.startsWith('{') || result.stdout.startsWith('[') ? JSON.parse(result.stdout) : null,
  };
};

describe('a stream by commands', () => {
  it('is set up, received, and proven complete', async () => {
    const port = await freePort();
    const output = file('received.ndjson');
    const receiving = startCommand([
      'stream',
      'receive',
      '--port',
      `${port}`,
      '--secret-file',
      file('secret'),
      '--output',
      output,
    ]);
    await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(405), 60_000);
    const url = `http://127.0.0.1:${port}/`;
    const added = await run(
      'add',
      '--kind',
      'webhook',
      '--name',
      'mine',
      '--set',
      `url=${url}`,
      '--set',
      'batchEntries=7',
      '--secret-file',
      file('secret'),
      '--after',
      '0',
    );
    expect(added).toMatchObject({ code: 0, stderr: '' });
    const id = added.stdout.trim();
    await store(
      reel,
      token,
      tenant,
      Array.from({ length: 60 }, (_, at) => ({ resource_id: `${at}`, data: { at } })),
    );
    const calls = await StreamCalls.of(reel, tenant);
    await calls.until(id, ({ position }) => expect(position).toBe(61));
    expect(await run('test', id)).toMatchObject({ code: 0, stdout: '204\n' });
    const shown = await run('show', id, '--json');
    expect(shown.json).toMatchObject({
      id,
      kind: 'WEBHOOK',
      position: 61,
      settings: { batchEntries: 7, url },
    });
    expect((await run('list')).stdout).toContain(`${id}  webhook  running  at 61  0 behind  mine`);
    expect((await run('attempts', id, '--json')).json[0]).toMatchObject({ last: 61, delivered: true });
    receiving.child.kill('SIGTERM');
    expect((await receiving.ended).code).toBe(0);

    const verified = await runCommand(['verify', '--stream', output, '--key', file('keys')]);
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stdout).toMatch(new RegExp(`^ok tenant ${tenant} size 61 root \\S+\n$`));
    expect(verified.stderr).toContain(
      `stream ${id}: sequences 1 to 61, 61 entries, 0 removed by retention, 0 parked`,
    );

    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(8);
    const faults = async (changed: string[], ...more: string[]) => {
      await writeFile(file('changed'), changed.join('\n'));
      const { code, stdout } = await runCommand([
        'verify',
        '--stream',
        file('changed'),
        ...more,
        '--key',
        file('keys'),
      ]);
      return {
        code,
        kinds: stdout
          .split('\n')
          .map((line) => line.split(' ')[0])
          .filter(Boolean),
      };
    };
    // In two files, of which one is compressed, the later one first, and some twice.
    await writeFile(file('first.ndjson.gz'), gzipSync(lines.slice(0, 5).join('\n')));
    expect(await faults(lines.slice(3), file('first.ndjson.gz'))).toEqual({ code: 0, kinds: ['ok'] });
    expect(await faults([...lines.slice(0, 3), ...lines.slice(4)])).toEqual({ code: 1, kinds: ['missing'] });
    const parsed = lines.map((line) => JSON.parse(line));
    const without = structuredClone(parsed);
    without[2].entries.splice(1, 1);
    expect(await faults(without.map((each) => JSON.stringify(each)))).toEqual({
      code: 1,
      kinds: ['missing'],
    });
    const changed = structuredClone(parsed);
    changed[2].entries[1].data.at = 1_000;
    expect(await faults(changed.map((each) => JSON.stringify(each)))).toEqual({
      code: 1,
      kinds: ['changed'],
    });
    const both = structuredClone(changed);
    both[2].entries[1].proof.entry.data.at = 1_000;
    expect(await faults(both.map((each) => JSON.stringify(each)))).toMatchObject({
      code: 1,
      kinds: ['changed'],
    });
    const wider = structuredClone(parsed);
    wider[2].last += 1;
    wider[3].first += 1;
    wider[3].previous += 1;
    wider[3].entries.splice(0, 1);
    expect(await faults(wider.map((each) => JSON.stringify(each)))).toMatchObject({
      code: 1,
      kinds: ['missing'],
    });
    const signed = structuredClone(parsed);
    signed[0].checkpoint = signed[0].checkpoint.replace(/\n\d+\n/, '\n100\n');
    expect(await faults(signed.map((each) => JSON.stringify(each)))).toMatchObject({
      code: 1,
      kinds: ['checkpoint', 'missing'].slice(0, 1),
    });
    expect((await faults([...lines.slice(0, 4), '{}', 'nonsense'])).code).toBe(1);
  });

  it('is paused, resumed, replayed and removed, and lists what is parked', async () => {
    const receiver = await Receiver.start(() => ({ status: 422, body: 'no' }));
    try {
      const added = await run(
        'add',
        '--kind',
        'webhook',
        '--name',
        'refused',
        '--set',
        `url=${receiver.url}`,
        '--secret-file',
        file('secret'),
        '--json',
      );
      const { id } = added.json;
      const calls = await StreamCalls.of(reel, tenant);
      await calls.until(id, ({ parkedCount }) => expect(parkedCount).toBeGreaterThan(0));
      expect((await run('parked', id)).stdout).toMatch(/^\d+ {2}[0-9a-f-]{36} {2}\S+ {2}422 no\n/);
      expect(await run('test', id)).toMatchObject({ code: 1, stdout: '422 no\n' });
      expect((await run('pause', id, '--json')).json.state).toBe('PAUSED');
      receiver.behaviour = () => ({ status: 204 });
      expect((await run('resume', id, '--json')).json.state).toBe('RUNNING');
      await run('parked', id, '--retry');
      await calls.until(id, ({ parkedCount, lagEntries }) =>
        expect([parkedCount, lagEntries]).toEqual([0, 0]),
      );
      expect((await run('replay', id, '--after', '10', '--json')).code).toBe(0);
      expect((await run('replay', id)).code).toBe(2);
      expect((await run('remove', id)).stdout).toBe(`removed ${id}\n`);
      expect(await run('show', id)).toMatchObject({
        code: 2,
        stderr: `reel: expected the id of a stream, got ${id}, which does not exist\n`,
      });
    } finally {
      await receiver.close();
    }
  });

  it('takes a format, a query line and a client', async () => {
    const receiver = await Receiver.start();
    const client = randomUUID();
    try {
      const of = ['--set', `url=${receiver.url}`, '--secret-file', file('secret'), '--after', '0', '--json'];
      const some = ['--format', 'ocsf', '--query', 'action:invoices.cancel', '--client', client];
      const { json } = await run('add', '--kind', 'webhook', '--name', 'some', ...some, ...of);
      expect(json).toMatchObject({ format: 'OCSF', query: 'action:invoices.cancel', clientId: client });
      const cancelled = { action: 'invoices.cancel', client_id: client, resource_id: 'wanted' };
      await store(reel, token, tenant, [{ action: 'invoices.cancel' }, { client_id: client }, cancelled]);
      await (await StreamCalls.of(reel, tenant)).until(json.id, ({ lagEntries }) =>
        expect(lagEntries).toBe(0),
      );
      const entries = receiver.requests.flatMap(({ body }) => JSON.parse(body.toString()).entries);
      expect(entries.map(({ unmapped }) => unmapped.resource_id)).toEqual(['wanted']);
      await run('remove', json.id);
    } finally {
      await receiver.close();
    }
  });

  it('refuses what it does not know', async () => {
    expect((await run('add', '--kind', 'pigeon')).code).toBe(2);
    const unknown = await run(
      'add',
      '--kind',
      'webhook',
      '--name',
      'x',
      '--set',
      'url=http://127.0.0.1:1',
      '--set',
      'colour=red',
      '--secret-file',
      file('secret'),
    );
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('BAD_USER_INPUT: settings: expected only'),
    });
    expect((await runCommand(['verify', '--stream', file('secret')])).code).toBe(2);
  });
});
