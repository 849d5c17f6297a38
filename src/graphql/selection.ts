import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import { FIELDS, type FieldName } from '../log/entry/fields.js';

/** Fields of an entry that are stored, by their names in the schema. */
export const STORED: ReadonlyMap<string, FieldName> = new Map(FIELDS.map(({ name }) => [name, name]));

/** Whether the test holds of every field of a selection, fragments included. False where there are directives. */
export function everyField(
  { selections }: SelectionSetNode,
  info: Pick<GraphQLResolveInfo, 'fragments'>,
  holds: (node: FieldNode) => boolean,
): boolean {
  return selections.every((selection) => {
    if (selection.directives?.length) return false;
    if (selection.kind === 'Field') return holds(selection);
    const fragment = selection.kind === 'FragmentSpread' ? info.fragments[selection.name.value] : selection;
    return (
      fragment !== undefined && !fragment.directives?.length && everyField(fragment.selectionSet, info, holds)
    );
  });
}

/** Whether a field is selected, under whatever name, of the object that the current field answers; false where directives have a say. */
export function isSelected({ fieldNodes, ...info }: GraphQLResolveInfo, name: string): boolean {
  let isFound = false;
  const look = (node: FieldNode) => {
    isFound ||= node.name.value === name;
    return true;
  };
  const isPlain = fieldNodes.every(
    ({ selectionSet }) => !selectionSet || everyField(selectionSet, info, look),
  );
  return isPlain && isFound;
}
