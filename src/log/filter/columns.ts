import { ACTOR_TYPES, ActorType } from '../entry/actor-type.js';
import { ORIGINS } from '../entry/origin.js';
import { OUTCOMES } from '../entry/outcome.js';
import { LogSeverity, SEVERITIES } from '../entry/severity.js';
import type { FilterField, Test } from './condition.js';

/**
 * Where a field's value is stored. Row-level security lets a condition use an index only where its operator is leakproof:
 * comparisons of these types are, LIKE is not.
 */
export interface Column {
  /** SQL: a column of reel_log_entries, or what an entry shows where that is null. */
  readonly sql: string;
  readonly type: 'text' | 'uuid' | 'smallint' | 'inet' | 'timestamptz';
  readonly nullable: boolean;
  /** The names whose indices the column stores. */
  readonly enumeration?: readonly string[];
  /** Whether (tenant_id, the column, id) is an index, which leaves out null at most; `grave`: it has ERROR and CRITICAL alone. */
  readonly indexed: boolean | 'grave';
}

/** An entry of leaf version 1 has no actor type: a user acted if a field of the actor is set or was erased (log/entry/fields). */
const ACTOR_TYPE = `coalesce(actor_type, case when coalesce(actor_id, actor_email, actor_name) is null and erased_at is null
  then ${ACTOR_TYPES.indexOf(ActorType.SYSTEM)} else ${ACTOR_TYPES.indexOf(ActorType.USER)} end)`;

export const COLUMNS: Readonly<Record<FilterField, Column>> = {
  id: { sql: 'id', type: 'uuid', nullable: false, indexed: true },
  module: { sql: 'module', type: 'text', nullable: false, indexed: true },
  action: { sql: 'action', type: 'text', nullable: false, indexed: true },
  severity: {
    sql: 'severity',
    type: 'smallint',
    nullable: false,
    enumeration: SEVERITIES,
    indexed: 'grave',
  },
  origin: { sql: 'origin', type: 'smallint', nullable: false, enumeration: ORIGINS, indexed: false },
  occurredAt: { sql: 'occurred_at', type: 'timestamptz', nullable: false, indexed: false },
  actorId: { sql: 'actor_id', type: 'text', nullable: true, indexed: true },
  actorEmail: { sql: 'actor_email_folded', type: 'text', nullable: true, indexed: true },
  actorName: { sql: 'actor_name_folded', type: 'text', nullable: true, indexed: true },
  actorType: { sql: ACTOR_TYPE, type: 'smallint', nullable: false, enumeration: ACTOR_TYPES, indexed: false },
  onBehalfOfId: { sql: 'on_behalf_of_id', type: 'text', nullable: true, indexed: true },
  outcome: { sql: 'outcome', type: 'smallint', nullable: true, enumeration: OUTCOMES, indexed: false },
  resourceType: { sql: 'resource_type', type: 'text', nullable: true, indexed: true },
  resourceId: { sql: 'resource_id', type: 'text', nullable: true, indexed: true },
  clientId: { sql: 'client_id', type: 'uuid', nullable: true, indexed: true },
  requestId: { sql: 'request_id', type: 'text', nullable: true, indexed: true },
  ipAddress: { sql: 'ip_address', type: 'inet', nullable: true, indexed: true },
};

/** How an index holds the entries that pass a test. */
export interface IndexUse {
  /** The index is (tenant_id, this, id), or the primary key. */
  readonly column: string;
  readonly type: Column['type'];
  /** The stored values that pass, of each of which the entries are one stretch of the index, by id; null: a range, by value and then by id. */
  readonly values: readonly string[] | null;
  /** SQL: which entries the index has; null: all. */
  readonly only: string | null;
}

const GRAVE = SEVERITIES.indexOf(LogSeverity.ERROR);

/** The index that serves a test; null where entries have to be walked. */
export function indexOf(test: Test): IndexUse | null {
  if (!('field' in test) || 'absent' in test) return null;
  // Every value has it.
  if ('prefix' in test && test.prefix === '') return null;
  const { sql: column, type, indexed } = COLUMNS[test.field];
  if (!indexed) return null;
  if (indexed === true) return { column, type, values: 'is' in test ? [test.is] : null, only: null };
  const [least, ...graver] = severitiesOf(test);
  return least === undefined || least < GRAVE
    ? null
    : { column, type, values: [least, ...graver].map(String), only: `${column} >= ${GRAVE}` };
}

/** Severities of which one passes, as they are stored; none where the test is of no such kind. */
function severitiesOf(test: Test): number[] {
  const [stored, isGraver] =
    'is' in test ? [test.is, false] : 'atLeast' in test ? [test.atLeast, true] : [null, false];
  const least = SEVERITIES.indexOf(stored as LogSeverity);
  if (least < 0) return [];
  return isGraver ? SEVERITIES.map((_, index) => index).slice(least) : [least];
}
