import type { FieldName } from '../../../src/query-line/terms.js';
import type { Column } from '../preferences.js';
import { hasCondition } from '../query/edit.js';
import type { Row } from './entries.js';

/** A cell's value as a condition of the query line; null where there is none for it. */
export function conditionOf(row: Row, column: Column): { field: FieldName; value: string } | null {
  if (column === 'time') return { field: 'since', value: row.createdAt };
  if (column === 'severity') return { field: 'severity', value: row.severity };
  if (column === 'module') return { field: 'module', value: row.module };
  if (column === 'action') return { field: 'action', value: row.action };
  if (column === 'actor') {
    const value = actorConditionOf(row);
    return value === null ? null : { field: 'actor', value };
  }
  if (!row.resourceType || row.resourceType.includes('/')) return null;
  return {
    field: 'resource',
    value: row.resourceId ? `${row.resourceType}/${row.resourceId}` : row.resourceType,
  };
}

export const actorOf = (row: Pick<Row, 'actorName' | 'actorEmail' | 'actorId'>) =>
  row.actorName ?? row.actorEmail ?? row.actorId;

/** The actor's id, else the e-mail address, as a value of the query line; null where that has no condition for it. */
export function actorConditionOf({
  actorId,
  actorEmail,
}: Pick<Row, 'actorId' | 'actorEmail'>): string | null {
  if (actorId === null) return actorEmail;
  return hasCondition('actor', actorId) ? actorId : null;
}

export const resourceOf = ({ resourceType, resourceId }: Row) =>
  [resourceType, resourceId].filter(Boolean).join('/');
