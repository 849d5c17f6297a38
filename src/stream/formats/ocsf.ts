import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import { entryToWire } from '../../log/entry/wire.js';
import type { Format } from './format.js';

/** The release that entries are written as. */
export const OCSF_VERSION = '1.6.0';

/** A class of OCSF's, with the category that it is of. */
export const OCSF_CLASSES = {
  ACCOUNT_CHANGE: { classUid: 3001, categoryUid: 3 },
  AUTHENTICATION: { classUid: 3002, categoryUid: 3 },
  ENTITY_MANAGEMENT: { classUid: 3004, categoryUid: 3 },
  API_ACTIVITY: { classUid: 6003, categoryUid: 6 },
} as const;
export type OcsfClass = keyof typeof OCSF_CLASSES;

/** Entries whose action and resource type match are of a class and an activity of it. */
export interface OcsfRule {
  readonly action: RegExp;
  /** None: of whichever, or no, resource type. */
  readonly resourceType?: RegExp;
  readonly class: OcsfClass;
  /** activity_id of the class. */
  readonly activity: number;
}

const PERSON = /^(?:users?|accounts?|members?|people|persons?|logins?|identit(?:y|ies))$/i;
const ANYTHING = /./;
// The last word of an action is what was done: `invoices.create`, `user.created`.
const CREATE = /(?:^|[._:/-])(?:creat(?:e|ed)|add(?:ed)?|invit(?:e|ed)|register(?:ed)?|signup)$/i;
const READ =
  /(?:^|[._:/-])(?:read|view(?:ed)?|get|list(?:ed)?|search(?:ed)?|download(?:ed)?|export(?:ed)?)$/i;
const UPDATE = /(?:^|[._:/-])(?:updat(?:e|ed)|chang(?:e|ed)|edit(?:ed)?|modif(?:y|ied)|set)$/i;
const DELETE = /(?:^|[._:/-])(?:delet(?:e|ed)|remov(?:e|ed)|destroy(?:ed)?)$/i;
const ENABLE = /(?:^|[._:/-])(?:enabl(?:e|ed)|activat(?:e|ed))$/i;
const DISABLE = /(?:^|[._:/-])(?:disabl(?:e|ed)|deactivat(?:e|ed)|suspend(?:ed)?)$/i;

const account = (action: RegExp, activity: number): OcsfRule => ({
  action,
  resourceType: PERSON,
  class: 'ACCOUNT_CHANGE',
  activity,
});
const entity = (action: RegExp, activity: number): OcsfRule => ({
  action,
  resourceType: ANYTHING,
  class: 'ENTITY_MANAGEMENT',
  activity,
});

/** In this order; docs/ocsf.md shows it. */
export const OCSF_RULES: readonly OcsfRule[] = [
  {
    action: /(?:^|[._:/-])(?:log_?in|log_?on|sign_?in|authenticat(?:e|ed))$/i,
    class: 'AUTHENTICATION',
    activity: 1,
  },
  { action: /(?:^|[._:/-])(?:log_?out|log_?off|sign_?out)$/i, class: 'AUTHENTICATION', activity: 2 },
  {
    action: /(?:^|[._:/-])(?:password[._-]?chang(?:e|ed)|chang(?:e|ed)[._-]?password)$/i,
    class: 'ACCOUNT_CHANGE',
    activity: 3,
  },
  {
    action: /(?:^|[._:/-])(?:password[._-]?reset|reset[._-]?password)$/i,
    class: 'ACCOUNT_CHANGE',
    activity: 4,
  },
  account(CREATE, 1),
  account(ENABLE, 2),
  account(DISABLE, 5),
  account(DELETE, 6),
  account(/(?:^|[._:/-])(?:lock(?:ed)?)$/i, 9),
  entity(CREATE, 1),
  entity(READ, 2),
  entity(UPDATE, 3),
  entity(DELETE, 4),
  entity(/(?:^|[._:/-])(?:mov(?:e|ed)|renam(?:e|ed))$/i, 5),
  entity(ENABLE, 8),
  entity(DISABLE, 9),
  { action: CREATE, class: 'API_ACTIVITY', activity: 1 },
  { action: READ, class: 'API_ACTIVITY', activity: 2 },
  { action: UPDATE, class: 'API_ACTIVITY', activity: 3 },
  { action: DELETE, class: 'API_ACTIVITY', activity: 4 },
];
const OTHER = { class: 'API_ACTIVITY', activity: 99 } as const;

const added: OcsfRule[] = [];

/** Rules of a host's own, which go before Reel's. Those added first go first. */
export function addOcsfRules(rules: readonly OcsfRule[]): void {
  added.push(...rules);
}

/** Which class an entry is of, and which activity. */
export function classify({
  action,
  resourceType,
}: Pick<LogEntry, 'action' | 'resourceType'>): Pick<OcsfRule, 'class' | 'activity'> {
  const fits = (rule: OcsfRule) =>
    rule.action.test(action) && (!rule.resourceType || rule.resourceType.test(resourceType ?? ''));
  return added.find(fits) ?? OCSF_RULES.find(fits) ?? OTHER;
}

/** Informational, informational, medium, high, critical. */
const SEVERITY_ID = { DEBUG: 1, INFO: 1, WARNING: 3, ERROR: 4, CRITICAL: 5 } as const;
const STATUS_ID = { SUCCESS: 1, FAILURE: 2, DENIED: 2 } as const;

/** Without members that are null. */
const present = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null && each !== undefined)) as T;

/** As an event of one of four classes of OCSF, with the whole entry under `unmapped`. */
export const ocsfFormat: Format = (entry, { streamId }) => {
  const { class: name, activity } = classify(entry);
  const { classUid, categoryUid } = OCSF_CLASSES[name];
  return {
    activity_id: activity,
    category_uid: categoryUid,
    class_uid: classUid,
    type_uid: 100 * classUid + activity,
    time: Date.parse(entry.occurredAt),
    severity_id: SEVERITY_ID[entry.severity],
    status_id: entry.outcome ? STATUS_ID[entry.outcome] : 0,
    ...(entry.outcome && { status_detail: entry.outcome }),
    message: messageOf(entry),
    metadata: present({
      version: OCSF_VERSION,
      product: { name: 'Reel', vendor_name: 'Reel' },
      uid: entry.id,
      sequence: entry.sequence,
      tenant_uid: entry.tenantId,
      correlation_uid: entry.requestId,
      event_code: entry.action,
      log_name: entry.module,
      logged_time: Date.parse(entry.createdAt),
      labels: [`stream:${streamId}`],
    }),
    ...ofClass(name, entry),
    unmapped: entryToWire(entry),
  };
};

function ofClass(name: OcsfClass, entry: LogEntry): Record<string, unknown> {
  const actor = actorOf(entry);
  const source = entry.ipAddress === null ? {} : { src_endpoint: { ip: entry.ipAddress } };
  switch (name) {
    case 'AUTHENTICATION':
      return {
        user: userOf(entry) ?? resourceUser(entry),
        service: { name: entry.module },
        actor,
        ...source,
      };
    case 'ACCOUNT_CHANGE':
      return {
        user:
          entry.resourceId || entry.resourceName
            ? resourceUser(entry)
            : (userOf(entry) ?? resourceUser(entry)),
        actor,
        ...source,
      };
    case 'ENTITY_MANAGEMENT':
      return { entity: entityOf(entry), actor, ...source };
    case 'API_ACTIVITY':
      return {
        actor,
        api: { operation: entry.action, service: { name: entry.module } },
        src_endpoint: entry.ipAddress === null ? { svc_name: entry.module } : { ip: entry.ipAddress },
        ...(entry.resourceType || entry.resourceId
          ? {
              resources: [entityOf(entry)],
            }
          : {}),
      };
  }
}

/** Null where nobody is named. */
function userOf({ actorId, actorEmail, actorName, actorType }: LogEntry): Record<string, unknown> | null {
  if (actorId === null && actorEmail === null && actorName === null) return null;
  return present({
    uid: actorId,
    name: actorName ?? actorEmail ?? actorId,
    email_addr: actorEmail,
    // User, or system.
    type_id: actorType === 'USER' || actorType === 'ANONYMOUS' ? 1 : 3,
  });
}

const resourceUser = ({ resourceId, resourceName }: LogEntry): Record<string, unknown> =>
  present({ uid: resourceId, name: resourceName ?? resourceId ?? 'Unknown' });

const actorOf = (entry: LogEntry): Record<string, unknown> => {
  const user = userOf(entry);
  return { app_name: entry.module, ...(user && { user }) };
};

const entityOf = ({ resourceId, resourceName, resourceType }: LogEntry): Record<string, unknown> =>
  present({ uid: resourceId, name: resourceName ?? resourceId ?? resourceType, type: resourceType });

/** `Ana invoices.create invoice/17`. */
export function messageOf({
  actorName,
  actorEmail,
  actorId,
  action,
  resourceType,
  resourceName,
  resourceId,
}: LogEntry): string {
  const resource = [resourceType, resourceName ?? resourceId].filter(Boolean).join('/');
  return [actorName ?? actorEmail ?? actorId, action, resource].filter(Boolean).join(' ');
}
