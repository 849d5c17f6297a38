import { openCheckpoint, readCheckpoint } from '../seal/checkpoint.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import { readNote } from '../seal/note.js';
import { ExportCheck } from '../verify/export/export-check.js';
import { readCheckpointLine, readExportLine } from '../verify/export/export-line.js';
import { WrittenLines } from '../verify/export/written-line.js';
import type { Report } from '../verify/fault.js';
import { lastLine, linesOf } from './export-file.js';
import type { Frame } from './frame.js';
import type { Verdict } from './verdict.js';
import { readKeyFile } from './verifier-keys.js';

/** Verifies an exported file with nothing but the public keys. */
export async function verifyFile(
  file: string,
  keyFile: string,
  report: Report,
  frame: Frame,
): Promise<Verdict> {
  const note = readCheckpointLine(await lastLine(file));
  const keys = await readKeyFile(keyFile, note ?? null);
  const said = readCheckpoint(readNote(note ?? '')?.text ?? '');
  const opened = openCheckpoint(note ?? '', keys);
  if (said === null) {
    const isEmpty = note === null && (await isOneLine(file));
    if (!isEmpty)
      report({ kind: 'checkpoint', sequence: 0, detail: 'the last line holds no signed checkpoint' });
    return { tenantId: null, size: 0, root: EMPTY_ROOT };
  }
  if (typeof opened === 'string')
    report({ kind: 'checkpoint', sequence: said.treeSize, detail: `the note in the last line is ${opened}` });
  const check = new ExportCheck(said, report);
  let number = 0;
  const written = [new WrittenLines(true), new WrittenLines(false)];
  let before: Buffer | null = null;
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      if (before !== null) checkLine(check, written, before, number);
      before = line;
      number += 1;
    }
    frame.progress(`${number} lines`);
  }
  frame.progress('');
  frame.say(`${check.entries} entries`);
  return {
    tenantId: said.origin.slice(said.origin.lastIndexOf('/') + 1),
    size: said.treeSize,
    root: said.rootHash,
  };
}

function checkLine(check: ExportCheck, written: readonly WrittenLines[], line: Buffer, number: number): void {
  for (const lines of written) {
    const well = lines.read(line);
    if (well) {
      if (check.addWell(well)) return;
      break;
    }
  }
  const exported = readExportLine(line.toString('utf8'));
  if (exported) check.add(exported);
  else check.unreadable(number);
}

async function isOneLine(file: string): Promise<boolean> {
  let count = 0;
  for await (const lines of linesOf(file)) count += lines.length;
  return count === 1;
}
