import type { StoredStream } from './store.js';
import type { Stream } from './stream.js';
import { holdsSecret } from './stream-secrets.js';

/** A stream as callers see it. */
export function shownStream(stream: StoredStream): Stream {
  const { position, lastSequence, oldestAt } = stream;
  return {
    id: stream.id,
    name: stream.name,
    kind: stream.kind,
    format: stream.format,
    query: stream.query,
    clientId: stream.clientId,
    settings: { ...stream.settings },
    hasSecret: holdsSecret(stream.secret),
    state: stream.state,
    position,
    lagEntries: Math.max(0, lastSequence - position),
    lagSeconds: oldestAt === null ? 0 : Math.max(0, (Date.now() - oldestAt) / 1_000),
    lastDeliveredAt: stream.lastDeliveredAt,
    lastError: stream.lastError,
    attempts: stream.attempts,
    parkedCount: stream.parkedCount,
    createdAt: stream.createdAt,
  };
}
