import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordCount } from '../../src/cli/record-count.js';
import type { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { EXPORT_FORMATS } from '../../src/log/export/export-format.js';
import { LogExportFormat } from '../../src/log/export/export-logs-input.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { grant, person, startReel, type TestReel } from '../support/reel.js';

let reel: TestReel;
let directory: string;
let tenant: string;
let client: string;
let remote: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reel-export-'));
  reel = await startReel();
  const ran = await runCommand(['seed', '--entries', '1500', '--json'], settingsOf(reel.own));
  const [seeded] = JSON.parse(ran.stdout);
  [tenant, client] = [seeded.tenantId, seeded.clientIds[0]];
  const token = await person({ grants: [grant(tenant, `reel.logs.export:CLIENT:${client}`)] });
  remote = { REEL_URL: reel.url, REEL_TOKEN: token };
}, 60_000);
afterAll(async () => {
  await reel?.close();
  await rm(directory, { recursive: true, force: true });
});

const matching = async (condition: string) => {
  const [row] = await reel.own.query(
    `select count(*)::int as n from reel_log_entries where tenant_id = $1 and client_id = $2 and ${condition}`,
    [tenant, client],
  );
  return row!.n as number;
};

test('writes NDJSON to stdout and says how many', async () => {
  const ran = await runCommand(['export', '--format', 'ndjson', '--include-data'], remote);
  const count = await matching('true');
  expect(ran).toMatchObject({ code: 0, stderr: `${count} entries\n` });
  const lines = ran.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(count);
  for (const line of lines) expect(line).toMatchObject({ tenant_id: tenant, client_id: client });
  expect(lines.some(({ data }) => data !== null)).toBe(true);
});

test('the names of LogFilter are its options', async () => {
  const count = await matching(
    `module in ('guardian', 'billing') and severity >= 2 and action not in ('users.delete', 'users.create')`,
  );
  expect(count).toBeGreaterThan(3);
  const line = `export --modules guardian --modules billing --min-severity warning --not-actions users.delete --query -action:users.create --format JSON --start-date -60d --client ${client} --tenant ${tenant}`;
  const ran = await runCommand(line.split(' '), remote);
  expect(ran).toMatchObject({ code: 0, stderr: `${count} entries\n` });
  expect(JSON.parse(ran.stdout)).toMatchObject({ count });
});

test('a condition on data is a path, or one with an operator and a value', async () => {
  const [first] = await reel.own.query(
    `select jsonb_object_keys(data) as key from reel_log_entries where tenant_id = '${tenant}' and client_id = '${client}' and data is not null limit 1`,
  );
  const key = String(first!.key);
  const has = `jsonb_exists(data, '${key}')`;
  for (const [conditions, where] of [
    [[`"${key}"`], has],
    [[`"${key}"`, `"${key}"!=no such value`], has],
    [[`"${key}"=no such value`], 'false'],
    [[`"${key}"!=no such value`], 'true'],
  ] as const) {
    const args = conditions.flatMap((condition) => ['--data', condition]);
    const ran = await runCommand(
      ['export', '--actor-types', 'user', '--actor-types', 'SYSTEM', ...args],
      remote,
    );
    const count = await matching(`coalesce(actor_type, 0) in (0, 3) and ${where}`);
    expect(ran).toMatchObject({ code: 0, stderr: `${count} entries\n` });
  }
});

test.each<[string[], RegExp]>([
  [['--data', '=1'], /--data.*Expected a path, such as error/],
  [['--outcomes', 'lost'], /--outcomes.*Expected one of SUCCESS, FAILURE, DENIED/],
])('an option of a bad value is refused by name: %j', async (args, said) => {
  const ran = await runCommand(['export', ...args], remote);
  expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(said) });
});

test('a file appears once it is whole', async () => {
  const output = join(directory, 'entries.csv');
  const ran = await runCommand(['export', '--output', output, '--json'], remote);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const told = JSON.parse(ran.stdout);
  expect(told).toMatchObject({
    output,
    entries: await matching('true'),
    filename: expect.stringMatching(/^logs_.*\.csv$/),
  });
  expect(await readFile(output, 'utf8')).toMatch(/^id,created_at,.*\r\n/);
  expect(await readdir(directory)).toEqual(['entries.csv']);
});

describe('what could not be done ends with 2 and one line', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    ['no credential', [], { REEL_TOKEN: 'x.y.z' }, /UNAUTHENTICATED/],
    ['no grant', ['--client', '0196f2f0-0000-7000-8000-00000000c001'], {}, /FORBIDDEN: .*reel\.logs\.export/],
    ['a faulty query line', ['--query', 'severity:'], {}, /BAD_USER_INPUT/],
    ['a time zone that is none', ['--time-zone', 'Mars/Olympus'], {}, /BAD_USER_INPUT: timeZone/],
    ['a path that is none', ['--data', 'a[0]=1'], {}, /BAD_USER_INPUT: data\[0\]\.path/],
    ['no server there', [], { REEL_URL: 'http://127.0.0.1:65534' }, /127\.0\.0\.1:65534: ECONNREFUSED/],
    [
      'a folder that is not there',
      ['--output', '/nowhere/at/all.csv'],
      {},
      /--output: \/nowhere\/at\/all\.csv: expected to write it to the end, got ENOENT/,
    ],
    ['JSON beside the export', ['--json'], {}, /--output FILE/],
  ])('%s', async (_, args, settings, said) => {
    const ran = await runCommand(['export', ...args], { ...remote, ...settings });
    expect(ran.stderr).toMatch(said);
    expect(ran.stderr).toMatch(/^reel: .*\n$/);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
  });
});

test('fewer entries than announced end with 1 and leave no file', async () => {
  const short = createServer((request, response) => {
    if (request.url === '/graphql')
      response
        .setHeader('content-type', 'application/json')
        .end(
          `{"data":{"exportLogs":{"downloadUrl":"/f","filename":"f.csv","recordCount":3,"expiresAt":"2026-01-05T10:00:00.000000Z"}}}`,
        );
    else response.end('id\r\n1\r\n2\r\n');
  });
  await new Promise<void>((done) => short.listen(0, '127.0.0.1', done));
  const settings = { REEL_TOKEN: 'x', REEL_URL: `http://127.0.0.1:${(short.address() as AddressInfo).port}` };
  const output = join(directory, 'short.csv');
  const ran = await runCommand(['export', '--output', output], settings);
  expect(ran).toEqual({ code: 1, stdout: '', stderr: 'reel: expected 3 entries, got 2\n' });
  expect(await readdir(directory)).not.toContain('short.csv');
  expect(await runCommand(['export'], settings)).toMatchObject({ code: 1, stdout: 'id\r\n1\r\n2\r\n' });
  short.close();
});

test.each(Object.values(LogExportFormat))(
  'records of %s are counted whatever stands in them and however they are cut',
  (format) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.string({ unit: 'grapheme' }),
            fc.string({ unit: fc.constantFrom('"', '\n', '{', '}', '\\', ',', '\r') }),
          ),
          { maxLength: 8 },
        ),
        fc.array(fc.nat(), { maxLength: 6 }),
        (rows, cuts) => {
          const columns = [
            { field: 'action', name: 'action', isText: true },
            { field: 'data', name: 'data', isText: false },
          ] as const;
          const entries = rows.map(([action, text]) => ({
            action: action + text,
            data: { [text]: { a: [text] } },
          })) as unknown as LogEntry[];
          const writer = EXPORT_FORMATS[format];
          const bytes = Buffer.from(
            writer.head(columns) +
              (entries.length > 0 ? writer.rows(entries, columns, true) : '') +
              writer.tail(entries.length),
          );
          const count = recordCount(format);
          const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort(
            (a, b) => a - b,
          );
          for (const [index, end] of ends.entries()) count.add(bytes.subarray(ends[index - 1] ?? 0, end));
          expect(count.total()).toBe(entries.length);
        },
      ),
    );
  },
);

test('a file that is cut off has no count', () => {
  for (const [format, text] of [
    [LogExportFormat.CSV, 'id\r\n"a\r\n'],
    [LogExportFormat.JSON, '{"logs":[{"id":"a"}'],
    [LogExportFormat.NDJSON, '{"id":"a"}\n{"id"'],
  ] as const) {
    const count = recordCount(format);
    count.add(Buffer.from(text));
    expect(count.total()).toBeNull();
  }
  const proofs = recordCount(LogExportFormat.NDJSON);
  proofs.add(Buffer.from('{"id":"a"}\n{"checkpoint":"…"}\n'));
  expect(proofs.total()).toBe(1);
});
