/** One changed value as it is shown. */
export interface ShownChange {
  key: string;
  /** Steps of its path; none: the whole. */
  path: string[];
  /** Null where it was added or removed. */
  before: string | null;
  after: string | null;
}

interface Change {
  path: string;
  before: string | null;
  after: string | null;
}

/** A text without its quotation marks, anything else as JSON. */
function readable(json: string | null): string | null {
  if (json === null) return null;
  const value: unknown = JSON.parse(json);
  return typeof value === 'string' && value !== '' ? value : json;
}

export const shownChanges = (changes: readonly Change[]): ShownChange[] =>
  changes.map(({ path, before, after }) => ({
    key: path,
    path: path
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')),
    before: readable(before),
    after: readable(after),
  }));

/** What all of them are: values of what was removed or added as a whole are shown as what it held. */
export function kindOf(changes: readonly ShownChange[]): 'removed' | 'added' | 'changes' {
  if (changes.every(({ after }) => after === null)) return 'removed';
  return changes.every(({ before }) => before === null) ? 'added' : 'changes';
}
