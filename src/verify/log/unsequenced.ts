import type { Execute } from '../../database/execute.js';
import type { Report } from '../fault.js';
import type { LeafCheck } from './leaf-check.js';
import type { CheckedRow } from './row-check.js';
import { sequenceAfter } from './sequence-rows.js';
import { readInvalidInbox, walkInbox } from './unsequenced-rows.js';

/**
 * Checks entries without a sequence: valid in the inbox, a fault anywhere else. Returns the ids of those of `unsequenced`
 * that were never sealed, as far as the tree shows.
 */
export async function verifyUnsequenced(
  execute: Execute,
  tenantId: string,
  size: number,
  unsequenced: readonly CheckedRow[],
  leafCheck: LeafCheck,
  report: Report,
): Promise<string[]> {
  // An entry that was sealed is reported as missing at its sequence.
  const extra = unsequenced
    .filter(({ leafHash }) => leafCheck.sealedSequence(leafHash) === undefined)
    .map(({ id }) => id);
  for (const id of extra) {
    const sequence = await sequenceAfter(execute, tenantId, id, size + 1);
    report({ kind: 'extra', sequence, detail: `entry ${id}, older than the one here, has no sequence` });
  }
  for await (const { entry, leafHash } of walkInbox(execute, tenantId))
    leafCheck.checkPending(size + 1, leafHash, entry);
  for (const { entryId, sequence } of await readInvalidInbox(execute, tenantId))
    report(
      sequence === null
        ? {
            kind: 'missing',
            sequence: size + 1,
            detail: `entry ${entryId} is in the inbox, its row is missing`,
          }
        : { kind: 'extra', sequence, detail: `entry ${entryId} is still in the inbox` },
    );
  return extra;
}
