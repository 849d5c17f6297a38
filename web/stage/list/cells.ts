import type { FieldName } from '../../../src/query-line/fields.js';
import type { FieldValue } from '../query/edit.js';
import { type Column, isDataColumn, pathOf, textAt } from './columns.js';
import type { Row } from './entries.js';

const by = (field: FieldName, value: string | null): FieldValue | null =>
  value === null ? null : { field, value: { is: value } };

/** A cell's value as a condition of the query line; null where there is none for it. */
export function conditionOf(row: Row, column: Column): FieldValue | null {
  if (isDataColumn(column)) {
    const path = pathOf(column)!;
    const text = textAt(row.data, path);
    return text === null ? null : { field: 'data', path, value: { is: text } };
  }
  switch (column) {
    case 'time':
      return by('since', row.createdAt);
    case 'severity':
    case 'module':
    case 'action':
    case 'outcome':
    case 'origin':
      return by(column, row[column]);
    case 'actor':
      return actorConditionOf(row);
    case 'resource':
      return resourceConditionOf(row);
    case 'client':
      return row.clientId === null ? { field: 'client', value: { none: true } } : by('client', row.clientId);
    case 'ip':
      return by('ip', row.ipAddress);
    case 'email':
      return by('actor', row.actorEmail);
    case 'behalf':
      return by('behalf', row.onBehalfOfId);
    case 'occurred':
      return by('occurred-since', row.occurredAt);
    case 'request':
      return by('request', row.requestId);
  }
}

export const actorOf = (row: Pick<Row, 'actorName' | 'actorEmail' | 'actorId'>) =>
  row.actorName ?? row.actorEmail ?? row.actorId;

/** By the actor's id, else the e-mail address, else the name; where there is none, by that. */
export function actorConditionOf(row: Pick<Row, 'actorId' | 'actorEmail' | 'actorName'>): FieldValue {
  const actor = row.actorId ?? row.actorEmail ?? row.actorName;
  return { field: 'actor', value: actor === null ? { none: true } : { is: actor } };
}

export function resourceConditionOf({
  resourceType,
  resourceId,
}: Pick<Row, 'resourceType' | 'resourceId'>): FieldValue | null {
  if (!resourceType) return null;
  const id = resourceId ? { id: { is: resourceId } } : {};
  return { field: 'resource', value: { type: resourceType, ...id } };
}

export const resourceOf = ({ resourceType, resourceId }: Pick<Row, 'resourceType' | 'resourceId'>) =>
  [resourceType, resourceId].filter(Boolean).join('/');
