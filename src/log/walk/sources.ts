import { sql } from 'kysely';
import { indexOf } from '../filter/columns.js';
import { type Condition, type Subject, subjectOf, type Test } from '../filter/condition.js';
import type { Criteria } from '../filter/criteria.js';
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
  const sources = conditions.flatMap((condition) => sourcesOfCondition(condition, isOnly));
  const occurred = occurredSource(conditions);
  // Those that need no sorting first, since one with few candidates makes the others needless.
  const bySorting = (source: CandidateSource) => source.gatherings.length;
  return [...sources, ...(occurred ? [occurred] : [])]
    .sort((one, other) => bySorting(one) - bySorting(other))
    .slice(0, MAX_SOURCES);
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

/** Of tests that must all hold each is a source; of several groups each gives the one that is likely to leave fewest. */
function sourcesOfCondition({ negated, anyOf }: Condition, isOnly: boolean): CandidateSource[] {
  if (negated) return [];
  const [group] = anyOf;
  const choices =
    anyOf.length === 1 && group ? indexed(group).map((test) => [test]) : [anyOf.flatMap(rarest)];
  const isExact = isOnly && anyOf.every(({ length }) => length === 1);
  return choices.flatMap((tests) => (tests.length === anyOf.length ? (sourceOf(tests, isExact) ?? []) : []));
}

const indexed = (group: readonly Test[]): Test[] => group.filter((test) => indexOf(test) !== null);

/** Few values are of many entries. */
const COMMON: ReadonlySet<Subject> = new Set<Subject>([
  'module',
  'action',
  'severity',
  'resourceType',
  'clientId',
]);

function rarest(group: readonly Test[]): Test[] {
  const tests = indexed(group);
  const rare = tests.find((test) => !COMMON.has(subjectOf(test)) && 'is' in test) ?? tests[0];
  return rare ? [rare] : [];
}

function sourceOf(tests: readonly Test[], isExact: boolean): CandidateSource | null {
  const [walks, gatherings, given]: [ValueWalk[], Gathering[], string[]] = [[], [], []];
  for (const test of tests) {
    const use = indexOf(test);
    if (use === null) return null;
    const { column, type, only, values } = use;
    if (values === null) gatherings.push({ column, where: wherePasses(test) });
    else if (column === 'id') given.push(...values);
    else walks.push(...values.map((value) => ({ column, type, only, value })));
  }
  if (walks.length > MAX_WALKS || gatherings.length > MAX_GATHERINGS) return null;
  return { walks, gatherings, given, within: null, isExact };
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
