import { readStreams, type StoredStream, type StreamDatabase } from './store.js';
import { StreamState } from './stream.js';

/** Refused for longer, a stream is failing. */
const FAILING_AFTER_MS = 300_000;

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

/** Whether its receiver has refused for so long that the stream is failing. */
export const isRefusedForLong = ({ failingSince }: Pick<StoredStream, 'failingSince'>): boolean =>
  failingSince !== null && Date.now() - failingSince >= FAILING_AFTER_MS;

/** Whether it is to be failing while it waits for its next attempt. */
export const failsMeanwhile = (stream: StoredStream): boolean =>
  stream.state === StreamState.RUNNING && isRefusedForLong(stream) && !isDelivering(stream);
