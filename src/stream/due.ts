import { readStreams, type StoredStream, type StreamDatabase } from './store.js';
import { StreamState } from './stream.js';

/** As it is now; null where it was removed. */
export async function readStream(
  database: Pick<StreamDatabase, 'read'>,
  { tenantId, id }: Pick<StoredStream, 'tenantId' | 'id'>,
): Promise<StoredStream | null> {
  const [stream] = await database.read(tenantId, (execute) => readStreams(execute, tenantId, id), {
    isBounded: true,
  });
  return stream ?? null;
}

export const isDelivering = ({ state, retryAt }: StoredStream): boolean =>
  (state === StreamState.RUNNING || state === StreamState.FAILING) &&
  (retryAt === null || retryAt <= Date.now());

/** Whether its next batch waits for more entries, not for a receiver that refused. */
export const isWaiting = ({ state, retryAt, failingSince, pending }: StoredStream): boolean =>
  state === StreamState.RUNNING &&
  retryAt !== null &&
  retryAt > Date.now() &&
  failingSince === null &&
  pending === null;
