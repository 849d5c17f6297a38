import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readVkey } from '../../src/seal/note.js';
import { type CommandResult, runCommand, settingsOf } from '../support/cli.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const keys = generateKeyPairSync('ed25519');
const SETTINGS = {
  REEL_SIGNING_KEY: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  REEL_ORIGIN: 'reel.test',
};
const [tenantId, clientId] = [randomUUID(), randomUUID()];
let reel: TestReel;
let folder: string;
let exported: string;
let run: (...args: string[]) => Promise<CommandResult>;
const fileOf = async (name: string, text: string) => {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
};
const outcome = ({ code, stdout, stderr }: CommandResult) => ({
  code,
  stdout: stdout.split('\n').slice(0, -1),
  stderr,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reel-verify-'));
  reel = await startReel(SETTINGS);
  run = (...args) => runCommand(args, { ...settingsOf(reel.own), ...SETTINGS });
  const inputs = Array.from({ length: 300 }, (_, index) => ({
    module: 'guardian',
    action: 'users.update',
    tenantId,
    clientId,
    actorEmail: 'ana@example.com',
    data: { index, text: 'U+2028 \u2028 is no line end' },
  }));
  await reel.graphql(
    await moduleToken(),
    'mutation ($i: [CreateLogInput!]!) { createLogs(inputs: $i) { id } }',
    {
      i: inputs,
    },
  );
  const exporter = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
  const { body } = await reel.graphql(
    exporter,
    'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl } }',
    { input: { format: 'NDJSON', includeProofs: true, includeData: true } },
    { 'X-Client-Id': clientId },
  );
  exported = await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text();
  // Reel's own entry about the export, too, is to be sequenced before the tests look.
  await vi.waitFor(
    async () => expect(await reel.own.query('select from reel_log_inbox')).toEqual([]),
    60_000,
  );
});
afterAll(async () => {
  await reel?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('reel verify --tenant', () => {
  test('says ok in one line, with the root of the newest checkpoint', async () => {
    const { code, stdout } = outcome(await run('verify', '--tenant', tenantId));
    const [, size, root] = (await run('checkpoint', '--tenant', tenantId)).stdout.split('\n');
    expect(stdout).toEqual([`ok tenant ${tenantId} size ${size} root ${root}`]);
    expect(code).toBe(0);
    const json = await run('verify', '--tenant', tenantId, '--json');
    expect(JSON.parse(json.stdout)).toEqual({ ok: true, tenantId, size: Number(size), root, faults: [] });
  });

  test('checks that the log extends a trusted checkpoint', async () => {
    const note = (await run('checkpoint', '--tenant', tenantId)).stdout;
    const kept = await fileOf('kept.txt', note);
    expect((await run('verify', '--tenant', tenantId, '--checkpoint', kept)).code).toBe(0);
    const forged = await fileOf(
      'forged.txt',
      note.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
    );
    const { code, stdout } = outcome(await run('verify', '--tenant', tenantId, '--checkpoint', forged));
    expect(code).toBe(1);
    expect(stdout).toEqual([
      expect.stringMatching(/^checkpoint \d+: the note in --checkpoint is not signed by a known key$/),
    ]);
    const other = outcome(await run('verify', '--tenant', randomUUID(), '--checkpoint', kept));
    expect(other.stdout[0]).toMatch(/^checkpoint \d+: the note in --checkpoint is of the log reel\.test\//);
    const nothing = await fileOf('nothing.txt', 'nothing');
    expect((await run('verify', '--tenant', tenantId, '--checkpoint', nothing)).code).toBe(2);
  });

  test('reports each fault with its sequence and exits with 1', async () => {
    const changed =
      'update reel_log_entries set action = $2 where id = (select entry_id from reel_log_sequence where tenant_id = $1 and seq = 17)';
    await reel.own.query(changed, [tenantId, 'users.delete'], 'superuser');
    const ran = outcome(await run('verify', '--tenant', tenantId));
    const json = await run('verify', '--tenant', tenantId, '--json');
    await reel.own.query(changed, [tenantId, 'users.update'], 'superuser');
    expect(ran.stdout).toEqual([expect.stringMatching(/^changed 17: entry [0-9a-f-]{36}: /)]);
    expect(ran).toMatchObject({ code: 1, stderr: `reel: 1 fault in the log of tenant ${tenantId}\n` });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, faults: [{ kind: 'changed', sequence: 17 }] });
  });

  test('of a tenant without entries is ok', async () => {
    const nobody = randomUUID();
    const { code, stdout } = outcome(await run('verify', '--tenant', nobody));
    expect([code, ...stdout]).toEqual([
      0,
      `ok tenant ${nobody} size 0 root 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`,
    ]);
  });

  test.each([
    [[]],
    [['--tenant', 'x']],
    [['--tenant', tenantId, '--export', 'x', '--key', 'y']],
    [['--export', 'x']],
    [['--tenent', tenantId]],
  ])('refuses %j', async (args) => {
    expect((await run('verify', ...args)).code).toBe(2);
  });
});

describe('reel verify --export', () => {
  let pem: string;
  beforeAll(async () => {
    pem = await fileOf('public.pem', keys.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  });
  // Without any setting: neither database nor server.
  const check = async (text: string, ...more: string[]) => {
    const file = await fileOf(`${randomUUID()}.ndjson`, text);
    return outcome(
      await runCommand(['verify', '--export', file, '--key', pem, ...more], { REEL_DATA_DIR: folder }),
    );
  };

  test('says ok with the public key as PEM or as published', async () => {
    const { code, stdout } = await check(exported);
    expect(stdout).toEqual([expect.stringMatching(`^ok tenant ${tenantId} size \\d+ root \\S{44}$`)]);
    expect(code).toBe(0);
    const vkeys = await fileOf('keys.txt', await (await fetch(`${reel.url}/.well-known/reel-keys`)).text());
    const file = await fileOf('export.ndjson', exported);
    expect((await runCommand(['verify', '--export', file, '--key', vkeys], {})).code).toBe(0);
  });

  test('reports what was changed, added, moved, repeated or cut', async () => {
    const lines = exported.split('\n').slice(0, -1);
    const withLines = (change: (all: string[]) => void) => {
      const copy = [...lines];
      change(copy);
      return `${copy.join('\n')}\n`;
    };
    const sequenceOf = (line: number) => JSON.parse(lines[line]!).proof.entry.sequence;
    const cases: [string, string][] = [
      [
        withLines((all) => all.splice(4, 1, lines[4]!.replaceAll('ana@example.com', 'bob@example.com'))),
        `changed ${sequenceOf(4)}`,
      ],
      [
        withLines((all) => all.splice(4, 1, lines[4]!.replace('users.update', 'users.delete'))),
        `changed ${sequenceOf(4)}`,
      ],
      [
        withLines((all) => all.splice(4, 1, lines[4]!.replaceAll('"index":4', '"index":5'))),
        `changed ${sequenceOf(4)}`,
      ],
      [withLines((all) => all.splice(5, 0, lines[4]!)), `extra ${sequenceOf(4)}`],
      [withLines((all) => all.splice(4, 2, lines[5]!, lines[4]!)), `moved ${sequenceOf(4)}`],
      [
        withLines((all) =>
          all.splice(4, 1, lines[4]!.replace(`"sequence":${sequenceOf(4)},`, `"sequence":${sequenceOf(5)},`)),
        ),
        `moved ${sequenceOf(5)}`,
      ],
      [withLines((all) => all.splice(4, 1, lines[4]!.slice(0, 300))), `changed ${sequenceOf(3) + 1}`],
      [
        withLines((all) => all.splice(4, 1, `${lines[4]!}${' '.repeat(4 * 1024 * 1024)}{"id":"FORGED"}`)),
        `changed ${sequenceOf(3) + 1}`,
      ],
      [
        withLines((all) => all.splice(4, 1, `{${' '.repeat(5 * 1024 * 1024)}${lines[4]!.slice(1)}`)),
        `changed ${sequenceOf(3) + 1}`,
      ],
      [
        withLines((all) => all.splice(-1, 1, `{"id":"FORGED"}${' '.repeat(70_000)}${all.at(-1)}`)),
        'checkpoint 0',
      ],
      [withLines((all) => all.pop()), 'checkpoint 0'],
      [withLines((all) => all.splice(-1, 1, all.at(-1)!.replace(/\\n(\d)/, '\\n9$1'))), 'checkpoint '],
    ];
    for (const [text, expected] of cases) {
      const { code, stdout } = await check(text);
      expect(stdout[0]).toMatch(new RegExp(`^${expected}`));
      expect(code).toBe(1);
    }
  });

  test('reports a note signed by another key', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const other = await fileOf('other.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const file = await fileOf('export.ndjson', exported);
    const ran = outcome(await runCommand(['verify', '--export', file, '--key', other], {}));
    expect(ran.stdout).toEqual([
      expect.stringMatching(/^checkpoint \d+: the note in the last line is not signed by a known key$/),
    ]);
    expect((await runCommand(['verify', '--export', file, '--key', file], {})).code).toBe(2);
    expect((await runCommand(['verify', '--export', join(folder, 'none'), '--key', pem], {})).code).toBe(2);
  });
});

describe('reel key', () => {
  test('prints what the server publishes', async () => {
    const published = await (await fetch(`${reel.url}/.well-known/reel-keys`)).text();
    const ran = await run('key');
    expect(ran).toMatchObject({ code: 0, stdout: published });
    expect(readVkey(published.trim())).toMatchObject({ name: 'reel.test' });
  });

  test('a new one in front of those that have signed', async () => {
    const made = await runCommand(['key', '--new'], { REEL_ORIGIN: 'reel.test', REEL_DATA_DIR: folder });
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^-----BEGIN PRIVATE KEY-----\n\S+\n-----END PRIVATE KEY-----\n$/);
    const next = await runCommand(['key'], {
      ...settingsOf(reel.own),
      ...SETTINGS,
      REEL_SIGNING_KEY: made.stdout,
    });
    const [first, second, ...rest] = next.stdout.trim().split('\n');
    expect(made.stderr).toContain(first);
    expect(second).toBe((await run('key')).stdout.trim());
    expect(rest).toEqual([]);
    const json = await run('key', '--json');
    expect(JSON.parse(json.stdout)).toEqual({ keys: [second] });
  });
});

test('reel checkpoint of nothing ends with 1', async () => {
  const ran = await run('checkpoint', '--tenant', randomUUID());
  expect(ran).toMatchObject({ code: 1, stdout: '' });
});
