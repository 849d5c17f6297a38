import { type RawBuilder, sql } from 'kysely';
import { SPAN_MINUTES } from './time-spans.js';

/** What the counts have for entries of no client, which would be null: no client's id is the nil UUID. */
const NONE = sql.raw(`'00000000-0000-0000-0000-000000000000'::uuid`);

/** SQL for the client_id that entries `e` are counted under. */
const COUNTED_CLIENT = sql`coalesce(e.client_id, ${NONE})`;

/** SQL for the stored counts, as a sub-select in parentheses, with client_id as entries have it. */
export const STORED_COUNTS = sql`(
  select tenant_id, span, bucket, nullif(client_id, ${NONE}) as client_id, module, severity, count from reel_log_counts
)`;

/** The same by severity alone, over all clients and modules. */
export const STORED_SEVERITY_COUNTS = sql`(
  select tenant_id, span, bucket, null::uuid as client_id, null::text as module, severity, count from reel_log_severity_counts
)`;

/** The same by action, too, from whole days on. */
export const STORED_ACTION_COUNTS = sql`(
  select tenant_id, span, bucket, nullif(client_id, ${NONE}) as client_id, module, action, severity, count from reel_log_action_counts
)`;

/** By client and actor, from whole days on. */
export const STORED_ACTOR_COUNTS = sql`(
  select tenant_id, span, bucket, nullif(client_id, ${NONE}) as client_id, value, kind, count from reel_log_actor_counts
)`;

/** What an actor's key in a facet is; the lower one where one text is several. */
export const ACTOR_KEYS = { none: -1, id: 0, email: 1, name: 2 } as const;
export type ActorKey = (typeof ACTOR_KEYS)[keyof typeof ACTOR_KEYS];

/** SQL for an entry's actor, null for none, and for the kind of that, out of these columns. */
export const ACTOR_OF = {
  columns: ['actor_id', 'actor_email_folded', 'actor_name'],
  value: sql`coalesce(actor_id, actor_email_folded, actor_name)`,
  kind: sql`case when actor_id is not null then ${sql.lit(ACTOR_KEYS.id)} when actor_email_folded is not null
    then ${sql.lit(ACTOR_KEYS.email)} when actor_name is not null then ${sql.lit(ACTOR_KEYS.name)} else ${sql.lit(ACTOR_KEYS.none)} end`,
} as const;

/** Columns of entries that are counted by, and their ids. */
export const COUNTED_COLUMNS = sql.raw(
  ['tenant_id', 'id', 'created_at', 'client_id', 'module', 'severity', 'action', ...ACTOR_OF.columns].join(
    ', ',
  ),
);

const SPANS = sql.raw(`unnest(array[${Object.values(SPAN_MINUTES).join(', ')}]::smallint[])`);
/** An action or actor may be one entry's alone, so these have no rows by the quarter of an hour. */
const LONG_SPANS = sql.raw(`unnest(array[${SPAN_MINUTES.day}, ${SPAN_MINUTES.block}]::smallint[])`);
const BUCKET = sql`date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch')`;

/**
 * SQL of common table expressions that add entries to all counts, or subtract them: each is to be counted once, in the
 * transaction that takes it out of the inbox. `entries` names an expression with COUNTED_COLUMNS at least. Rows are changed in one
 * order, so that concurrent changes cannot deadlock.
 */
export const changeCounts = (entries: RawBuilder<unknown>, by: 1 | -1): RawBuilder<unknown> => {
  const [counts, severities, actions, actors] = countChanges(entries, by);
  return sql`counted as (${counts}), counted_severities as (${severities}),
    counted_actions as (${actions}), counted_actors as (${actors})`;
};

/** The same as statements of their own, in the order in which they are to be carried out. */
export function countChanges(
  entries: RawBuilder<unknown>,
  by: 1 | -1,
): readonly [RawBuilder<unknown>, RawBuilder<unknown>, RawBuilder<unknown>, RawBuilder<unknown>] {
  const count = numberOf(by);
  return [
    sql`
      insert into reel_log_counts as counted (tenant_id, span, bucket, client_id, module, severity, count)
      select e.tenant_id, s.span, ${BUCKET} as bucket, ${COUNTED_CLIENT} as client_id, e.module, e.severity, ${count}
      from ${entries} e cross join ${SPANS} s(span)
      group by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.severity
      order by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.severity
      on conflict (tenant_id, span, bucket, client_id, module, severity)
      do update set count = counted.count + excluded.count`,
    sql`
      insert into reel_log_severity_counts as counted (tenant_id, span, bucket, severity, count)
      select e.tenant_id, s.span, ${BUCKET} as bucket, e.severity, ${count}
      from ${entries} e cross join ${SPANS} s(span)
      group by e.tenant_id, s.span, bucket, e.severity order by e.tenant_id, s.span, bucket, e.severity
      on conflict (tenant_id, span, bucket, severity) do update set count = counted.count + excluded.count`,
    sql`
      insert into reel_log_action_counts as counted (tenant_id, span, bucket, client_id, module, action, severity, count)
      select e.tenant_id, s.span, ${BUCKET} as bucket, ${COUNTED_CLIENT} as client_id, e.module, e.action, e.severity, ${count}
      from ${entries} e cross join ${LONG_SPANS} s(span)
      group by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.action, e.severity
      order by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, e.module, e.action, e.severity
      on conflict (tenant_id, span, bucket, client_id, module, action, severity)
      do update set count = counted.count + excluded.count`,
    changeActors(entries, by),
  ];
}

const numberOf = (by: 1 | -1) => sql.raw(by === 1 ? 'count(*)' : '-count(*)');

/** SQL that changes the counts by actor. */
export function changeActors(entries: RawBuilder<unknown>, by: 1 | -1): RawBuilder<unknown> {
  return sql`
    insert into reel_log_actor_counts as counted (tenant_id, span, bucket, client_id, value, kind, count)
    select e.tenant_id, s.span, ${BUCKET} as bucket, ${COUNTED_CLIENT} as client_id, v.value, v.kind, ${numberOf(by)}
    from ${entries} e cross join ${LONG_SPANS} s(span)
    cross join lateral (select coalesce(${ACTOR_OF.value}, '') as value, ${ACTOR_OF.kind} as kind) v
    group by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, v.value, v.kind
    order by e.tenant_id, s.span, bucket, ${COUNTED_CLIENT}, v.value, v.kind
    on conflict (tenant_id, span, bucket, client_id, value, kind) do update set count = counted.count + excluded.count`;
}

/** SQL that selects from entries what changeCounts reads of them. */
export const countedColumns = (source: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`select ${COUNTED_COLUMNS} from ${source} entries`;

/** Tables of counts, each with tenant_id, span, bucket and count. */
export const COUNT_TABLES = [
  'reel_log_counts',
  'reel_log_severity_counts',
  'reel_log_action_counts',
  'reel_log_actor_counts',
] as const;
