import { readFile } from 'node:fs/promises';
import { connectPool } from '../database/session.js';
import { exportSnapshot, joinSnapshot } from '../database/snapshot.js';
import { StartError } from '../errors.js';
import { openCheckpoint, readCheckpoint } from '../seal/checkpoint.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import { readNote, type Verifier } from '../seal/note.js';
import { readKeys } from '../seal/signing-keys.js';
import type { Report } from '../verify/fault.js';
import { PageWorkers } from '../verify/log/page-workers.js';
import { lastSequence } from '../verify/log/sequence-rows.js';
import { isUnreadable, reportUnreadable } from '../verify/log/unreadable-rows.js';
import { verifyLog } from '../verify/log/verify-log.js';
import type { CommandContext } from './context.js';
import { withRuntimeRole } from './database.js';
import type { TreeHead } from './tree-head.js';

export interface StoredLog {
  tenantId: string;
  /** A checkpoint that it must extend. */
  noteFile: string | undefined;
  /** Whether to compute the search index, too. */
  search: boolean;
}

/** Verifies a tenant's log in the database. */
export async function verifyStoredLog(
  { tenantId, noteFile, search }: StoredLog,
  report: Report,
  context: CommandContext,
): Promise<TreeHead> {
  const config = context.config();
  const note = noteFile === undefined ? null : await readNoteFile(noteFile);
  return withRuntimeRole(config, async (url) => {
    const database = await connectPool(url, 2);
    try {
      const keys = await readKeys(database);
      const trusted = note === null ? null : openTrusted(note, tenantId, keys, report);
      const onProgress = (done: number, size: number) => context.progress(`${done} of ${size} entries`);
      const verified = await database.read(tenantId, async (execute) => {
        const options = { keys, trusted, search, report, onProgress };
        // A snapshot does not reach the nodes of a cluster.
        if (database.isDistributed) return verifyLog(execute, tenantId, { ...options, parallel: execute });
        const snapshot = await exportSnapshot(execute, url, tenantId);
        await using joined = await joinSnapshot(snapshot);
        await using checker = PageWorkers.start(snapshot, await lastSequence(execute, tenantId));
        return await verifyLog(execute, tenantId, { ...options, checker, parallel: joined.execute });
      });
      return { tenantId, ...verified };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      await reportUnreadable(database, tenantId, error, report);
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

/** Null, and a fault reported, if the checkpoint is not one of this log. */
function openTrusted(note: string, tenantId: string, keys: readonly Verifier[], report: Report) {
  const { treeSize } = readCheckpoint(readNote(note)!.text)!;
  const opened = openCheckpoint(note, keys);
  const fault = (detail: string) => report({ kind: 'checkpoint', sequence: treeSize, detail });
  if (typeof opened === 'string') fault(`the note in --checkpoint is ${opened}`);
  else if (!opened.origin.endsWith(`/${tenantId}`))
    fault(`the note in --checkpoint is of the log ${opened.origin}`);
  else return { size: opened.treeSize, root: opened.rootHash };
  return null;
}
