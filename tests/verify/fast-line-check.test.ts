import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCheckpoint } from '../../src/seal/checkpoint.js';
import { readNote } from '../../src/seal/note.js';
import { ExportCheck } from '../../src/verify/export/export-check.js';
import { readCheckpointLine, readExportLine } from '../../src/verify/export/export-line.js';
import { FastLineCheck } from '../../src/verify/export/fast-line-check.js';
import type { Fault } from '../../src/verify/fault.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const [tenantId, clientId] = [randomUUID(), randomUUID()];
const [SIZE, BATCH] = [300, 100];
let reel: TestReel;
/** Lines of entries with data, and without it. */
const files = new Map<boolean, { lines: string[]; note: string }>();

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
            requestId: randomUUID(),
          }
        : {}),
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
    await reel.graphql(
      await moduleToken(),
      'mutation ($i: [CreateLogInput!]!) { createLogs(inputs: $i) { id } }',
      {
        i: inputs,
      },
    );
  }
  const exporter = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
  for (const includeData of [true, false]) {
    const { body } = await reel.graphql(
      exporter,
      'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl } }',
      { input: { format: 'NDJSON', includeProofs: true, includeData } },
      { 'X-Client-Id': clientId },
    );
    const lines = (await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text())
      .split('\n')
      .slice(0, -1);
    const note = readCheckpointLine(lines.pop()!)!;
    files.set(includeData, { lines, note });
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

test.each([true, false])('every line that Reel wrote passes, with data: %s', (withData) => {
  const { lines, note } = files.get(withData)!;
  expect(lines).toHaveLength(SIZE);
  const fastCheck = new FastLineCheck(withData);
  const check = new ExportCheck(readCheckpoint(readNote(note)!.text)!, () => {});
  for (const line of lines) {
    const entry = fastCheck.check(Buffer.from(line));
    expect(entry && check.addConsistent(entry)).toBe(true);
    expect(new FastLineCheck(!withData).check(Buffer.from(line))).toBeNull();
    expect(entry).toMatchObject({ sequence: readExportLine(line)!.sequence, hasData: withData });
  }
  expect(check.entries).toBe(SIZE);
});

test.each([true, false])('a changed line that passes is consistent, with data: %s', (withData) => {
  const { lines, note } = files.get(withData)!;
  const fastCheck = new FastLineCheck(withData);
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
    { numRuns: 4_000 },
  );
});
