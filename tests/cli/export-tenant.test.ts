import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entryNames, exportColumns } from '../../src/log/entry/wire.js';
import { type CommandResult, runCommand, settingsOf, startCommand } from '../support/cli.js';
import { createDatabase } from '../support/postgres.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';

let reel: TestReel;
let directory: string;
let tenant: string;
let client: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reel-export-tenant-'));
  reel = await startReel();
  const ran = await runCommand(['seed', '--entries', '1500', '--json'], settingsOf(reel.own));
  const [seeded] = JSON.parse(ran.stdout);
  [tenant, client] = [seeded.tenantId, seeded.clientIds[0]];
}, 60_000);
afterAll(async () => {
  await reel?.close();
  await rm(directory, { recursive: true, force: true });
});

/** As an operator: the server's role is enough. */
const runtime = () => ({ REEL_DATABASE_URL: reel.own.runtimeUrl });
const exporting = (...more: string[]) => [
  'export',
  '--tenant',
  tenant,
  '--operator',
  'Olga Operator',
  ...more,
];
const operatorExport = (...more: string[]) => runCommand(exporting(...more), runtime());
const records = (tenantId: string) =>
  reel.own.query(
    `select actor_id, actor_name, actor_email, resource_id, data from reel_log_entries
     where tenant_id = $1 and action = 'reel.logs.exported' order by id`,
    [tenantId],
  );
const ids = async (condition = 'true') =>
  (
    await reel.own.query(
      `select e.id from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
       where e.tenant_id = $1 and ${condition} order by s.seq`,
      [tenant],
    )
  ).map(({ id }) => id as string);
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('everything that was acknowledged before, those without a client too, is in it, and it is recorded', async () => {
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
    { input: { module: 'guardian', action: 'a', tenantId: tenant } },
  );
  const ran = await operatorExport('--format', 'ndjson', '--include-data', '--all-fields');
  expect(ran.code).toBe(0);
  const lines = linesOf(ran.stdout);
  expect(lines.at(-1)).toMatchObject({ id: body.data.createLog.id, client_id: null });
  const [record, ...more] = await records(tenant);
  expect(more).toEqual([]);
  // All but the record itself, which is there before the first byte.
  const all = await ids("action <> 'reel.logs.exported'");
  expect(lines.map(({ id }) => id)).toEqual(all);
  expect(ran.stderr).toBe(`${all.length} entries\n`);
  expect(Object.keys(lines[0])).toEqual(exportColumns(true).map(({ name }) => name));
  expect(record).toEqual({
    actor_id: null,
    actor_name: 'Olga Operator',
    actor_email: null,
    resource_id: null,
    data: {
      step: 'exported',
      command: 'reel export',
      by: expect.stringMatching(/^.+@.+$/),
      exportId: expect.any(String),
      filter: {},
      criteria: { conditions: [], start: null, end: null },
      format: 'NDJSON',
      includeData: true,
      includeProofs: false,
      allFields: true,
      spreadsheet: false,
      upTo: all.length,
      recordCount: all.length,
    },
  });
});

test('with proofs, anyone can check the file', async () => {
  const output = join(directory, 'evidence.ndjson');
  const ran = await operatorExport('--proofs', '--include-data', '--output', output, '--json');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const lines = linesOf(await readFile(output, 'utf8'));
  const entries = lines.length - 1;
  expect(JSON.parse(ran.stdout)).toEqual({ output, tenantId: tenant, entries, upTo: entries });
  expect(lines.at(-1)).toEqual({ checkpoint: expect.stringContaining(`/${tenant}\n`) });
  expect(Object.keys(lines[0].proof.entry)).toEqual(entryNames());
  const keys = join(directory, 'keys.txt');
  await writeFile(keys, await (await fetch(`${reel.url}/.well-known/reel-keys`)).text());
  expect(await runCommand(['verify', '--export', output, '--key', keys])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`^ok tenant ${tenant} `)),
  });
});

test('the names of LogFilter, the query line and every form are its options', async () => {
  const narrowed = await operatorExport(
    ...[
      '--client-id',
      client,
      '--min-severity',
      'warning',
      '--query',
      '-action:users.create',
      '--format',
      'json',
    ],
  );
  const matching = await ids(`client_id = '${client}' and severity >= 2 and action <> 'users.create'`);
  expect(matching.length).toBeGreaterThan(3);
  const { logs, count } = JSON.parse(narrowed.stdout);
  expect([count, logs.map(({ id }: { id: string }) => id)]).toEqual([matching.length, matching]);
  const sheet = await operatorExport('--spreadsheet', '--query', 'module:nobody');
  expect(sheet).toMatchObject({ code: 0, stderr: '0 entries\n' });
  expect(sheet.stdout).toBe(
    `\ufeff${exportColumns()
      .filter(({ name }) => name !== 'data')
      .map(({ name }) => name)
      .join(';')}\r\n`,
  );
});

test('what contradicts itself, or cannot be, ends with 2 and one line, and nothing is recorded', async () => {
  const before = (await records(tenant)).length;
  const elsewhere = { ...runtime(), REEL_URL: reel.url, REEL_TOKEN: 'x' };
  const cases: [string[], RegExp, Record<string, string>?][] = [
    [exporting('--url', reel.url), /--operator <name> and --url <url>, got both/],
    [exporting('--token', 'x'), /--operator <name> and --token <token>, got both/],
    [exporting('--client', client), /--client: expected none with --operator/],
    [['export', '--operator', 'Olga'], /--tenant <id> is required/],
    [['export', '--operator', '', '--tenant', tenant], /Expected 1 to 255 characters/],
    [['export', '--tenant', tenant], /--url \(or REEL_URL\).*or --operator <name>.*got neither/],
    [['export', '--tenant', tenant], /UNAUTHENTICATED/, elsewhere],
    [exporting('--proofs', '--format', 'csv'), /--proofs: expected --format ndjson, got --format csv/],
    [exporting('--proofs', '--spreadsheet'), /--spreadsheet: expected --format csv, got --proofs/],
    [
      exporting('--spreadsheet', '--format', 'json'),
      /--spreadsheet: expected --format csv, got --format json/,
    ],
    [exporting('--query', 'severity:'), /BAD_USER_INPUT/],
    [exporting('--json'), /--output FILE/],
    [exporting('--output', directory), /a regular file, got .*, which is a directory/],
  ];
  const told = await Promise.all(cases.map(([args, , settings]) => runCommand(args, settings ?? runtime())));
  for (const [index, [, said]] of cases.entries()) {
    expect(told[index]).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(said) });
    expect(told[index]!.stderr).toMatch(/^(reel|error): .*\n(\(Did you mean .*\n)?$/);
  }
  // The last one finds out only when it writes.
  expect(await records(tenant)).toHaveLength(before + 1);
}, 120_000);

test('a tenant without entries is no empty file', async () => {
  const other = randomUUID();
  const output = join(directory, 'nobody.csv');
  const ran = await runCommand(
    ['export', '--tenant', other, '--operator', 'Olga', '--output', output],
    runtime(),
  );
  expect(ran).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(`got ${other}, which has none`),
  });
  expect(await readdir(directory)).not.toContain('nobody.csv');
  expect(await records(other)).toEqual([]);
});

/** Without a server: what the command says while an entry waits to be sealed, and what it does with a key. It waits for ten seconds first. */
async function exportWithoutServer(): Promise<void> {
  const own = await createDatabase();
  const tenantId = randomUUID();
  const holder = new pg.Client({ connectionString: own.ownerUrl });
  holder.on('error', () => {});
  await holder.connect();
  const server = await startReel({}, { ...own, drop: async () => {} });
  try {
    // As the sequencer does: nothing of the tenant is sealed meanwhile.
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock(7237534, hashtext($1))', [tenantId]);
    await server.graphql(
      await moduleToken(),
      'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
      { input: { module: 'm', action: 'a', tenantId } },
    );
    await server.close();
    await holder.query('rollback');
    const args = ['export', '--tenant', tenantId, '--operator', 'Olga', '--format', 'json'];
    const settings = { REEL_DATABASE_URL: own.runtimeUrl };
    expect(await runCommand(args, settings)).toEqual({
      code: 2,
      stdout: '',
      stderr: `reel: expected a running server, or REEL_SIGNING_KEY and REEL_ORIGIN, to seal the 1 newest entries of tenant ${tenantId}, which no server sealed within 10 s\n`,
    });
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    const sealing = { ...settings, REEL_SIGNING_KEY: String(key), REEL_ORIGIN: 'reel.example' };
    const ran = await runCommand(args, sealing);
    expect(ran).toMatchObject({ code: 0, stderr: '1 entries\n' });
    expect(JSON.parse(ran.stdout)).toMatchObject({ logs: [{ module: 'm', tenant_id: tenantId }], count: 1 });
  } finally {
    await holder.end();
    await own.drop();
  }
}
let withoutServer: Promise<void>;
beforeAll(() => {
  // Beside all the others, since it only waits.
  withoutServer = exportWithoutServer();
  withoutServer.catch(() => {});
});

describe('interrupted', () => {
  test('by Ctrl-C: 2, and no file that looks whole', async () => {
    const output = join(directory, 'kept.ndjson');
    await writeFile(output, 'from before\n');
    const holder = new pg.Client({ connectionString: reel.own.ownerUrl });
    holder.on('error', () => {});
    await holder.connect();
    await holder.query('begin; lock table reel_log_sequence in access exclusive mode');
    const { child, ended } = startCommand(exporting('--format', 'ndjson', '--output', output), runtime());
    const waiting = () =>
      reel.own.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%union all%from reel_log_sequence%'`,
        [],
        'superuser',
      );
    await expect.poll(waiting).not.toEqual([]);
    child.kill('SIGINT');
    const ran = await ended;
    await holder.query('rollback');
    await holder.end();
    expect(ran).toEqual({ code: 2, stdout: '', stderr: 'reel: interrupted\n' });
    expect(await readFile(output, 'utf8')).toBe('from before\n');
    expect((await readdir(directory)).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('by a reader that goes away: 2', async () => {
    const { child, ended } = startCommand(exporting('--format', 'ndjson', '--include-data'), runtime());
    await once(child.stdout!, 'data');
    child.stdout!.destroy();
    const ran = await ended;
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/^reel: stdout: .* got EPIPE\n$/) });
  });

  test('by a full disk: 2', async () => {
    const child = spawn(
      process.execPath,
      [join(resolve(import.meta.dirname, '..', '..'), 'dist', 'cli', 'reel.js'), ...exporting()],
      { env: { ...process.env, ...runtime() }, stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'] },
    );
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [CommandResult['code']];
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^reel: stdout: .* got ENOSPC\n$/)]);
  });
});

// Last, since it has been under way from the beginning.
test('where no server runs: it says so while entries wait to be sealed, and with a key seals them itself', async () => {
  await withoutServer;
}, 120_000);
