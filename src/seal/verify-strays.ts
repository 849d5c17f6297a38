import type { Run } from '../database/connect.js';
import type { Report } from './fault.js';
import { placeBefore, readWrongInbox, type StrayRow } from './stored-order.js';
import type { PlaceJudge } from './verify-places.js';

/**
 * Entries that have no place: right in the inbox, wrong anywhere else. Answers the ids of those that nothing speaks of
 * and that were never sealed, to the tree's knowledge.
 */
export async function verifyStrays(
  run: Run,
  tenantId: string,
  size: number,
  strays: readonly StrayRow[],
  judge: PlaceJudge,
  report: Report,
): Promise<string[]> {
  const extras: string[] = [];
  for (const { entry, waiting } of strays) {
    if (waiting) judge.waits(size + 1, waiting, entry);
    // One whose place was taken away is told as missing there.
    else if (judge.homeOf(entry.leaf) === undefined) {
      extras.push(entry.id);
      const sequence = await placeBefore(run, tenantId, entry.id, size + 1);
      report({ kind: 'extra', sequence, detail: `entry ${entry.id}, older than the one here, has no place` });
    }
  }
  for (const { entryId, placed } of await readWrongInbox(run, tenantId))
    report(
      placed === null
        ? {
            kind: 'missing',
            sequence: size + 1,
            detail: `entry ${entryId}, which waits for its place, is gone`,
          }
        : { kind: 'extra', sequence: placed, detail: `entry ${entryId} waits for another place` },
    );
  return extras;
}
