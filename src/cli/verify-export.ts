import { openCheckpoint, readCheckpoint } from '../seal/checkpoint.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import { readNote } from '../seal/note.js';
import { ExportCheck } from '../verify/export/export-check.js';
import { readCheckpointLine, readExportLine } from '../verify/export/export-line.js';
import { FastLineCheck } from '../verify/export/fast-line-check.js';
import type { Report } from '../verify/fault.js';
import type { CommandContext } from './context.js';
import { lastLine, linesOf } from './export-file.js';
import type { TreeHead } from './tree-head.js';
import { readKeyFile } from './verifier-keys.js';

/** Verifies an exported file with the public keys alone. */
export async function verifyExport(
  file: string,
  keyFile: string,
  report: Report,
  context: CommandContext,
): Promise<TreeHead> {
  const note = readCheckpointLine(await lastLine(file));
  const keys = await readKeyFile(keyFile, note ?? null);
  const checkpoint = readCheckpoint(readNote(note ?? '')?.text ?? '');
  if (checkpoint === null) {
    const isEmpty = note === null && (await hasOneLine(file));
    if (!isEmpty)
      report({ kind: 'checkpoint', sequence: 0, detail: 'expected a signed checkpoint in the last line' });
    return { tenantId: null, size: 0, root: EMPTY_ROOT };
  }
  const { treeSize: size, rootHash: root, origin } = checkpoint;
  const opened = openCheckpoint(note ?? '', keys);
  if (typeof opened === 'string')
    report({ kind: 'checkpoint', sequence: size, detail: `the note in the last line is ${opened}` });
  const check = new ExportCheck(checkpoint, report);
  const fastCheck = new FastLineCheck();
  let count = 0;
  /** Checked once another line follows: the last line is the checkpoint. */
  let previous: Buffer | null = null;
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      if (previous !== null) checkLine(check, fastCheck, previous, count);
      previous = line;
      count += 1;
    }
    context.progress(`${count} lines`);
  }
  context.progress('');
  context.note(`${check.entries} entries`);
  return { tenantId: origin.slice(origin.lastIndexOf('/') + 1), size, root };
}

function checkLine(check: ExportCheck, fastCheck: FastLineCheck, line: Buffer, number: number): void {
  const consistent = fastCheck.check(line);
  if (consistent && check.addConsistent(consistent)) return;
  const exported = readExportLine(line.toString('utf8'));
  if (exported) check.add(exported);
  else check.addUnreadable(number);
}

async function hasOneLine(file: string): Promise<boolean> {
  let count = 0;
  for await (const lines of linesOf(file)) count += lines.length;
  return count === 1;
}
