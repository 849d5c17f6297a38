import {
  type FieldNode,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import type { FieldName } from '../log/entry/fields.js';
import { ALL_COLUMNS, EntryColumns } from '../log/entry/stored-entry.js';
import { everyField, STORED } from './selection.js';

const known = new WeakMap<FieldNode, EntryColumns>();

/**
 * The columns of entries that the selection of a field asks for, which answers entries: itself, in a list, or as a connection's
 * nodes and edges. All where it asks for more of an entry than what is stored, or depends on variables.
 */
export function selectedColumns(info: GraphQLResolveInfo): EntryColumns {
  const [node, ...others] = info.fieldNodes;
  if (!node || others.length > 0) return ALL_COLUMNS;
  const columns = known.get(node) ?? columnsOf(node, info);
  known.set(node, columns);
  return columns;
}

function columnsOf({ selectionSet }: FieldNode, info: GraphQLResolveInfo): EntryColumns {
  const names = new Set<FieldName>();
  const entry = info.schema.getType('LogEntry');
  const stored = isObjectType(entry) ? entry.getFields() : {};
  const ofEntry = ({ name, arguments: given }: FieldNode): boolean => {
    if (name.value === '__typename') return true;
    const field = STORED.get(name.value);
    if (!field || stored[field]?.resolve || given?.length) return false;
    names.add(field);
    return true;
  };
  const isSelected = (selectionSet: SelectionSetNode | undefined, holds: (node: FieldNode) => boolean) =>
    selectionSet === undefined || everyField(selectionSet, info, holds);
  const ofEdge = (node: FieldNode) => node.name.value !== 'node' || isSelected(node.selectionSet, ofEntry);
  const ofConnection = (node: FieldNode) => {
    if (node.name.value === 'nodes') return isSelected(node.selectionSet, ofEntry);
    return node.name.value !== 'edges' || isSelected(node.selectionSet, ofEdge);
  };
  const isEntry = getNamedType(info.returnType) === entry;
  return isSelected(selectionSet, isEntry ? ofEntry : ofConnection) ? new EntryColumns(names) : ALL_COLUMNS;
}
