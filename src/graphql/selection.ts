import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import { FIELDS, type FieldName } from '../log/entry/fields.js';

/** Fields of an entry that are stored, by their names in the schema. */
export const STORED: ReadonlyMap<string, FieldName> = new Map(FIELDS.map(({ name }) => [name, name]));

/** Whether the test holds of every field of a selection, fragments included. False where there are directives. */
export function everyField(
  { selections }: SelectionSetNode,
  info: GraphQLResolveInfo,
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
