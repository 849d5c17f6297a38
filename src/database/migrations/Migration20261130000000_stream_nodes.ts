import { Migration } from './migration.js';

/**
 * Which streams have something to deliver, and how far they are behind, asked in a form that PostgreSQL and Citus both take: of a cluster
 * each node is asked by itself, so that one that does not answer keeps only the streams of its own tenants waiting.
 */
export class Migration20261130000000_stream_nodes extends Migration {
  override async up(): Promise<void> {
    const [{ schema }] = (await this.execute('select current_schema() as schema')) as [{ schema: string }];
    for (const statement of functions(schema)) this.addSql(statement);
  }
}

const GUARDED = 'security definer set search_path = pg_catalog, pg_temp';
/** By their keys, whatever the planner takes the tables to hold. */
const BY_KEY =
  'set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off';

function functions(schema: string): string[] {
  const within = `"${schema.replaceAll('"', '""')}"`;
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const nameOf = (table: string) => literal(`${within}.${table}`);
  const [streams, sequence, parked] = ['reel_streams', 'reel_log_sequence', 'reel_stream_parked'].map(nameOf);
  const tables = `${streams}, ${sequence}, ${parked}`;

  /** The tables' shards of a node's own, which stand side by side, since they are distributed together. */
  const onNode = (name: string, values: string) => `
    create function ${name}_on_node(most integer) returns text language plpgsql ${GUARDED} as $$
    begin
      return (
        select json_agg(json_build_array(${values}))
        from pg_dist_shard s join pg_dist_placement p on p.shardid = s.shardid
        join pg_dist_shard q on q.logicalrelid = ${sequence}::regclass and q.shardminvalue = s.shardminvalue
        join pg_dist_shard k on k.logicalrelid = ${parked}::regclass and k.shardminvalue = s.shardminvalue
        cross join lateral ${within}.${name}_in(format('%s_%s', ${streams}, s.shardid),
          format('%s_%s', ${sequence}, q.shardid), format('%s_%s', ${parked}, k.shardid), most) r
        where s.logicalrelid = ${streams}::regclass and p.groupid = (select l.groupid from pg_dist_local_group l));
    end
  $$`;

  /** Asks the tables, or every node where they are distributed. */
  const everywhere = (name: string, columns: string, { own, ofNode }: { own: string; ofNode: string }) => `
    create or replace function ${name}(most integer) returns table (${columns})
    language plpgsql volatile ${GUARDED} as $$
    declare
      is_distributed boolean := to_regclass('pg_catalog.pg_dist_partition') is not null;
    begin
      if is_distributed then
        is_distributed := exists (select from pg_dist_partition where logicalrelid = ${streams}::regclass and partmethod = 'h');
      end if;
      if not is_distributed then
        return query select ${own} from ${within}.${name}_in(${tables}, most) r order by r.delivered nulls first;
        return;
      end if;
      -- A node that is cut off would else keep the others waiting for long.
      perform set_config('citus.node_connection_timeout', '2000', true);
      -- Over connections that are kept, which a look at each node by itself has none of.
      begin
        if not exists (select 1 from ${within}.reel_streams s where s.state in ('RUNNING', 'FAILING')) then
          return;
        end if;
      exception when others then
        null;
      end;
      return query
        select ${ofNode}
        from run_command_on_all_nodes(format(${literal(`select ${within.replaceAll('%', '%%')}.${name}_on_node(%s)`)}, most)) a
        cross join lateral json_array_elements(case when a.success then nullif(a.result, '')::json end) r(value)
        order by (r.value ->> 0)::timestamptz nulls first limit most;
    end
  $$`;

  return [
    // Streams with something to deliver, those first to which nothing was delivered for longest.
    `create function reel_due_streams_in(streams text, sequence text, parked text, most integer)
      returns table (delivered timestamptz, tenant_id uuid, id uuid) language plpgsql set search_path = pg_catalog, pg_temp ${BY_KEY} as $$
      begin
        return query execute format('
          select s.last_delivered_at, s.tenant_id, s.id from %1$s s
          where s.state in (''RUNNING'', ''FAILING'') and (s.retry_at is null or s.retry_at <= clock_timestamp())
            and (s.pending_last is not null
              or exists (select from %2$s q where q.tenant_id = s.tenant_id and q.seq > s.position)
              or exists (select from %3$s p where p.tenant_id = s.tenant_id and p.stream_id = s.id and p.retry))
          order by s.last_delivered_at nulls first limit $1', streams, sequence, parked) using most;
      end
    $$`,
    // Streams that are to deliver, with the last sequence of their log, the first entry that is not done with, and the status or the error's name.
    `create function reel_lagging_streams_in(streams text, sequence text, parked text, most integer)
      returns table (delivered timestamptz, id uuid, kind text, state text, "position" bigint, last bigint, oldest uuid, error text)
      language plpgsql set search_path = pg_catalog, pg_temp ${BY_KEY} as $$
      begin
        return query execute format('
          select s.last_delivered_at, s.id, s.kind, s.state, s.position,
            (select q.seq from %2$s q where q.tenant_id = s.tenant_id order by q.seq desc limit 1),
            (select q.entry_id from %2$s q where q.tenant_id = s.tenant_id and q.seq > s.position order by q.seq limit 1),
            coalesce(substring(s.last_error from ''^(?:[0-9]{3}|[A-Z][A-Z0-9_]+)''), case when s.last_error is not null then ''other'' end)
          from %1$s s where s.state in (''RUNNING'', ''FAILING'') order by s.last_delivered_at nulls first limit $1',
          streams, sequence) using most;
      end
    $$`,
    onNode('reel_due_streams', 'r.delivered, r.tenant_id, r.id'),
    onNode(
      'reel_lagging_streams',
      'r.delivered, r.id, r.kind, r.state, r.position, r.last, r.oldest, r.error',
    ),
    everywhere('reel_due_streams', 'tenant_id uuid, id uuid', {
      own: 'r.tenant_id, r.id',
      ofNode: '(r.value ->> 1)::uuid, (r.value ->> 2)::uuid',
    }),
    everywhere(
      'reel_lagging_streams',
      'id uuid, kind text, state text, "position" bigint, last bigint, oldest uuid, error text',
      {
        own: 'r.id, r.kind, r.state, r.position, r.last, r.oldest, r.error',
        ofNode: `(r.value ->> 1)::uuid, r.value ->> 2, r.value ->> 3, (r.value ->> 4)::bigint, (r.value ->> 5)::bigint,
          (r.value ->> 6)::uuid, r.value ->> 7`,
      },
    ),
    `revoke all on function reel_due_streams_in(text, text, text, integer), reel_due_streams_on_node(integer),
      reel_lagging_streams_in(text, text, text, integer), reel_lagging_streams_on_node(integer) from public`,
  ];
}
