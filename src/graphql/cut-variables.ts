/** No input has room for longer text, nor for an object with more members. */
const [MAX_CHARACTERS, MAX_MEMBERS] = [65_536, 20_000];
/** Variable, list, input object, its field, a list in it. */
const MAX_DEPTH = 5;

/**
 * Cuts text and objects in variables that are longer than any that is taken, in place: they are refused all the same, but
 * graphql-js would write them out in full to say so. Objects in `data` stay, since data that is too long may be repaired.
 */
export function cutVariables(variables: unknown, depth = 0): void {
  if (typeof variables !== 'object' || variables === null || depth === MAX_DEPTH) return;
  if (Array.isArray(variables)) {
    // graphql-js shows ten items of a list.
    for (let at = 0; at < variables.length && at < 1_000; at += 1)
      variables[at] = cut(variables[at], String(at), depth);
    return;
  }
  const members = variables as Record<string, unknown>;
  for (const name in members) members[name] = cut(members[name], name, depth);
}

function cut(value: unknown, name: string, depth: number): unknown {
  if (typeof value === 'string')
    return value.length > MAX_CHARACTERS ? value.slice(0, MAX_CHARACTERS + 1) : value;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject && name === 'data') return value;
  // No input has a field of this name.
  if (isObject && depth > 0 && hasMore(value, MAX_MEMBERS)) return { '…': null };
  cutVariables(value, depth + 1);
  return value;
}

function hasMore(value: object, most: number): boolean {
  let members = 0;
  for (const _ in value) {
    members += 1;
    if (members > most) return true;
  }
  return false;
}
