import { ReelError } from '../../errors.js';
import { QueryLineError } from '../../query-line/fault.js';
import type { FieldName } from '../../query-line/fields.js';
import { parseQueryLine } from '../../query-line/parse.js';
import type { QueryTerm, QueryText, QueryValue } from '../../query-line/terms.js';
import { foldEmail } from '../entry/email.js';
import { searchNeedle } from '../entry/search-text.js';
import { type LogSeverity, SEVERITIES } from '../entry/severity.js';
import type { Condition, FilterField, Test } from './condition.js';
import { addressTests, nameTest } from './field-conditions.js';

/** What a query line asks for. */
export interface QueryConditions {
  readonly conditions: readonly Condition[];
  readonly start: string | null;
  readonly end: string | null;
}

/**
 * Relative times are relative to `now`; dates and times without an offset are of `timeZone`.
 * Errors: BAD_USER_INPUT with position, length, fault and, where there is one, the suggestion.
 */
export function readQuery(line: string, now: Date, timeZone: string): QueryConditions {
  const terms = parse(line, now, timeZone);
  const instant = (field: FieldName) => {
    const value = terms.find((term) => term.field === field)?.values[0];
    return value && 'is' in value ? value.is : null;
  };
  return {
    conditions: terms.flatMap(conditionsOf),
    start: instant('since'),
    end: instant('until'),
  };
}

function parse(line: string, now: Date, timeZone: string): readonly QueryTerm[] {
  try {
    return parseQueryLine(line, { now, timeZone }).terms;
  } catch (error) {
    if (!(error instanceof QueryLineError)) throw error;
    const { message, position, length, fault, suggestion } = error;
    const ctx = { position, length, fault, ...(suggestion !== null && { suggestion }) };
    throw new ReelError('BAD_USER_INPUT', `query: ${message}`, {
      extensions: ctx,
      faults: [
        { type: 'value_error', loc: ['query'], msg: message, input: line.slice(0, 200).toWellFormed(), ctx },
      ],
    });
  }
}

function conditionsOf(term: QueryTerm): Condition[] {
  const { field, negated, values } = term;
  // Bounds on the time of storing are no conditions.
  if (field === 'since' || field === 'until') return [];
  const anyOf = values.flatMap((value) => groupsOf(term, value));
  const [group = [], ...others] = anyOf;
  // What must hold together is as many conditions, so that a facet of one leaves out that one alone.
  if (!negated && others.length === 0) return group.map((test) => ({ negated, anyOf: [[test]] }));
  return [{ negated, anyOf }];
}

/** What a term's field is in an entry. */
const ENTRY_FIELDS: Partial<Record<FieldName, FilterField>> = {
  module: 'module',
  action: 'action',
  outcome: 'outcome',
  origin: 'origin',
  type: 'actorType',
  behalf: 'onBehalfOfId',
  client: 'clientId',
  request: 'requestId',
  id: 'id',
};

/** Groups of tests, of which one has to hold. */
function groupsOf(term: QueryTerm, value: QueryValue): Test[][] {
  const { field, path, op } = term;
  if ('type' in value) {
    const type: Test = { field: 'resourceType', is: value.type };
    return [value.id ? [type, { field: 'resourceId', ...value.id }] : [type]];
  }
  if ('none' in value) return [[{ field: field === 'actor' ? 'actor' : 'clientId', absent: true }]];
  if (path)
    return [
      ['exists' in value ? { path, op: 'EXISTS' } : { path, op: DATA_OPERATORS[op], value: textOf(value) }],
    ];
  if (field === 'severity') return [[severityTest(op, textOf(value) as LogSeverity)]];
  if (field === 'occurred-since') return [[{ field: 'occurredAt', atLeast: textOf(value) }]];
  if (field === 'occurred-until') return [[{ field: 'occurredAt', atMost: textOf(value) }]];
  if (field === 'ip') return addressTests(textOf(value)) ?? [];
  if (field === null) return [[{ contains: searchNeedle(textOf(value)) }]];
  if (field === 'actor') {
    if ('prefix' in value) return [[{ field: 'actorId', prefix: value.prefix }]];
    const text = textOf(value);
    return [
      [{ field: 'actorId', is: text }],
      [{ field: 'actorEmail', is: foldEmail(text) }],
      [nameTest(text)],
    ];
  }
  const name = ENTRY_FIELDS[field];
  if (!name) throw new Error(`No condition for ${field}`);
  return [['prefix' in value ? { field: name, prefix: value.prefix } : { field: name, is: textOf(value) }]];
}

const textOf = (value: QueryValue): string => (value as QueryText).is;

const DATA_OPERATORS = { ':': 'EQ', '>=': 'GE', '>': 'GT', '<=': 'LE', '<': 'LT' } as const;

function severityTest(op: QueryTerm['op'], severity: LogSeverity): Test {
  if (op === ':') return { field: 'severity', is: severity };
  if (op === '>=') return { field: 'severity', atLeast: severity };
  if (op === '<=') return { field: 'severity', atMost: severity };
  const next = SEVERITIES.indexOf(severity) + (op === '>' ? 1 : -1);
  const bound = SEVERITIES[next];
  // Nothing is graver than the last or milder than the first.
  if (bound === undefined) return { field: 'severity', between: [SEVERITIES.at(-1)!, SEVERITIES[0]!] };
  return op === '>' ? { field: 'severity', atLeast: bound } : { field: 'severity', atMost: bound };
}
