import type { FieldName } from '../../../src/query-line/terms.js';
import { actorConditionOf, resourceOf } from '../list/cells.js';
import type { Row } from '../list/entries.js';
import { hasCondition } from '../query/edit.js';
import type { Entry } from './entry.js';

/** One field of an entry in the details. */
export interface Field {
  label: string;
  /** What Copy copies, and what is shown unless `text` says otherwise. */
  value: string;
  text?: string;
  /** A second line below the value. */
  note?: string;
  isCode?: boolean;
  /** The field of the query line to filter by, where there is one. */
  filterField?: FieldName;
  /** The value to filter by, where that is not `value`. */
  filterValue?: string;
}

export interface Section {
  title: string;
  fields: Field[];
}

interface Formatters {
  t: (key: string) => string;
  /** Formats an instant with date, time and zone. */
  formatTime: (at: string) => string;
}

/** The fields that have a value, except changes, data, related entries and the seal, which have sections of their own. */
export function sectionsOf(entry: Row | Entry, { t, formatTime }: Formatters): Section[] {
  const full = 'tenantId' in entry ? entry : null;
  const withValue = (fields: (Omit<Field, 'value'> & { value: string | null | undefined })[]) =>
    fields.filter((each): each is Field => each.value != null && each.value !== '');
  const column = (name: string) => t(`reel.columns.${name}`);
  const actor = actorConditionOf(entry);
  // The query line splits type and id at the first slash.
  const canFilterResource = !entry.resourceType?.includes('/');
  return [
    {
      title: t('details.what'),
      fields: withValue([
        {
          label: column('created_at'),
          value: entry.createdAt,
          text: formatTime(entry.createdAt),
          note: entry.createdAt,
          filterField: 'since',
        },
        {
          label: column('occurred_at'),
          value: entry.occurredAt,
          text: formatTime(entry.occurredAt),
          note: entry.occurredAt,
        },
        {
          label: column('severity'),
          value: entry.severity,
          text: t(`reel.severities.${entry.severity}`),
          filterField: 'severity',
        },
        { label: column('module'), value: entry.module, filterField: 'module' },
        { label: column('action'), value: entry.action, filterField: 'action', isCode: true },
        {
          label: column('resource_type'),
          value: entry.resourceType,
          ...(canFilterResource && { filterField: 'resource' as const }),
        },
        {
          label: column('resource_id'),
          value: entry.resourceId,
          isCode: true,
          ...(entry.resourceType &&
            canFilterResource && { filterField: 'resource' as const, filterValue: resourceOf(entry) }),
        },
        { label: column('resource_name'), value: entry.resourceName },
        {
          label: column('outcome'),
          value: entry.outcome,
          ...(entry.outcome && { text: t(`reel.outcomes.${entry.outcome}`) }),
        },
        {
          label: column('origin'),
          value: entry.origin,
          text: t(`reel.origins.${entry.origin}`),
          filterField: 'origin',
        },
      ]),
    },
    {
      title: t('details.who'),
      fields: withValue([
        {
          label: column('actor_name'),
          value: entry.actorName,
          ...(actor && { filterField: 'actor' as const, filterValue: actor }),
        },
        { label: column('actor_email'), value: entry.actorEmail, filterField: 'actor' },
        {
          label: column('actor_id'),
          value: entry.actorId,
          isCode: true,
          ...(entry.actorId && actor && { filterField: 'actor' as const }),
        },
        {
          label: column('actor_type'),
          value: entry.actorType,
          text: t(`reel.actorTypes.${entry.actorType}`),
        },
        { label: column('on_behalf_of_name'), value: entry.onBehalfOfName },
        {
          label: column('on_behalf_of_id'),
          value: entry.onBehalfOfId,
          isCode: true,
          ...(full?.proof?.leafVersion === 1 && { note: t('details.reallyActing') }),
        },
        { label: column('tenant_id'), value: full?.tenantId, isCode: true },
        { label: column('client_id'), value: entry.clientId, filterField: 'client', isCode: true },
      ]),
    },
    {
      title: t('details.where'),
      fields: withValue([
        { label: column('ip_address'), value: entry.ipAddress, filterField: 'ip', isCode: true },
        { label: column('user_agent'), value: full?.userAgent },
        {
          label: column('request_id'),
          value: entry.requestId,
          isCode: true,
          ...(entry.requestId &&
            hasCondition('request', entry.requestId) && { filterField: 'request' as const }),
        },
        { label: t('details.id'), value: entry.id, isCode: true },
        {
          label: column('repaired'),
          value: full?.repaired.join(', '),
          ...(full && { text: full.repaired.map(column).join(', ') }),
        },
      ]),
    },
  ].filter(({ fields }) => fields.length > 0);
}
