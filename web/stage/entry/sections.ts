import type { FieldName } from '../../../src/query-line/fields.js';
import { actorConditionOf, resourceConditionOf } from '../list/cells.js';
import type { Row } from '../list/entries.js';
import type { FieldValue } from '../query/edit.js';
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
  /** The condition of the query line to filter by, where there is one. */
  filter?: FieldValue | null;
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
  /** The condition that a field has this value. */
  const by = (field: FieldName, value: string | null): FieldValue | null =>
    value === null ? null : { field, value: { is: value } };
  return [
    {
      title: t('details.what'),
      fields: withValue([
        {
          label: t('details.recordedAt'),
          value: entry.createdAt,
          text: formatTime(entry.createdAt),
          note: entry.createdAt,
          filter: by('since', entry.createdAt),
        },
        {
          label: column('occurred_at'),
          value: entry.occurredAt,
          text: formatTime(entry.occurredAt),
          note: entry.occurredAt,
          filter: by('occurred-since', entry.occurredAt),
        },
        {
          label: column('severity'),
          value: entry.severity,
          text: t(`reel.severities.${entry.severity}`),
          filter: by('severity', entry.severity),
        },
        { label: column('module'), value: entry.module, filter: by('module', entry.module) },
        {
          label: column('action'),
          value: entry.action,
          filter: by('action', entry.action),
          isCode: true,
        },
        {
          label: column('resource_type'),
          value: entry.resourceType,
          filter: resourceConditionOf({ ...entry, resourceId: null }),
        },
        {
          label: column('resource_id'),
          value: entry.resourceId,
          isCode: true,
          filter: resourceConditionOf(entry),
        },
        { label: column('resource_name'), value: entry.resourceName },
        {
          label: column('outcome'),
          value: entry.outcome,
          ...(entry.outcome && { text: t(`reel.outcomes.${entry.outcome}`) }),
          filter: by('outcome', entry.outcome),
        },
        {
          label: column('origin'),
          value: entry.origin,
          text: t(`reel.origins.${entry.origin}`),
          filter: by('origin', entry.origin),
        },
      ]),
    },
    {
      title: t('details.who'),
      fields: withValue([
        {
          label: column('actor_name'),
          value: entry.actorName,
          filter: actorConditionOf(entry),
        },
        { label: column('actor_email'), value: entry.actorEmail, filter: by('actor', entry.actorEmail) },
        {
          label: column('actor_id'),
          value: entry.actorId,
          isCode: true,
          filter: by('actor', entry.actorId),
        },
        {
          label: column('actor_type'),
          value: entry.actorType,
          text: t(`reel.actorTypes.${entry.actorType}`),
          filter: by('type', entry.actorType),
        },
        { label: column('on_behalf_of_name'), value: entry.onBehalfOfName },
        {
          label: column('on_behalf_of_id'),
          value: entry.onBehalfOfId,
          isCode: true,
          filter: by('behalf', entry.onBehalfOfId),
          ...(full?.proof?.leafVersion === 1 && { note: t('details.reallyActing') }),
        },
        { label: column('tenant_id'), value: full?.tenantId, isCode: true },
        {
          label: column('client_id'),
          value: entry.clientId,
          filter: by('client', entry.clientId),
          isCode: true,
        },
      ]),
    },
    {
      title: t('details.where'),
      fields: withValue([
        {
          label: column('ip_address'),
          value: entry.ipAddress,
          filter: by('ip', entry.ipAddress),
          isCode: true,
        },
        { label: column('user_agent'), value: full?.userAgent },
        {
          label: column('request_id'),
          value: entry.requestId,
          isCode: true,
          filter: by('request', entry.requestId),
        },
        { label: t('details.id'), value: entry.id, filter: by('id', entry.id), isCode: true },
        {
          label: column('repaired'),
          value: full?.repaired.join(', '),
          ...(full && { text: full.repaired.map(column).join(', ') }),
        },
      ]),
    },
  ].filter(({ fields }) => fields.length > 0);
}
