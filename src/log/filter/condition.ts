import type { DataStep } from '../../query-line/data-path.js';

/** The fields that tests can be of: LogEntry's. */
export type FilterField =
  | 'id'
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'occurredAt'
  | 'actorId'
  | 'actorEmail'
  | 'actorName'
  | 'actorType'
  | 'onBehalfOfId'
  | 'outcome'
  | 'resourceType'
  | 'resourceId'
  | 'clientId'
  | 'requestId'
  | 'ipAddress';

/** Operators on a value in data; that it is another one is a negated EQ. */
export type DataOp = 'EQ' | 'GT' | 'GE' | 'LT' | 'LE' | 'EXISTS';

/** One test of an entry. Values are LogEntry's; e-mail addresses, names of people and texts that are searched for are folded. */
export type Test =
  | { readonly field: FilterField; readonly is: string }
  | { readonly field: FilterField; readonly prefix: string }
  /** Of severities from mild to grave, and of instants. */
  | { readonly field: 'severity' | 'occurredAt'; readonly atLeast: string }
  | { readonly field: 'severity' | 'occurredAt'; readonly atMost: string }
  /** Both ends inclusive. */
  | { readonly field: FilterField; readonly between: readonly [first: string, last: string] }
  /** `actor`: no id, e-mail address or name. */
  | { readonly field: 'actor' | 'clientId'; readonly absent: true }
  /** Anywhere in what an entry shows. */
  | { readonly contains: string }
  /** A value in data. `value` is not given with EXISTS alone. */
  | { readonly path: readonly DataStep[]; readonly op: DataOp; readonly value?: string };

/** Holds where all tests of one of its groups hold; negated, where none does, an entry without a value included. */
export interface Condition {
  readonly negated: boolean;
  /** At least one, each of at least one test. */
  readonly anyOf: readonly (readonly Test[])[];
}

/** What a test is about. */
export type Subject = FilterField | 'actor' | 'text' | 'data';

export function subjectOf(test: Test): Subject {
  if ('field' in test) return test.field;
  return 'path' in test ? 'data' : 'text';
}

/** Whether all tests of a condition are such. */
export const everyTest = ({ anyOf }: Condition, holds: (test: Test) => boolean): boolean =>
  anyOf.every((group) => group.every(holds));
