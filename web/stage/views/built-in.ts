import type { FieldName } from '../../../src/query-line/fields.js';
import { printQueryLine } from '../../../src/query-line/print.js';
import type { QueryValue } from '../../../src/query-line/terms.js';
import { MAX_VALUES } from '../../../src/query-line/terms.js';
import type { Range } from '../link.js';
import type { Vocabulary } from '../query/vocabulary.js';

/** A view that everybody has. */
export interface BuiltInView {
  key: 'deletions' | 'failedLogins' | 'impersonation' | 'mine' | 'reads';
  q: string;
  range: Range | null;
  /** Of a view of today. */
  from?: string;
}

/** Names of actions are each platform's own: what is looked for is chosen from those that occur, by these words. */
const DELETION = /(?:^|[._:/-])(?:bulk_)?(?:delete|destroy|remove|purge|erase)d?$/i;
const FAILED_LOGIN =
  /(?:log|sign)[_.-]?(?:in|on).*(?:fail|den|reject|error|invalid)|(?:fail|den|reject).*(?:log|sign)[_.-]?(?:in|on)/i;
const IMPERSONATION = /impersonat|on_?behalf|act(?:ing)?_?as|assume_?(?:user|identity)/i;

const termOf = (field: FieldName, values: readonly QueryValue[]) =>
  printQueryLine([{ position: 0, length: 0, field, negated: false, op: ':', values }]);

/** `today`: the first instant of today, in the zone that is shown. `me`: what finds the person who looks. */
export function builtInViews(vocabulary: Vocabulary | null, me: string | null, today: string): BuiltInView[] {
  const actions = (vocabulary?.actions ?? []).flatMap(({ key }) => key ?? []);
  /** Actions that match, the most frequent ones; without any, entries that hold the word. */
  const actionsLike = (pattern: RegExp, word: string) => {
    const found = actions.filter((action) => pattern.test(action)).slice(0, MAX_VALUES);
    return found.length > 0
      ? termOf(
          'action',
          found.map((is) => ({ is })),
        )
      : word;
  };
  return [
    { key: 'deletions', q: actionsLike(DELETION, 'delete'), range: '7d' },
    {
      key: 'failedLogins',
      q: actionsLike(FAILED_LOGIN, 'login outcome:failure,denied'),
      range: null,
      from: today,
    },
    { key: 'impersonation', q: actionsLike(IMPERSONATION, 'impersonat'), range: null },
    ...(me ? [{ key: 'mine' as const, q: termOf('actor', [{ is: me }]), range: null }] : []),
    { key: 'reads', q: 'module:reel action:reel.logs.*', range: null },
  ];
}
