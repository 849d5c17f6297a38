import { badInput } from '../../errors.js';
import { MAX_PATH, parseDataPath } from '../../query-line/data-path.js';
import { isStorable, parseInstant, parseUuid } from '../../query-line/values.js';
import { foldEmail, foldName } from '../entry/email.js';
import { isSearchable, searchNeedle } from '../entry/search-text.js';
import { addressRanges } from './address-range.js';
import type { Condition, FilterField, Test } from './condition.js';
import { type DataCondition, DataOperator } from './data-condition.js';
import type { FilterInput } from './log-filter.js';

/** Bounds of a filter; those of text are in Unicode code points. */
export const MAX_LIST = 20;
export const MAX_TEXT = 320;
export const MAX_RESOURCE_ID = 1_024;
export const MAX_SEARCH = 255;
export const MAX_QUERY = 2_000;

/** The fields of a filter that are read one by one. */
type ConditionName = Exclude<keyof FilterInput, 'startDate' | 'endDate' | 'data' | 'query'>;

interface ConditionReader {
  readonly negated?: true;
  /** Reads one item of the filter's field, as groups of tests of which one has to hold. Errors: BAD_USER_INPUT for `name`. */
  read(item: string, name: ConditionName): Test[][];
}

const one = (test: (item: string, name: ConditionName) => Test): ConditionReader => ({
  read: (item, name) => [[test(item, name)]],
});
const not = (reader: ConditionReader): ConditionReader => ({ ...reader, negated: true });

const enumerated = (field: FilterField) => one((value) => ({ field, is: value }));
const text = (field: FilterField, max = MAX_TEXT) =>
  one((value, name) => ({ field, is: checkText(name, value, max) }));

/** UUIDs are stored in lower case. */
const id = (field: FilterField, max = MAX_TEXT) =>
  one((value, name) => ({ field, is: parseUuid(value) ?? checkText(name, value, max) }));

const actions = one((value, name) => startOrAll('action', checkText(name, value, MAX_TEXT)));
const actorIds = one((value, name) =>
  startOrAll('actorId', parseUuid(value) ?? checkText(name, value, MAX_TEXT)),
);

/** As startDate and endDate are read: digits past microseconds are dropped. */
const toMicroseconds = (instant: string): string => parseInstant(instant) ?? instant;

/** What ends in `*` is every value that begins so; elsewhere `*` is literal. */
const startOrAll = (field: FilterField, value: string): Test =>
  value.endsWith('*') ? { field, prefix: value.slice(0, -1) } : { field, is: value };

const search = one((value, name) => {
  const needle = searchNeedle(checkText(name, value, MAX_SEARCH));
  if (!isSearchable(needle))
    throw badInput(name, 'text with a character other than white space and invisible ones', value);
  return { contains: needle };
});

const addresses: ConditionReader = {
  read: (value, name) => {
    const tests = addressTests(checkText(name, value, MAX_TEXT));
    if (!tests) throw badInput(name, 'an IP address or a CIDR block, such as 10.0.0.0/8', value);
    return tests;
  },
};

/** The whole name of an actor, in any case. */
export const nameTest = (name: string): Test => ({ field: 'actorName', is: foldName(name) });

/** An address or CIDR block as groups of one test, of which one has to hold; null where it is neither. */
export const addressTests = (text: string): Test[][] | null =>
  addressRanges(text)?.map(({ first, last }) => [{ field: 'ipAddress', between: [first, last] }]) ?? null;

/** How the conditions are read, in the order in which they are checked. */
const CONDITION_READERS: Readonly<Record<ConditionName, ConditionReader>> = {
  modules: text('module'),
  notModules: not(text('module')),
  actions,
  exactActions: text('action'),
  notActions: not(actions),
  severities: enumerated('severity'),
  minSeverity: one((severity) => ({ field: 'severity', atLeast: severity })),
  origin: enumerated('origin'),
  occurredFrom: one((at) => ({ field: 'occurredAt', atLeast: toMicroseconds(at) })),
  occurredUntil: one((at) => ({ field: 'occurredAt', atMost: toMicroseconds(at) })),
  ids: enumerated('id'),
  actorIds,
  notActorIds: not(actorIds),
  actorEmail: one((email, name) => ({
    field: 'actorEmail',
    is: foldEmail(checkText(name, email, MAX_TEXT)),
  })),
  actorName: one((value, name) => nameTest(checkText(name, value, MAX_TEXT))),
  actorTypes: enumerated('actorType'),
  onBehalfOfId: id('onBehalfOfId'),
  outcomes: enumerated('outcome'),
  resourceType: text('resourceType'),
  resourceId: id('resourceId', MAX_RESOURCE_ID),
  clientId: enumerated('clientId'),
  requestId: id('requestId'),
  ipAddress: addresses,
  notIpAddress: not(addresses),
  search,
  notSearch: not(search),
};

/** The conditions of a filter, without its dates and its query line. Errors: BAD_USER_INPUT that names the field. */
export function conditionsOf(filter: FilterInput): Condition[] {
  const conditions = (Object.keys(CONDITION_READERS) as ConditionName[]).flatMap((name): Condition[] => {
    const given = filter[name];
    // An empty text is found in every entry; it is the value of none.
    if (given == null || (name === 'search' && given === '')) return [];
    const items = Array.isArray(given) ? given : [given];
    if (items.length === 0) return [];
    checkCount(name, items);
    const { negated = false, read } = CONDITION_READERS[name];
    return [{ negated, anyOf: items.flatMap((item) => read(item, name)) }];
  });
  const { data } = filter;
  if (data) {
    checkCount('data', data);
    conditions.push(...data.map(dataCondition));
  }
  return conditions;
}

function dataCondition({ path, op = DataOperator.EQ, value }: DataCondition, index: number): Condition {
  const name = `data[${index}]`;
  const steps = parseDataPath(path);
  const expected = `keys joined by dots, in quotes where they have other characters than letters, digits, _ and -, with [*] for any item of an array, at most ${MAX_PATH} characters`;
  if (steps === null || !isStorable(path)) throw badInput(`${name}.path`, expected, path);
  if (op === DataOperator.EXISTS) {
    if (value != null) throw badInput(`${name}.value`, 'none with EXISTS', value);
    return { negated: false, anyOf: [[{ path: steps, op }]] };
  }
  if (value == null) throw badInput(`${name}.value`, `a value to compare with by ${op}`, value ?? null);
  checkText(`${name}.value`, value, MAX_TEXT);
  const negated = op === DataOperator.NE;
  return { negated, anyOf: [[{ path: steps, op: negated ? DataOperator.EQ : op, value }]] };
}

function checkCount(name: string, items: readonly unknown[]): void {
  if (items.length > MAX_LIST) throw badInput(name, `at most ${MAX_LIST} items`, `${items.length} items`);
}

/** Errors: BAD_USER_INPUT that names the field. */
export function checkText(name: string, value: string, max: number): string {
  const length = [...value].length;
  if (length > max) throw badInput(name, `at most ${max} characters`, `${length} characters`);
  if (!isStorable(value)) throw badInput(name, 'text without NUL or lone surrogates', value);
  return value;
}
