import { resourceOf } from './cells.js';
import type { Row } from './entries.js';
import type { Entry } from './entry.js';
import type { FilterField } from './query-edit.js';

/** One field of an entry, as the details show it. */
export interface Field {
  name: string;
  /** What is copied. */
  value: string;
  /** What is shown, where it is not the value. */
  shown?: string;
  /** The query line's field for it, where there is one. */
  field?: FilterField;
  /** What stands in the query line, where it is not the value. */
  as?: string;
  code?: boolean;
  note?: string;
}

export interface Section {
  title: string;
  fields: Field[];
}

interface Words {
  t: (key: string) => string;
  /** An instant in full. */
  long: (at: string) => string;
}

/** Every field that the entry has, but those that have a place of their own: changes, data, related entries, the seal. */
export function sectionsOf(at: Row | Entry, { t, long }: Words): Section[] {
  const full = 'tenantId' in at ? at : null;
  const list = (fields: (Omit<Field, 'value'> & { value: string | null | undefined })[]) =>
    fields.filter((each): each is Field => each.value != null && each.value !== '');
  const column = (name: string) => t(`reel.columns.${name}`);
  const actor = at.actorId ?? at.actorEmail ?? undefined;
  return [
    {
      title: t('details.what'),
      fields: list([
        {
          name: column('created_at'),
          value: at.createdAt,
          shown: long(at.createdAt),
          note: at.createdAt,
          field: 'since',
          as: at.createdAt,
        },
        {
          name: column('occurred_at'),
          value: at.occurredAt,
          shown: long(at.occurredAt),
          note: at.occurredAt,
        },
        {
          name: column('severity'),
          value: at.severity,
          shown: t(`reel.severities.${at.severity}`),
          field: 'severity',
        },
        { name: column('module'), value: at.module, field: 'module' },
        { name: column('action'), value: at.action, field: 'action', code: true },
        {
          name: column('resource_type'),
          value: at.resourceType,
          ...(!at.resourceType?.includes('/') && { field: 'resource' as const }),
        },
        {
          name: column('resource_id'),
          value: at.resourceId,
          code: true,
          ...(at.resourceType &&
            !at.resourceType.includes('/') && { field: 'resource' as const, as: resourceOf(at) }),
        },
        { name: column('origin'), value: at.origin, shown: t(`reel.origins.${at.origin}`), field: 'origin' },
      ]),
    },
    {
      title: t('details.who'),
      fields: list([
        {
          name: column('actor_name'),
          value: at.actorName,
          ...(actor && { field: 'actor' as const, as: actor }),
        },
        { name: column('actor_email'), value: at.actorEmail, field: 'actor' },
        { name: column('actor_id'), value: at.actorId, field: 'actor', code: true },
        {
          name: column('on_behalf_of_id'),
          value: at.onBehalfOfId,
          code: true,
          note: t('details.impersonated'),
        },
        { name: column('tenant_id'), value: full?.tenantId, code: true },
        { name: column('client_id'), value: at.clientId, field: 'client', code: true },
      ]),
    },
    {
      title: t('details.where'),
      fields: list([
        { name: column('ip_address'), value: at.ipAddress, field: 'ip', code: true },
        { name: column('user_agent'), value: full?.userAgent },
        { name: column('request_id'), value: at.requestId, field: 'request', code: true },
        { name: t('details.id'), value: at.id, code: true },
      ]),
    },
  ].filter(({ fields }) => fields.length > 0);
}
