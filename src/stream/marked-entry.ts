import { randomUUID } from 'node:crypto';
import type { Reader } from '../auth/scope.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { OWN_MODULE } from '../log/entry/module-name.js';
import type { StoredStream } from './store.js';

/** Marked as a test, and with no place in the trail. */
export function testEntry({ tenantId, id }: StoredStream, by: Reader): LogEntry {
  const now = new Date().toISOString().replace('Z', '000Z');
  return {
    id: randomUUID(),
    module: OWN_MODULE,
    action: 'reel.streams.tested',
    severity: 'INFO',
    resourceType: 'stream',
    resourceId: id,
    resourceName: null,
    data: { test: true },
    actorId: by.id,
    actorEmail: by.email,
    actorName: by.name,
    actorType: 'USER',
    onBehalfOfId: null,
    onBehalfOfName: null,
    outcome: null,
    tenantId,
    clientId: null,
    ipAddress: null,
    userAgent: null,
    requestId: null,
    repaired: [],
    origin: 'MODULE',
    occurredAt: now,
    createdAt: now,
    sequence: null,
    erasedAt: null,
  } as LogEntry;
}
