import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { readCheckpoint } from '../../src/seal/checkpoint.js';
import { readNote } from '../../src/seal/note.js';
import { ExportCheck } from '../../src/verify/export/export-check.js';
import { readCheckpointLine, readExportLine } from '../../src/verify/export/export-line.js';
import { FastLineCheck } from '../../src/verify/export/fast-line-check.js';
import type { Fault } from '../../src/verify/fault.js';
import { storeFirstVersion } from '../support/first-version.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const [tenantId, clientId] = [randomUUID(), randomUUID()];
const [SIZE, BATCH] = [400, 100];
let reel: TestReel;
const KINDS = ['with data', 'without data', 'with data and all fields', 'without data, with all fields'];
/** By kind. Every entry of the last batch is of leaf version 1. */
const files = new Map<string, { lines: string[]; note: string }>();
const fileOf = (kind: string) => files.get(kind)!;
const hasData = (kind: string) => kind.startsWith('with data');

beforeAll(async () => {
  reel = await startReel();
  for (let from = 0; from < SIZE; from += BATCH) {
    const inputs = Array.from({ length: BATCH }, (_, at) => ({
      module: 'guardian',
      action: 'users.update',
      tenantId,
      clientId,
      ...(at % 2 === 0
        ? {
            actorId: randomUUID(),
            actorEmail: 'Ana@Example.com',
            actorName: 'Ana "Conceição"\\\n\u2028',
            resourceType: 'user',
            resourceId: String(from + at),
            ipAddress: at % 4 === 0 ? '10.0.0.1' : '::1',
            requestId: at % 3 === 0 ? 'x'.repeat(300) : randomUUID(),
          }
        : {}),
      ...(at % 5 === 0
        ? {
            actorType: ActorType.ANONYMOUS,
            outcome: LogOutcome.FAILURE,
            onBehalfOfName: 'Bo "\\"',
            resourceName: 'É\u2028',
            userAgent: 'x'.repeat(2_000),
          }
        : {}),
      repair: true,
      ...(at % 3 === 0
        ? {}
        : {
            data: {
              z: [1.5, { b: null, a: -1e-7 }],
              index: at,
              'São "Paulo"': undefined,
              text: '\t"ß"\\',
              a: {},
            },
          }),
    }));
    if (from + BATCH < SIZE) {
      const { body } = await reel.graphql(
        await moduleToken(),
        'mutation ($i: [CreateLogInput!]!) { createLogs(inputs: $i) { id } }',
        { i: inputs },
      );
      expect(body.errors).toBeUndefined();
    } else {
      const database = await connect(reel.own.runtimeUrl);
      await storeFirstVersion(database, inputs);
      await database.close();
    }
  }
  const exporter = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
  for (const kind of KINDS) {
    const { body } = await reel.graphql(
      exporter,
      'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl } }',
      {
        input: {
          format: 'NDJSON',
          includeProofs: true,
          includeData: hasData(kind),
          allFields: kind.endsWith('all fields'),
        },
      },
      { 'X-Client-Id': clientId },
    );
    const lines = (await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text())
      .split('\n')
      .slice(0, -1);
    const note = readCheckpointLine(lines.pop()!)!;
    files.set(kind, { lines, note });
  }
});
afterAll(() => reel?.close());

/** Faults of a line as the full check reports them; null if it cannot be read. */
function faultsOf(line: string, note: string): Fault[] | null {
  const faults: Fault[] = [];
  const exported = readExportLine(line);
  if (!exported) return null;
  new ExportCheck(readCheckpoint(readNote(note)!.text)!, (fault) => faults.push(fault)).add(exported);
  return faults;
}

const passes = (fastCheck: FastLineCheck, line: Buffer, note: string) => {
  const entry = fastCheck.check(line);
  return (
    entry !== null && new ExportCheck(readCheckpoint(readNote(note)!.text)!, () => {}).addConsistent(entry)
  );
};

const versionOf = (line: string): number => JSON.parse(line).proof.leaf_version;
/** Passes by its bytes, and has no fault when it is parsed. */
const verifies = (line: string, note: string) => {
  expect(faultsOf(line, note)).toEqual([]);
  return passes(new FastLineCheck(), Buffer.from(line), note);
};
/** Found by whichever check is to find it. */
const isFound = (line: string, note: string) =>
  !passes(new FastLineCheck(), Buffer.from(line), note) && faultsOf(line, note)?.length !== 0;

test.each(KINDS)('every line that Reel wrote passes, %s', (kind) => {
  const { lines, note } = fileOf(kind);
  expect(lines).toHaveLength(SIZE);
  const fastCheck = new FastLineCheck();
  const check = new ExportCheck(readCheckpoint(readNote(note)!.text)!, () => {});
  for (const line of lines) {
    const entry = fastCheck.check(Buffer.from(line));
    expect(entry && check.addConsistent(entry)).toBe(true);
    expect(entry).toMatchObject({ sequence: readExportLine(line)!.sequence, hasData: hasData(kind) });
    expect(faultsOf(line, note)).toEqual([]);
  }
  expect(check.entries).toBe(SIZE);
  const versions = lines.map(versionOf);
  expect([1, 2].map((version) => versions.filter((each) => each === version).length)).toEqual([
    BATCH,
    SIZE - BATCH,
  ]);
});

const LATER = ['actor_type', 'outcome', 'on_behalf_of_name', 'resource_name', 'repaired'];
interface Line {
  [name: string]: unknown;
  proof: { entry: Record<string, unknown>; leaf_version?: unknown; [name: string]: unknown };
}
const changedLine = (line: string, change: (line: Line) => void): string => {
  const value = JSON.parse(line) as Line;
  change(value);
  return JSON.stringify(value);
};
const setField = (line: string, name: string, value: unknown) =>
  changedLine(line, (each) => {
    if (name in each) each[name] = value;
    each.proof.entry[name] = value;
  });

test('lines of version 1 verify as the first edition wrote them, and only whole so', () => {
  for (const kind of ['with data', 'without data']) {
    const { lines, note } = fileOf(kind);
    for (const line of lines.filter((each) => versionOf(each) === 1)) {
      const first = changedLine(line, ({ proof }) => {
        delete proof.leaf_version;
        for (const name of LATER) delete proof.entry[name];
      });
      expect(verifies(first, note)).toBe(true);
      const mixed = changedLine(line, ({ proof }) => delete proof.leaf_version);
      expect(isFound(mixed, note)).toBe(true);
      // Of what no leaf speaks for, a line may say less, not other things.
      const less = changedLine(line, ({ proof }) => delete proof.entry.outcome);
      expect(faultsOf(less, note)).toEqual([]);
    }
  }
});

const OTHERS: [name: string, others: unknown[]][] = [
  ['actor_type', ['USER', 'SYSTEM', 'AGENT', 'x', null]],
  ['outcome', ['SUCCESS', 'x', '']],
  ['on_behalf_of_name', ['Ana', '']],
  ['resource_name', ['Ana', '']],
  ['repaired', [['data'], [''], 'data', {}]],
];

test.each([1, 2])('of version %i, a field of the second edition that is changed is found', (version) => {
  for (const kind of KINDS) {
    const { lines, note } = fileOf(kind);
    const chosen = lines.filter((each) => versionOf(each) === version).slice(0, 12);
    for (const line of chosen)
      for (const [name, others] of OTHERS)
        for (const other of others) {
          const changed = setField(line, name, other);
          if (changed !== line) expect([changed, isFound(changed, note)]).toEqual([changed, true]);
        }
  }
});

test('another leaf version is found', () => {
  const { lines, note } = fileOf('with data');
  for (const line of [lines[0]!, lines.at(-1)!])
    for (const other of [0, 1, 2, 3, 2.5, '2', null]) {
      const changed = changedLine(line, ({ proof }) => {
        proof.leaf_version = other;
      });
      if (changed === line) continue;
      const said = faultsOf(changed, note)?.map(({ kind, detail }) => `${kind} ${detail}`);
      expect(passes(new FastLineCheck(), Buffer.from(changed), note)).toBe(false);
      if (other !== 1 && other !== 2)
        expect(said?.join('\n')).toMatch(/^changed .*leaf_version: expected 1 or 2, got /);
      else expect(said === undefined || said.some((each) => each.startsWith('changed'))).toBe(true);
    }
});

test.each(KINDS)('a changed line that passes is consistent, %s', (kind) => {
  const { lines, note } = fileOf(kind);
  const fastCheck = new FastLineCheck();
  fc.assert(
    fc.property(
      fc.nat(SIZE - 1),
      fc.constantFrom('set', 'cut', 'add', 'again'),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[],: 0nN=+/'))),
      (number, change, where, byte) => {
        const line = Buffer.from(lines[number]!);
        const at = Math.floor(where * line.length);
        const [before, after] = [line.subarray(0, at), line.subarray(at + 1)];
        const changed = {
          set: () => Buffer.concat([before, Buffer.of(byte), after]),
          cut: () => Buffer.concat([before, after]),
          add: () => Buffer.concat([before, Buffer.of(byte), line.subarray(at)]),
          again: () => Buffer.concat([before, line.subarray(Math.max(0, at - byte))]),
        }[change]();
        if (!passes(fastCheck, changed, note)) return;
        expect(faultsOf(changed.toString(), note)).toEqual([]);
        expect(changed.equals(line)).toBe(true);
      },
    ),
    { numRuns: 3_000 },
  );
});
