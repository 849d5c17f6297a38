import type { Column } from '../preferences.js';
import type { FieldValue } from '../query/edit.js';
import type { Row } from './entries.js';

/** A cell's value as a condition of the query line; null where there is none for it. */
export function conditionOf(row: Row, column: Column): FieldValue | null {
  if (column === 'time') return { field: 'since', value: { is: row.createdAt } };
  if (column === 'severity') return { field: 'severity', value: { is: row.severity } };
  if (column === 'module') return { field: 'module', value: { is: row.module } };
  if (column === 'action') return { field: 'action', value: { is: row.action } };
  return column === 'actor' ? actorConditionOf(row) : resourceConditionOf(row);
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

export const resourceOf = ({ resourceType, resourceId }: Row) =>
  [resourceType, resourceId].filter(Boolean).join('/');
