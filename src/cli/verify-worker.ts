import { parentPort, workerData } from 'node:worker_threads';
import { type ExportedSnapshot, joinSnapshot } from '../database/snapshot.js';
import { checkPage } from '../seal/stored-order.js';

/** A page to check, from the thread that started this one. */
export interface PageAsked {
  after: number;
  until: number;
}

export interface PageAnswered extends PageAsked {
  /** null, too, where it could not be read: whoever asks will see why. */
  leaves: Uint8Array | null;
}

const snapshot = workerData as ExportedSnapshot;
const joined = joinSnapshot(snapshot);
joined.catch(() => {});

parentPort!.on('message', async ({ after, until }: PageAsked) => {
  let leaves: Uint8Array | null = null;
  try {
    leaves = await checkPage((await joined).run, snapshot.tenantId, after, until);
  } catch {}
  parentPort!.postMessage({ after, until, leaves } satisfies PageAnswered);
});
