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

/** By action and by actor. */
export const STORED_VALUE_COUNTS = sql`(
  select tenant_id, field, span, bucket, nullif(client_id, ${NONE}) as client_id, value, kind, count from reel_log_value_counts
)`;

/** What reel_log_value_counts counts. */
export const COUNTED_VALUES = { action: 0, actor: 1 } as const;
export type CountedValue = keyof typeof COUNTED_VALUES;

/** What an actor's key in a facet is; the lower one where one text is several. */
export const ACTOR_KEYS = { none: -1, id: 0, email: 1, name: 2 } as const;
export type ActorKey = (typeof ACTOR_KEYS)[keyof typeof ACTOR_KEYS];

/** SQL for an entry's value, null for none, and for its kind. */
export const VALUE_OF = {
  action: { columns: ['action'], value: sql`action`, kind: sql`0` },
  actor: {
    columns: ['actor_id', 'actor_email_folded', 'actor_name'],
    value: sql`coalesce(actor_id, actor_email_folded, actor_name)`,
    kind: sql`case when actor_id is not null then ${sql.lit(ACTOR_KEYS.id)} when actor_email_folded is not null
      then ${sql.lit(ACTOR_KEYS.email)} when actor_name is not null then ${sql.lit(ACTOR_KEYS.name)} else ${sql.lit(ACTOR_KEYS.none)} end`,
  },
} as const satisfies Record<
  CountedValue,
  { columns: readonly string[]; value: RawBuilder<unknown>; kind: RawBuilder<unknown> }
>;

/** Columns of entries that are counted by, and their ids. */
export const COUNTED_COLUMNS = sql.raw(
  [
    'tenant_id',
    'id',
    'created_at',
    'client_id',
    'module',
    'severity',
    ...VALUE_OF.action.columns,
    ...VALUE_OF.actor.columns,
  ].join(', '),
);

const SPANS = sql.raw(`unnest(array[${Object.values(SPAN_MINUTES).join(', ')}]::smallint[])`);
/** A value may be one entry's alone, so these have no rows by the quarter of an hour. */
const VALUE_SPANS = sql.raw(`unnest(array[${SPAN_MINUTES.day}, ${SPAN_MINUTES.block}]::smallint[])`);
const BUCKET = sql`date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch')`;

/**
 * SQL of common table expressions that add entries to all counts, or subtract them: each is to be counted once, in the
 * transaction that takes it out of the inbox. `entries` names an expression with COUNTED_COLUMNS at least. Rows are changed in one
 * order, so that concurrent changes cannot deadlock.
 */
export const changeCounts = (entries: RawBuilder<unknown>, by: 1 | -1): RawBuilder<unknown> => {
  const [counts, severities, values] = countChanges(entries, by);
  return sql`counted as (${counts}), counted_severities as (${severities}), counted_values as (${values})`;
};

/** The same as statements of their own, in the order in which they are to be carried out. */
export function countChanges(
  entries: RawBuilder<unknown>,
  by: 1 | -1,
): readonly [RawBuilder<unknown>, RawBuilder<unknown>, RawBuilder<unknown>] {
  const count = sql.raw(by === 1 ? 'count(*)' : '-count(*)');
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
    changeValues(entries, by),
  ];
}

/** SQL that changes the counts by action and by actor, or of some fields alone. */
export function changeValues(
  entries: RawBuilder<unknown>,
  by: 1 | -1,
  fields: readonly CountedValue[] = ['action', 'actor'],
): RawBuilder<unknown> {
  const values = fields.map((field) => {
    const { value, kind } = VALUE_OF[field];
    return sql`(${sql.lit(COUNTED_VALUES[field])}, coalesce(${value}, ''), ${kind})`;
  });
  return sql`
    insert into reel_log_value_counts as counted (tenant_id, field, span, bucket, client_id, value, kind, count)
    select e.tenant_id, v.field, s.span, ${BUCKET} as bucket, ${COUNTED_CLIENT} as client_id, v.value, v.kind,
      ${sql.raw(by === 1 ? 'count(*)' : '-count(*)')}
    from ${entries} e cross join ${VALUE_SPANS} s(span) cross join lateral (values ${sql.join(values)}) v(field, value, kind)
    group by e.tenant_id, v.field, s.span, bucket, ${COUNTED_CLIENT}, v.value, v.kind
    order by e.tenant_id, v.field, s.span, bucket, ${COUNTED_CLIENT}, v.value, v.kind
    on conflict (tenant_id, field, span, bucket, client_id, value, kind) do update set count = counted.count + excluded.count`;
}

/** SQL that selects from entries what changeCounts reads of them. */
export const countedColumns = (source: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`select ${COUNTED_COLUMNS} from ${source} entries`;

/** Tables of counts, each with tenant_id, span, bucket and count. */
export const COUNT_TABLES = ['reel_log_counts', 'reel_log_severity_counts', 'reel_log_value_counts'] as const;
