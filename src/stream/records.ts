import type { Reader } from '../auth/scope.js';
import type { Execute } from '../database/execute.js';
import type { ReelService } from '../log/service.js';
import type { StoredStream } from './store.js';

/** Actions of the entries, of module `reel`, that record what became of a tenant's streams. */
export const STREAM_ACTIONS = {
  created: 'reel.streams.created',
  changed: 'reel.streams.changed',
  paused: 'reel.streams.paused',
  resumed: 'reel.streams.resumed',
  replayed: 'reel.streams.replayed',
  failed: 'reel.streams.failed',
  recovered: 'reel.streams.recovered',
  parked: 'reel.streams.parked',
  disabled: 'reel.streams.disabled',
  removed: 'reel.streams.removed',
} as const;

export type StreamAction = keyof typeof STREAM_ACTIONS;

/** Writes what happens to a stream to its tenant's trail, in the transaction in which it happens, and never with a secret. */
export class StreamRecords {
  constructor(private readonly reel: Pick<ReelService, 'recordWith'>) {}

  /** `by`: who changed it; null: the delivery itself. */
  write(
    execute: Execute,
    action: StreamAction,
    { tenantId, id, name }: Pick<StoredStream, 'tenantId' | 'id' | 'name'>,
    by: Reader | null,
    data: Record<string, unknown> = {},
  ): Promise<void> {
    return this.reel.recordWith(execute, {
      action: STREAM_ACTIONS[action],
      tenantId,
      resourceType: 'stream',
      resourceId: id,
      resourceName: name,
      ...(by && {
        actorId: by.id,
        actorEmail: by.email,
        actorName: by.name,
        ipAddress: by.ip,
        userAgent: by.agent,
        requestId: by.requestId,
      }),
      ...(action === 'failed' || action === 'disabled' || action === 'parked' ? { severity: 'WARNING' } : {}),
      ...(Object.keys(data).length > 0 ? { data } : {}),
    });
  }
}
