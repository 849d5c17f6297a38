import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Problem } from '../../src/cli/context.js';
import { verifyCommand } from '../../src/cli/verify.js';
import { connect } from '../../src/database/connect.js';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { openShell, type Shell } from '../docs/shell.js';
import { settingsOf } from '../support/cli.js';
import { storeFirstVersion } from '../support/first-version.js';
import {
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
} from '../support/reel.js';

const root = resolve(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const tenantId = randomUUID();
const client = randomUUID();
const PROGRAMS = ['openssl', 'jq', 'xxd', 'base64', 'sha256sum'];
const hasPrograms = PROGRAMS.every((program) => {
  try {
    return execFileSync('which', [program]).length > 0;
  } catch {
    return false;
  }
});
const CHECKERS = [
  'reel verify --export changed.ndjson --key keys.txt',
  'node check-export.mjs changed.ndjson keys.txt',
];
/** Of the client's entries, those that stand for a kind: by their number among all that were made. */
const [BARE, ERASED, ODD] = [9, 6, 12];
/** So many were made, more than one tile of hashes, of which a third are the client's; from `FIRST_VERSION` on they are of leaf version 1. */
const [MADE, FIRST_VERSION] = [300, 270];
const THEIRS = MADE / 3;
/** Of version 1. */
const OLD = 273;
/** What came with leaf version 2; the last two are cut. */
const NEW_FIELDS = {
  actorType: ActorType.AGENT,
  outcome: LogOutcome.DENIED,
  onBehalfOfId: 'customer 7',
  onBehalfOfName: 'Zoë "Z"',
  resourceName: 'Invoice \u2028 4711',
  requestId: 'x'.repeat(300),
  userAgent: 'x'.repeat(2_000),
  repair: true,
};

let reel: TestReel;
let opened: Shell;
let directory: string;
let env: Record<string, string>;
let witness: Server;
let runner: Worker;
const witnessed: string[] = [];
const shell = (commands: string) => opened.run(commands);
const fileOf = (name: string) => readFile(join(directory, name), 'utf8');

/** Runs the page of code it is asked for again and again, as a process would run it once, and answers its exit code. */
const RUNNER = `
  const { parentPort } = require('node:worker_threads');
  let runs = 0;
  parentPort.on('message', async ({ page, argv }) => {
    process.argv.splice(2, Infinity, ...argv);
    process.exitCode = undefined;
    await import(page + '?' + runs++);
    parentPort.postMessage(process.exitCode ?? 0);
    process.exitCode = undefined;
  });`;

/** What the two checkers end with for a file of the folder, each without a process of its own. */
async function outcomesOf(name: string): Promise<{ reel: number; checkExport: number }> {
  const argv = [join(directory, name), join(directory, 'keys.txt')];
  const checkExport = once(runner, 'message').then(([code]) => code as number);
  runner.postMessage({ page: pathToFileURL(join(directory, 'check-export.mjs')).href, argv });
  const program = new Command();
  const nothing = () => {};
  const context = {
    ...{ print: nothing, note: nothing, progress: nothing, expectWholeOutput: nothing },
    ...{ remote: vi.fn(), config: vi.fn() },
  };
  verifyCommand(program, context);
  const reel = program.parseAsync(['verify', '--export', argv[0]!, '--key', argv[1]!], { from: 'user' }).then(
    () => 0,
    (error: unknown) => {
      if (error instanceof Problem) return 1;
      throw error;
    },
  );
  return { reel: await reel, checkExport: await checkExport };
}

/** Data and texts at the edges of what is taken. */
const odd = {
  actorName: 'O\u2028K \u007f "\\/" é e\u0301 \ud83d\ude00 \ufb33',
  userAgent: '\t</script>\u0001',
  data: {
    '\ufb33': -0,
    '\ud83d\ude00': 5e-290,
    '\u20ac': [1e-7, 333333333.3333333, 9007199254740991, 0.1],
    '': null,
    10: {},
    9: [],
    __proto__x: true,
    twice: { twice: '"twice":1' },
  },
};

beforeAll(async () => {
  runner = new Worker(RUNNER, { eval: true, stdout: true });
  opened = await openShell();
  ({ directory, env } = opened);
  for (const name of ['check-export.mjs', 'check-entry.sh'])
    await copyFile(join(root, 'docs/examples', name), join(directory, name));
  witness = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      witnessed.push(body);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(witness, 'listening');
  const { port } = witness.address() as AddressInfo;
  reel = await startReel({ REEL_DATA_DIR: directory, REEL_WITNESS_URL: `http://127.0.0.1:${port}/` });
  const inputs = Array.from({ length: MADE }, (_, index) => ({
    module: 'billing',
    action: 'invoices.update',
    tenantId,
    clientId: index % 3 === 0 ? client : null,
    actorEmail: `person-${index}@example.com`,
    ipAddress: '10.0.0.1',
    resourceId: String(index),
    ...(index % 2 ? NEW_FIELDS : {}),
    ...(index === BARE
      ? {}
      : { data: { after: { amount: index / 8, note: `„ü“ ${index}`, nested: { b: [1, null], a: true } } } }),
    ...(index === ODD ? odd : {}),
  }));
  const token = await moduleToken();
  const ids: string[] = [];
  for (const part of [inputs.slice(0, 200), inputs.slice(200, FIRST_VERSION)]) {
    const { body } = await reel.graphql(
      token,
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs: part },
    );
    expect(body.errors).toBeUndefined();
    ids.push(...body.data.createLogs.map(({ id }: { id: string }) => id));
  }
  const database = await connect(reel.own.runtimeUrl);
  await storeFirstVersion(database, inputs.slice(FIRST_VERSION));
  await database.close();
  Object.assign(env, {
    REEL_URL: reel.url,
    REEL_TOKEN: await person({
      grants: [
        grant(tenantId, 'reel.logs.view:ACCOUNT'),
        grant(tenantId, `reel.logs.export:CLIENT:${client}`),
      ],
    }),
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    ...settingsOf(reel.own),
    TENANT: tenantId,
    CLIENT: client,
    ENTRY: ids[3]!,
  });
  await vi.waitFor(
    async () => expect((await shell('reel verify --tenant "$TENANT"')).stdout).toContain(`size ${MADE}`),
    { timeout: 60_000, interval: 200 },
  );
  await shell(`reel erase --tenant "$TENANT" --entry ${ids[ERASED]} --reason 'request 12'`);
});
afterAll(async () => {
  await reel?.close();
  witness?.close();
  await runner?.terminate();
  await opened?.close();
});

test('every command of docs/trust.md runs as it stands, one after the other', async () => {
  const page = await readFile(join(root, 'docs/trust.md'), 'utf8');
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);
  expect(blocks).toHaveLength(6);
  const said: string[] = [];
  const kept: string[] = [];
  for (const block of blocks) {
    const runs = hasPrograms || !block.includes('check-entry.sh');
    said.push(runs ? (await shell(block)).stdout : '');
    if (block.includes('kept.note')) kept.push(await fileOf('kept.note'));
  }
  for (const note of kept)
    expect(note).toMatch(/^reel\.local\/\S+\n30\d\n\S+\nsealed \S+\n\n— reel\.local \S+\n$/);
  expect(said[2]).toMatch(/^ok tenant \S+ size 30\d root \S+\n$/m);
  expect(said[3]).toBe(`${THEIRS} entries in evidence.ndjson\n`);
  expect(said[4]).toMatch(/^ok tenant \S+ size 30\d root \S+\nok 100 entries of \S+, signed at size 30\d\n$/);
  if (hasPrograms)
    expect(said[5]).toMatch(/^ok entry \S+ at sequence 4 of reel\.local\/\S+; its data was not checked\n$/);
  await shell(
    'reel export --client "$CLIENT" --format ndjson --include-proofs --output bare.ndjson && cp bare.ndjson changed.ndjson',
  );
  expect((await shell(CHECKERS[0]!)).stdout).toMatch(/^ok /);
  expect((await shell(CHECKERS[1]!)).stdout).toMatch(
    new RegExp(`^ok ${THEIRS} entries without their data of `),
  );
});

test('an export proves itself on a machine that has never seen Reel', async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'));
  try {
    for (const name of ['evidence.ndjson', 'keys.txt', 'check-export.mjs'])
      await copyFile(join(directory, name), join(elsewhere, name));
    const nothing = { cwd: elsewhere, env: {} };
    const args = ['check-export.mjs', 'evidence.ndjson', 'keys.txt'];
    const { stdout } = await run(process.execPath, args, nothing);
    expect(stdout).toMatch(/^ok 100 entries of reel\.local\/\S+, signed at size 30\d\n$/);
    const source = await readFile(join(elsewhere, 'check-export.mjs'), 'utf8');
    expect([...source.matchAll(/from '(.+)'/g)].map(([, from]) => from)).toEqual(['node:crypto', 'node:fs']);
  } finally {
    await rm(elsewhere, { recursive: true, force: true });
  }
});

test('what a witness was sent is a note to check the log with', async () => {
  expect(witnessed.length).toBeGreaterThan(0);
  await writeFile(join(directory, 'witnessed.note'), witnessed[0]!);
  const { stdout } = await shell('reel verify --tenant "$TENANT" --checkpoint witnessed.note');
  expect(stdout).toMatch(/^ok tenant /);
});

test('the record of an export says how many lines it is to have', async () => {
  const [prepared] = await reel.own.query(
    `select data from reel_log_entries where tenant_id = $1 and action = 'reel.logs.exported' and data->>'step' = 'prepared'
      order by created_at`,
    [tenantId],
  );
  const lines = (await fileOf('evidence.ndjson')).split('\n').length - 2;
  expect(prepared!.data).toMatchObject({ recordCount: lines, filter: {} });
});

interface Line {
  [name: string]: unknown;
  proof: { entry: Record<string, unknown>; path: string[]; [name: string]: unknown };
}
type Change = (lines: string[]) => void;
/** Of the client's entry with this number among all. */
const lineOf = (number: number) => number / 3;
const onLine =
  (number: number, change: (line: Line) => void): Change =>
  (lines) => {
    const line = JSON.parse(lines[lineOf(number)]!) as Line;
    change(line);
    lines[lineOf(number)] = JSON.stringify(line);
  };
const both = (number: number, name: string, value: unknown): Change =>
  onLine(number, (line) => {
    if (name in line) line[name] = value;
    line.proof.entry[name] = value;
  });
const set = (number: number, name: string, value: (proof: Line['proof']) => unknown): Change =>
  onLine(number, ({ proof }) => {
    proof[name] = value(proof);
  });
const replace =
  (number: number, from: string, to: string): Change =>
  (lines) => {
    lines[lineOf(number)] = lines[lineOf(number)]!.replace(from, to);
  };
const replaceAll = (lines: string[], from: string, to: string) => {
  lines[1] = lines[1]!.replaceAll(from, to);
};

const LATER = ['actor_type', 'outcome', 'on_behalf_of_name', 'resource_name', 'repaired'];
const COLUMNS =
  `id module action severity resource_type resource_id data actor_id actor_email actor_name tenant_id client_id
  ip_address user_agent request_id created_at origin occurred_at on_behalf_of_id`.split(/\s+/);
const anotherOf = (name: string): unknown => {
  if (name === 'data') return { after: 1 };
  if (name === 'severity') return 'CRITICAL';
  if (name === 'repaired') return ['data'];
  if (name === 'actor_type') return 'SERVICE';
  if (name === 'outcome') return 'FAILURE';
  if (name.endsWith('_at')) return '2026-01-05T10:00:00.000000Z';
  return name.endsWith('id') ? '6f2b4c0e-0000-4000-8000-000000000001' : 'another';
};

describe('both checkers of an export', { timeout: 60_000 }, () => {
  const CHANGES: [what: string, change: Change][] = [
    ...[...COLUMNS, ...LATER].flatMap((name): [string, Change][] => [
      [`${name} changed`, both(3, name, anotherOf(name))],
      [`${name} changed in an entry of version 1`, both(OLD, name, anotherOf(name))],
    ]),
    ...LATER.map((name): [string, Change] => [`${name} taken out`, both(3, name, null)]),
    ['another version of the leaf', set(3, 'leaf_version', () => 1)],
    ['another version of a leaf of version 1', set(OLD, 'leaf_version', () => 2)],
    ['a version of the leaf that there is not', set(3, 'leaf_version', () => 3)],
    ['a version of the leaf as text', set(3, 'leaf_version', () => '2')],
    ['no version of the leaf', set(3, 'leaf_version', () => null)],
    ['a version of the leaf, taken out', replace(OLD, '"leaf_version":1,', '')],
    ['an empty list, written as null', both(ODD, 'repaired', null)],
    ['a field of the line alone', replace(3, '"action":"invoices.update"', '"action":"invoices.delete"')],
    ['a field of the line, taken out', replace(3, '"action":"invoices.update",', '')],
    ['a field of both, taken out', (lines) => replaceAll(lines, '"actor_id":null,', '')],
    ['a field that no proof speaks for', (lines) => replaceAll(lines, '"actor_id":', '"x":1,"actor_id":')],
    ['a field that no proof speaks for, in the proof', replace(3, '"proof":{', '"proof":{"approved":true,')],
    ['a name twice, of which others read the first', replace(3, '{', '{"action":"invoices.approve",')],
    ['a name twice in data', replace(3, '"after":{', '"after":{"amount":9,')],
    ['a place', both(3, 'sequence', 5)],
    ['a place past the log', both(3, 'sequence', 1_000_000)],
    ['a place as text', replace(3, '"sequence":4', '"sequence":"4"')],
    [
      'other data, and its salt taken out',
      onLine(3, (line) => {
        line.data = line.proof.entry.data = { after: 'more' };
        line.proof.data_salt = null;
      }),
    ],
    [
      'data taken out with its salt',
      onLine(3, (line) => {
        line.data = line.proof.entry.data = line.proof.data_salt = null;
      }),
    ],
    [
      'data left out of one line',
      onLine(3, (line) => {
        delete line.data;
        delete line.proof.entry.data;
        line.proof.data_salt = null;
      }),
    ],
    ['data where there was none', both(BARE, 'data', { after: 1 })],
    ['who it was, and the salt taken out', set(3, 'identity_salt', () => null)],
    ['who it was, in an erased entry', both(ERASED, 'actor_email', 'person-6@example.com')],
    ['data, in an erased entry', both(ERASED, 'data', { after: 1 })],
    ['digests', set(3, 'data_digest', (proof) => proof.identity_digest)],
    ['a digest of data that is none', set(BARE, 'data_digest', (proof) => proof.leaf_hash)],
    ['the leaf hash', set(3, 'leaf_hash', (proof) => proof.identity_digest)],
    ['the path, cut', set(3, 'path', ({ path }) => path.slice(0, -1))],
    ['the path, longer', set(3, 'path', ({ path, leaf_hash }) => [...path, leaf_hash])],
    ['the path, turned', set(3, 'path', ({ path }) => path.toReversed())],
    ['a key of odd data', replace(ODD, '"10"', '"11"')],
    ['two lines in each other’s place', (lines) => lines.splice(1, 2, lines[2]!, lines[1]!)],
    ['a line twice', (lines) => lines.splice(1, 0, lines[1]!)],
    ['a line cut', (lines) => lines.splice(1, 1, lines[1]!.slice(0, 300))],
    ['an empty line', (lines) => lines.splice(1, 0, '')],
    ['no checkpoint', (lines) => lines.pop()],
    ['a checkpoint of nothing', (lines) => lines.splice(-1, 1, '{"checkpoint":null}')],
    ['the size of the checkpoint', (lines) => lines.push(lines.pop()!.replace(/\\n30\d\\n/, '\\n299\\n'))],
    ['the time of the checkpoint', (lines) => lines.push(lines.pop()!.replace('sealed 2', 'sealed 3'))],
    ['another log’s name', (lines) => lines.push(lines.pop()!.replace(tenantId, client))],
    ['another signer’s name', (lines) => lines.push(lines.pop()!.replace('— reel', '— real'))],
  ];

  /** Without most of those that no change is about, which say nothing new of a checker; that a file may lack lines is below. */
  const fewOf = (lines: string[], all: readonly string[]) => {
    const others = new Set(all.slice(lineOf(ODD) + 1, lineOf(OLD)));
    return lines.filter((line) => !others.has(line));
  };

  test('take the lines that are changed below', async () => {
    const lines = (await fileOf('evidence.ndjson')).split('\n').slice(0, -1);
    const few = fewOf(lines, lines);
    expect(few).toHaveLength(15);
    await writeFile(join(directory, 'few.ndjson'), `${few.join('\n')}\n`);
    expect(await outcomesOf('few.ndjson')).toEqual({ reel: 0, checkExport: 0 });
  });

  test.each(CHANGES)('find %s', async (_what, change) => {
    const all = (await fileOf('evidence.ndjson')).split('\n').slice(0, -1);
    const lines = [...all];
    change(lines);
    const few = fewOf(lines, all);
    expect(few).not.toEqual(fewOf(all, all));
    await writeFile(join(directory, 'changed.ndjson'), `${few.join('\n')}\n`);
    expect(await outcomesOf('changed.ndjson')).toEqual({ reel: 1, checkExport: 1 });
  });

  test('find another tenant’s line, proven there', async () => {
    const [tenant, other] = [randomUUID(), randomUUID()];
    await reel.graphql(
      await moduleToken(),
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs: [1, 2, 3, 4].map(() => ({ module: 'm', action: 'a', tenantId: tenant, clientId: other })) },
    );
    const { body } = await reel.graphql(
      await person({ grants: [grant(tenant, `reel.logs.export:CLIENT:${other}`)] }),
      'mutation { exportLogs(input: { format: NDJSON, includeProofs: true, includeData: true }) { downloadUrl } }',
      {},
      { 'X-Client-Id': other },
    );
    const strange = (await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text()).split('\n')[3]!;
    const lines = (await fileOf('evidence.ndjson')).split('\n');
    lines.splice(1, 0, strange);
    await writeFile(join(directory, 'changed.ndjson'), lines.join('\n'));
    expect(await outcomesOf('changed.ndjson')).toEqual({ reel: 1, checkExport: 1 });
  });

  test('cannot find what docs/trust.md says they cannot: a line that is gone, an entry blanked as erasure does', async () => {
    const lines = (await fileOf('evidence.ndjson')).split('\n').slice(0, -1);
    lines.splice(5, 1);
    const blanked = 'actor_email actor_name ip_address user_agent on_behalf_of_name resource_name data'.split(
      ' ',
    );
    for (const name of blanked) both(3, name, null)(lines);
    for (const name of ['identity_salt', 'data_salt']) set(3, name, () => null)(lines);
    await writeFile(join(directory, 'changed.ndjson'), `${lines.join('\n')}\n`);
    for (const checker of CHECKERS) expect((await shell(checker)).stdout).toMatch(/^ok /);
  });

  /** FLIP_BITS changes more of them. */
  test('find any bit that is changed', { timeout: 120_000 }, async () => {
    const all = (await fileOf('evidence.ndjson')).split('\n').slice(0, -1);
    const kept = [...[3, ERASED, BARE, ODD, OLD].map((number) => all[lineOf(number)]!), all.at(-1)!];
    const bytes = Buffer.from(`${kept.join('\n')}\n`);
    const file = join(directory, 'bits.ndjson');
    const meaning = (text: Uint8Array) => {
      try {
        return Buffer.from(text)
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as unknown);
      } catch {
        return null;
      }
    };
    await writeFile(file, bytes);
    expect(await outcomesOf('bits.ndjson')).toEqual({ reel: 0, checkExport: 0 });
    const meant = meaning(bytes);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length * 8 - 1 }), async (bit) => {
        const copy = Buffer.from(bytes);
        copy[bit >> 3]! ^= 1 << (bit & 7);
        await writeFile(file, copy);
        // 5e-324 and 5E-324 are one number.
        const isSame = isDeepStrictEqual(meaning(copy), meant);
        expect(await outcomesOf('bits.ndjson')).toEqual({ reel: isSame ? 0 : 1, checkExport: 1 });
      }),
      { numRuns: Number(process.env.FLIP_BITS ?? 60) },
    );
  });
});

describe.runIf(hasPrograms)('openssl and jq alone', () => {
  const check = async (number: number, change: Change) => {
    const lines = (await fileOf('evidence.ndjson')).split('\n').slice(0, -1);
    const { id } = JSON.parse(lines[lineOf(number)]!) as Line;
    change(lines);
    await writeFile(join(directory, 'changed.ndjson'), `${lines.join('\n')}\n`);
    return shell(`sh check-entry.sh changed.ndjson keys.txt ${id}`).then(
      ({ stdout }) => stdout.slice(0, 2),
      ({ code, stdout }: { code: number; stdout: string }) => `${code} ${stdout.slice(44).trim()}`,
    );
  };

  test.each([3, BARE, ERASED, 15, OLD, MADE - 3])('take entry %i', async (number) => {
    expect(await check(number, () => {})).toBe('ok');
  });

  test.each<[string, Change]>([
    ['the line says something else than its proof', replace(3, '"invoices.update"', '"invoices.delete"')],
    ['its path does not lead to the signed root', both(3, 'action', 'invoices.delete')],
    ['its path does not lead to the signed root', both(3, 'sequence', 5)],
    ['not within the signed log', both(3, 'sequence', 1_000_000)],
    ['its path does not lead to the signed root', set(3, 'path', ({ path }) => path.slice(0, -1))],
    ['its path does not lead to the signed root', set(3, 'data_digest', (proof) => proof.leaf_hash)],
    ['changed: who', both(3, 'actor_email', 'person-4@example.com')],
    ['changed: who', both(3, 'on_behalf_of_name', 'Zoe')],
    ['changed: who', both(3, 'resource_name', null)],
    ['its path does not lead to the signed root', both(3, 'repaired', [])],
    ['its path does not lead to the signed root', both(3, 'actor_type', 'USER')],
    ['another leaf version: 3', set(3, 'leaf_version', () => 3)],
    ['changed: who', set(3, 'leaf_version', () => 1)],
    ['changed: who', set(3, 'identity_salt', () => null)],
    ['not in the export exactly once', (lines) => lines.splice(1, 0, lines[1]!)],
    [
      'the note is not signed by that key',
      (lines) => lines.push(lines.pop()!.replace('sealed 2', 'sealed 3')),
    ],
    [
      'the note is signed by no key of the file',
      (lines) =>
        lines.push(
          lines.pop()!.replace(/(— \S+ )(.)/, (_, name, first) => name + (first === 'A' ? 'B' : 'A')),
        ),
    ],
  ])('refuse: %s', async (says, change) => {
    expect(await check(3, change)).toBe(`1 ${says}`);
  });

  test.each(LATER)('refuse another %s in an entry of version 1', async (name) => {
    expect(await check(OLD, both(OLD, name, anotherOf(name)))).toBe(
      '1 changed: what no leaf of version 1 has',
    );
  });
});
