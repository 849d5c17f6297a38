import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import { SEVERITIES } from '../../log/entry/severity.js';
import { entryToWire } from '../../log/entry/wire.js';
import type { Format } from './format.js';
import { classify, messageOf } from './ocsf.js';

/** The release that entries are written as. */
export const ECS_VERSION = '8.17.0';

const OUTCOME = { SUCCESS: 'success', FAILURE: 'failure', DENIED: 'failure' } as const;

/** event.category and event.type, of the activity that OCSF has for it. */
function categoryOf(entry: LogEntry): { category: string[]; type: string[] } {
  const { class: name, activity } = classify(entry);
  const denied = entry.outcome === 'DENIED' ? ['denied'] : [];
  if (name === 'AUTHENTICATION')
    return {
      category: ['authentication'],
      type: [activity === 1 ? 'start' : activity === 2 ? 'end' : 'info'],
    };
  const isAccount = name === 'ACCOUNT_CHANGE';
  const kind =
    activity === 1 ? 'creation' : (isAccount ? activity === 6 : activity === 4) ? 'deletion' : 'change';
  if (isAccount) return { category: ['iam'], type: ['user', kind] };
  if (activity === 2) return { category: ['api'], type: ['access', ...denied] };
  return { category: ['api'], type: [activity === 99 ? 'info' : kind, ...denied] };
}

const present = <T extends object>(value: T): T | undefined => {
  const kept = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return kept.length > 0 ? (Object.fromEntries(kept) as T) : undefined;
};

/** Elastic Common Schema, with the whole entry under `reel`. */
export const ecsFormat: Format = (entry, { streamId }) => {
  const { actorId, actorEmail, actorName, ipAddress } = entry;
  const names = [actorId, actorEmail, actorName].filter((each) => each !== null);
  return JSON.parse(
    JSON.stringify({
      '@timestamp': entry.occurredAt,
      ecs: { version: ECS_VERSION },
      message: messageOf(entry),
      event: {
        id: entry.id,
        kind: 'event',
        dataset: 'reel.audit',
        provider: entry.module,
        action: entry.action,
        ...categoryOf(entry),
        outcome: entry.outcome ? OUTCOME[entry.outcome] : 'unknown',
        severity: SEVERITIES.indexOf(entry.severity),
        sequence: entry.sequence ?? undefined,
        created: entry.createdAt,
      },
      log: { level: entry.severity.toLowerCase() },
      organization: { id: entry.tenantId },
      service: { name: entry.module },
      user: present({ id: actorId, email: actorEmail, name: actorName }),
      source: present({ ip: ipAddress }),
      user_agent: present({ original: entry.userAgent }),
      http: entry.requestId === null ? undefined : { request: { id: entry.requestId } },
      related: present({
        user: names.length > 0 ? names : null,
        ip: ipAddress === null ? null : [ipAddress],
      }),
      labels: { reel_stream: streamId },
      // Any shape: as text, so that no field of it has two types in an index.
      reel: { ...entryToWire(entry), data: entry.data === null ? null : JSON.stringify(entry.data) },
    }),
  ) as Record<string, unknown>;
};
