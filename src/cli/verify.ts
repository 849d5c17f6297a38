import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Database } from '../database/connect.js';
import { exportSnapshot, joinSnapshot } from '../database/snapshot.js';
import { StartError } from '../errors.js';
import { readCheckpointLine, readExportLine } from '../rest/proof-bundle.js';
import { WrittenLines } from '../rest/written-line.js';
import { openCheckpoint, readCheckpoint } from '../seal/checkpoint.js';
import { type Fault, faultLine } from '../seal/fault.js';
import { findUnreadable, isUnreadable } from '../seal/find-unreadable.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import { readNote, type Verifier } from '../seal/note.js';
import { readKeys } from '../seal/signing-keys.js';
import { verifyTenant } from '../seal/verify.js';
import { ExportCheck } from '../seal/verify-export.js';
import { withRuntimeRole } from './database.js';
import { lastLine, linesOf } from './export-file.js';
import { Finding, type Frame } from './frame.js';
import { uuidOption } from './options.js';
import { readKeyFile } from './verifier-keys.js';

interface VerifyOptions {
  tenant?: string;
  checkpoint?: string;
  export?: string;
  key?: string;
  json?: boolean;
}

interface Verdict {
  tenantId: string | null;
  size: number;
  root: Buffer;
}

export function verifyCommand(program: Command, frame: Frame): void {
  program
    .command('verify')
    .description(
      "recompute a tenant's log, or check an exported file with proofs, and name everything that is wrong",
    )
    .option('--tenant <id>', 'whose stored log', uuidOption)
    .option(
      '--checkpoint <file>',
      'with --tenant: a signed note that was kept outside, which the log must extend',
    )
    .option('--export <file>', 'an NDJSON export with proofs; needs no database and no server')
    .option('--key <file>', 'with --export: the public key as PEM, or what /.well-known/reel-keys answered')
    .option('--json', 'answer as JSON')
    .action(async (options: VerifyOptions) => {
      const { tenant, checkpoint, export: file, key } = options;
      if ((tenant === undefined) === (file === undefined))
        throw new StartError('expected either --tenant ID or --export FILE');
      if ((file === undefined) !== (key === undefined))
        throw new StartError('expected --export FILE and --key FILE together');
      if (checkpoint !== undefined && tenant === undefined)
        throw new StartError('expected --checkpoint FILE with --tenant ID');
      const faults: Fault[] = [];
      let found = 0;
      const report = (fault: Fault) => {
        found += 1;
        if (options.json) faults.push(fault);
        else {
          frame.progress('');
          frame.answer(options, null, faultLine(fault));
        }
      };
      const verdict = await (tenant === undefined
        ? verifyFile(file!, key!, report, frame)
        : verifyStored(tenant, checkpoint, report, frame)
      ).finally(() => frame.progress(''));
      const { tenantId, size } = verdict;
      const root = verdict.root.toString('base64');
      const isWell = found === 0;
      if (isWell)
        frame.answer(
          options,
          { ok: true, tenantId, size, root, faults },
          `ok tenant ${tenantId} size ${size} root ${root}`,
        );
      else {
        if (options.json) frame.answer(options, { ok: false, tenantId, size, root, faults }, '');
        throw new Finding(`${found} ${found === 1 ? 'fault' : 'faults'} in the log of tenant ${tenantId}`);
      }
    });
}

type Report = (fault: Fault) => void;

async function verifyStored(
  tenantId: string,
  noteFile: string | undefined,
  report: Report,
  frame: Frame,
): Promise<Verdict> {
  const config = frame.config();
  const note = noteFile === undefined ? null : await readNoteFile(noteFile);
  return withRuntimeRole(config, async (url) => {
    const database = await Database.connect(url, 2);
    try {
      const keys = await readKeys(database);
      const kept = note === null ? null : keptCheckpoint(note, tenantId, keys, report);
      const onProgress = (done: number, size: number) => frame.progress(`${done} of ${size} entries`);
      const verified = await database.read(tenantId, async (run) => {
        const snapshot = await exportSnapshot(run, url, tenantId);
        await using joined = await joinSnapshot(snapshot);
        const beside = joined.run;
        return await verifyTenant(run, tenantId, { keys, kept, report, onProgress, beside });
      });
      return { tenantId, ...verified };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      await findUnreadable(database, tenantId, error, report);
      return { tenantId, size: 0, root: EMPTY_ROOT };
    } finally {
      await database.close();
    }
  });
}

async function readNoteFile(file: string): Promise<string> {
  const note = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new StartError(`--checkpoint: expected a file that can be read, got ${error.code} for ${file}`);
  });
  if (readCheckpoint(readNote(note)?.text ?? '') === null)
    throw new StartError(`--checkpoint: expected a signed checkpoint in ${file}, got something else`);
  return note;
}

/** What a kept note says, or null where it cannot be held against the log, which is told. */
function keptCheckpoint(note: string, tenantId: string, keys: readonly Verifier[], report: Report) {
  const said = readCheckpoint(readNote(note)!.text)!;
  const opened = openCheckpoint(note, keys);
  const fault = (detail: string) => report({ kind: 'checkpoint', sequence: said.treeSize, detail });
  if (typeof opened === 'string') fault(`the note that was kept is ${opened}`);
  else if (!opened.origin.endsWith(`/${tenantId}`))
    fault(`the note that was kept is of the log ${opened.origin}`);
  else return { size: opened.treeSize, root: opened.rootHash };
  return null;
}

async function verifyFile(file: string, keyFile: string, report: Report, frame: Frame): Promise<Verdict> {
  const note = readCheckpointLine(await lastLine(file));
  const keys = await readKeyFile(keyFile, note ?? null);
  const said = readCheckpoint(readNote(note ?? '')?.text ?? '');
  const opened = openCheckpoint(note ?? '', keys);
  if (said === null) {
    const isEmpty = note === null && (await isOneLine(file));
    if (!isEmpty)
      report({ kind: 'checkpoint', sequence: 0, detail: 'the last line has no signed checkpoint' });
    return { tenantId: null, size: 0, root: EMPTY_ROOT };
  }
  if (typeof opened === 'string')
    report({ kind: 'checkpoint', sequence: said.treeSize, detail: `the note of the last line is ${opened}` });
  const check = new ExportCheck(said, report);
  let number = 0;
  const written = [new WrittenLines(true), new WrittenLines(false)];
  let before: Buffer | null = null;
  for await (const line of linesOf(file)) {
    if (before !== null) checkLine(check, written, before, number);
    before = line;
    number += 1;
    if (number % 10_000 === 0) frame.progress(`${number} lines`);
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
  let lines = 0;
  for await (const _ of linesOf(file)) lines += 1;
  return lines === 1;
}
