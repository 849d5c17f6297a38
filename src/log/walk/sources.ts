import { sql } from 'kysely';
import { COLUMNS, indexOf } from '../filter/columns.js';
import type { Condition, Criteria, Test } from '../filter/criteria.js';
import { wherePasses } from '../filter/where.js';
import type { CandidateSource, Gathering, ValueWalk } from './candidates.js';
import { idsWithin } from './id-range.js';

/** More walks than this at once take longer than what they leave out. */
const MAX_WALKS = 40;
/** Only so many gatherings in one source. */
const MAX_GATHERINGS = 4;
/** Further conditions are only tested. */
const MAX_SOURCES = 6;

/** What each of the conditions that an index serves leaves as candidates. Any one suffices. */
export function sourcesOf(criteria: Criteria): CandidateSource[] {
  const conditions = allConditions(criteria);
  const isOnly = conditions.length === 1;
  const sources = conditions.flatMap((condition) => sourceOf(condition, isOnly) ?? []);
  const occurred = occurredSource(conditions);
  return [...sources, ...(occurred ? [occurred] : [])].slice(0, MAX_SOURCES);
}

/** Those of the scope included. */
export function allConditions({ scope, conditions }: Criteria): readonly Condition[] {
  if (scope.clients === null) return conditions;
  const ofClients = scope.clients.map((client): Test[] => [{ field: 'clientId', is: client }]);
  return [{ negated: false, anyOf: ofClients }, ...conditions];
}

/** Texts that every matching entry contains. */
export const needlesOf = ({ conditions }: Criteria): string[] =>
  conditions.flatMap(({ negated, anyOf }) =>
    negated || anyOf.length > 1 ? [] : anyOf[0]!.flatMap((test) => ('contains' in test ? test.contains : [])),
  );

function sourceOf({ negated, anyOf }: Condition, isOnly: boolean): CandidateSource | null {
  if (negated) return null;
  const [walks, gatherings, given]: [ValueWalk[], Gathering[], string[]] = [[], [], []];
  for (const group of anyOf) {
    const indexed = group.flatMap((test) => {
      const use = indexOf(test);
      return use === null ? [] : [{ test, use }];
    });
    const best = indexed.find(({ use }) => use.order === 'ordered') ?? indexed[0];
    if (!best) return null;
    const { test, use } = best;
    if ('is' in test) {
      if (test.field === 'id') given.push(test.is);
      else walks.push({ ...use, type: COLUMNS[test.field].type, value: test.is });
    } else gatherings.push({ column: use.column, where: wherePasses(test) });
  }
  if (walks.length > MAX_WALKS || gatherings.length > MAX_GATHERINGS) return null;
  return {
    walks,
    gatherings,
    given,
    within: null,
    isExact: isOnly && anyOf.every((group) => group.length === 1),
  };
}

/**
 * Entries that happened in a range of time: those that were stored when they happened, which are a range of ids, and the
 * others, which an index of their own has.
 */
function occurredSource(conditions: readonly Condition[]): CandidateSource | null {
  const tests = conditions.flatMap(({ negated, anyOf }) =>
    !negated && anyOf.length === 1 && anyOf[0]!.length === 1 ? anyOf[0]! : [],
  );
  const occurred = tests.filter((test) => 'field' in test && test.field === 'occurredAt');
  if (occurred.length === 0) return null;
  const from = occurred.flatMap((test) => ('atLeast' in test ? test.atLeast : [])).sort();
  const until = occurred.flatMap((test) => ('atMost' in test ? test.atMost : [])).sort();
  const ofTime = sql.join(occurred.map(wherePasses), sql` and `);
  return {
    walks: [],
    gatherings: [{ column: 'occurred_at', where: sql`${ofTime} and occurred_at <> created_at` }],
    given: [],
    within: idsWithin(from.at(-1) ?? null, until[0] ?? null),
    isExact: false,
  };
}
