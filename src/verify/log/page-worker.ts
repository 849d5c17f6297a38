import { parentPort, workerData } from 'node:worker_threads';
import { type ExportedSnapshot, joinSnapshot } from '../../database/snapshot.js';
import { FastRowCheck } from './fast-row-check.js';
import { checkColumns } from './sequence-pages.js';

/** A page to check: the sequences after one up to another. */
export interface PageAsked {
  after: number;
  until: number;
}

/** Buffers are transferred. */
export interface PageChecked extends PageAsked {
  sequences: Float64Array<ArrayBuffer>;
  ids: Uint8Array<ArrayBuffer>;
  leafHashes: Uint8Array<ArrayBuffer>;
  rejected: Map<number, number>;
}

/** Not checked: whatever kept it from that shows again where it is checked once more. */
export interface PageFailed extends PageAsked {
  rejected: null;
}

const snapshot = workerData as ExportedSnapshot;
const fastCheck = new FastRowCheck(snapshot.tenantId);
const joined = joinSnapshot(snapshot);
joined.catch(() => {});

parentPort!.on('message', async ({ after, until }: PageAsked) => {
  try {
    const { execute } = await joined;
    const { columns, rejected } = await checkColumns(execute, snapshot.tenantId, { after, until, fastCheck });
    const sequences = Float64Array.from(columns.sequences);
    const ids = Uint8Array.from(columns.ids.all());
    const leafHashes = Uint8Array.from(columns.leafHashes.all());
    const checked: PageChecked = { after, until, sequences, ids, leafHashes, rejected };
    parentPort!.postMessage(checked, [sequences.buffer, ids.buffer, leafHashes.buffer]);
  } catch {
    const failed: PageFailed = { after, until, rejected: null };
    parentPort!.postMessage(failed);
  }
});
