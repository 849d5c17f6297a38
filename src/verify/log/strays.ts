import type { Run } from '../../database/run.js';
import type { Report } from '../fault.js';
import type { CheckedRow } from './check-row.js';
import type { PlaceJudge } from './place-judge.js';
import { placeBefore } from './stored-order.js';
import { readWrongInbox, walkInbox } from './stored-strays.js';

/**
 * Entries that have no place: right in the inbox, wrong anywhere else. Answers the ids of those of `unplaced` that were
 * never sealed, to the tree's knowledge.
 */
export async function verifyStrays(
  run: Run,
  tenantId: string,
  size: number,
  unplaced: readonly CheckedRow[],
  judge: PlaceJudge,
  report: Report,
): Promise<string[]> {
  // One whose place was taken away is told as missing there.
  const extras = unplaced.filter(({ leaf }) => judge.homeOf(leaf) === undefined).map(({ id }) => id);
  for (const id of extras) {
    const sequence = await placeBefore(run, tenantId, id, size + 1);
    report({ kind: 'extra', sequence, detail: `entry ${id}, older than the one here, has no place` });
  }
  for await (const { entry, leafHash } of walkInbox(run, tenantId)) judge.waits(size + 1, leafHash, entry);
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
