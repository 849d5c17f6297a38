import { readFile } from 'node:fs/promises';
import { connectSession } from '../database/session.js';
import { exportSnapshot, joinSnapshot } from '../database/snapshot.js';
import { StartError } from '../errors.js';
import { openCheckpoint, readCheckpoint } from '../seal/checkpoint.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import { readNote, type Verifier } from '../seal/note.js';
import { readKeys } from '../seal/signing-keys.js';
import type { Report } from '../verify/fault.js';
import { findUnreadable, isUnreadable } from '../verify/log/find-unreadable.js';
import { verifyTenant } from '../verify/log/stored-log.js';
import { withRuntimeRole } from './database.js';
import type { Frame } from './frame.js';
import type { Verdict } from './verdict.js';

/** Verifies what the database has of a tenant; `noteFile`: a checkpoint that was kept outside. */
export async function verifyStored(
  tenantId: string,
  noteFile: string | undefined,
  report: Report,
  frame: Frame,
): Promise<Verdict> {
  const config = frame.config();
  const note = noteFile === undefined ? null : await readNoteFile(noteFile);
  return withRuntimeRole(config, async (url) => {
    const database = await connectSession(url, 2);
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
    throw new StartError(`--checkpoint: expected a readable file, got ${error.code} for ${file}`);
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
  if (typeof opened === 'string') fault(`the note in --checkpoint is ${opened}`);
  else if (!opened.origin.endsWith(`/${tenantId}`))
    fault(`the note in --checkpoint is of the log ${opened.origin}`);
  else return { size: opened.treeSize, root: opened.rootHash };
  return null;
}
