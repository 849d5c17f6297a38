import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/database.js';
import type { Execute, Row } from '../database/execute.js';
import { instant } from '../log/entry/instant.js';
import { millisecondsOf } from '../seal/sequence-batch.js';
import type { StreamFormat } from './formats/format.js';
import type { StreamKind } from './kinds/kind.js';
import type { ParkedEntry, StreamAttempt, StreamState } from './stream.js';

/** Attempts that are kept. */
const MAX_ATTEMPTS = 20;

/** A row of reel_streams. */
export interface StoredStream {
  readonly tenantId: string;
  readonly id: string;
  readonly name: string;
  readonly kind: StreamKind;
  readonly format: StreamFormat;
  readonly query: string;
  readonly clientId: string | null;
  /** With null in place of what is secret. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secret: Buffer | null;
  readonly state: StreamState;
  readonly run: number;
  readonly position: number;
  readonly previous: number;
  /** The batch under way: it begins after `previous`. */
  readonly pending: { readonly last: number; readonly size: number } | null;
  readonly failures: number;
  /** Milliseconds since the epoch. */
  readonly failingSince: number | null;
  /** Nothing is sent before, in milliseconds since the epoch. */
  readonly retryAt: number | null;
  readonly parkedInRow: number;
  readonly lastDeliveredAt: string | null;
  readonly lastError: string | null;
  readonly attempts: readonly StreamAttempt[];
  readonly createdAt: string;
  readonly parkedCount: number;
  /** Of the tenant's log. */
  readonly lastSequence: number;
  /** When the first entry after the position was stored, in milliseconds since the epoch. */
  readonly oldestAt: number | null;
}

interface StreamRow extends Row {
  tenant_id: string;
  id: string;
  name: string;
  kind: StreamKind;
  format: StreamFormat;
  query: string;
  client_id: string | null;
  settings: Record<string, unknown>;
  secret: Buffer | null;
  state: StreamState;
  run: number;
  position: string;
  previous: string;
  pending_last: string | null;
  pending_size: string | null;
  failures: number;
  failing_ms: string | null;
  retry_ms: string | null;
  parked_in_row: number;
  last_delivered_at: string | null;
  last_error: string | null;
  attempts: StreamAttempt[];
  created_at: string;
}

const toStream = (
  row: StreamRow,
  parked: ReadonlyMap<string, number>,
  lastSequence: number,
  entryAt: ReadonlyMap<number, string>,
): StoredStream => {
  const oldest = entryAt.get(Number(row.position) + 1);
  return {
    tenantId: row.tenant_id,
    id: row.id,
    name: row.name,
    kind: row.kind,
    format: row.format,
    query: row.query,
    clientId: row.client_id,
    settings: row.settings,
    secret: row.secret,
    state: row.state,
    run: row.run,
    position: Number(row.position),
    previous: Number(row.previous),
    pending:
      row.pending_last === null ? null : { last: Number(row.pending_last), size: Number(row.pending_size) },
    failures: row.failures,
    failingSince: row.failing_ms === null ? null : Number(row.failing_ms),
    retryAt: row.retry_ms === null ? null : Number(row.retry_ms),
    parkedInRow: row.parked_in_row,
    lastDeliveredAt: row.last_delivered_at === null ? null : instant(row.last_delivered_at),
    lastError: row.last_error,
    attempts: row.attempts,
    createdAt: instant(row.created_at),
    parkedCount: parked.get(row.id) ?? 0,
    lastSequence,
    oldestAt: oldest === undefined ? null : millisecondsOf(oldest),
  };
};

export type StreamDatabase = Pick<Database, 'read' | 'query' | 'seal' | 'configure' | 'system'>;

/** All of a tenant, or one of them, oldest first. Each statement has one table, so that a distributed database takes it. */
export async function readStreams(
  execute: Execute,
  tenantId: string,
  streamId: string | null = null,
): Promise<StoredStream[]> {
  const rows = await execute<StreamRow>(sql`
    select tenant_id, id, name, kind, format, query, client_id, settings, secret, state, run, position, previous, pending_last,
      pending_size, failures, (extract(epoch from failing_since) * 1000)::bigint as failing_ms,
      (extract(epoch from retry_at) * 1000)::bigint as retry_ms, parked_in_row,
      last_delivered_at::text as last_delivered_at, last_error, attempts, created_at::text as created_at
    from reel_streams
    where tenant_id = ${tenantId}::uuid and ${streamId === null ? sql`true` : sql`id = ${streamId}::uuid`} order by reel_streams.created_at, id`);
  if (rows.length === 0) return [];
  const parked = await execute<{ stream_id: string; parked: string }>(sql`
    select stream_id, count(*) as parked from reel_stream_parked where tenant_id = ${tenantId}::uuid
      and stream_id = any (${rows.map(({ id }) => id)}::uuid[]) group by stream_id`);
  const lastSequence = await readLastSequence(execute, tenantId);
  const entries = await execute<{ seq: string; entry_id: string }>(sql`
    select seq, entry_id from reel_log_sequence where tenant_id = ${tenantId}::uuid
      and seq = any (${rows.map(({ position }) => Number(position) + 1)}::bigint[])`);
  const parkedOf = new Map(parked.map(({ stream_id, parked }) => [stream_id, Number(parked)]));
  const entryAt = new Map(entries.map(({ seq, entry_id }) => [Number(seq), entry_id]));
  return rows.map((row) => toStream(row, parkedOf, lastSequence, entryAt));
}

export async function readLastSequence(execute: Execute, tenantId: string): Promise<number> {
  const [row] = await execute<{ seq: string }>(
    sql`select seq from reel_log_sequence where tenant_id = ${tenantId}::uuid order by seq desc limit 1`,
  );
  return Number(row?.seq ?? 0);
}

/** The size of the log when it was sealed last before an instant. */
export async function readSizeBefore(execute: Execute, tenantId: string, at: string): Promise<number> {
  const [row] = await execute<{ tree_size: string }>(sql`
    select tree_size from reel_log_checkpoints
    where tenant_id = ${tenantId}::uuid and sealed_at < ${at}::timestamptz order by tree_size desc limit 1`);
  return Number(row?.tree_size ?? 0);
}

export type NewStream = Pick<
  StoredStream,
  'tenantId' | 'id' | 'name' | 'kind' | 'format' | 'query' | 'clientId' | 'settings' | 'secret' | 'position'
>;

export const insertStream = (execute: Execute, stream: NewStream): Promise<Row[]> =>
  execute(sql`
    insert into reel_streams (tenant_id, id, name, kind, format, query, client_id, settings, secret, state, run, position,
      previous, created_at)
    values (${stream.tenantId}::uuid, ${stream.id}::uuid, ${stream.name}, ${stream.kind}, ${stream.format}, ${stream.query},
      ${stream.clientId}::uuid, ${JSON.stringify(stream.settings)}::jsonb, ${stream.secret}, 'RUNNING', 1, ${stream.position},
      ${stream.position}, ${new Date().toISOString()}::timestamptz)`);

/** Sets columns by name, of one stream. */
export const updateStream = (
  execute: Execute,
  { tenantId, id }: Pick<StoredStream, 'tenantId' | 'id'>,
  assignments: readonly RawBuilder<unknown>[],
): Promise<Row[]> =>
  execute(sql`
    update reel_streams set ${sql.join(assignments)} where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);

/** From the next batch on nothing is known of what was sent before: its position is where it goes on. */
export const inNewRun = (position: number): RawBuilder<unknown>[] => [
  sql`run = run + 1`,
  sql`position = ${position}`,
  sql`previous = ${position}`,
  sql`pending_last = null`,
  sql`pending_size = null`,
];

/** As nothing had gone wrong, but for entries that are parked in a row. */
export const afresh = (parkedInRow = 0): RawBuilder<unknown>[] => [
  sql`failures = 0`,
  sql`failing_since = null`,
  sql`retry_at = null`,
  sql`parked_in_row = ${parkedInRow}`,
];

/**
 * Changes a stream's progress where it is still as it was known, and answers its state; null, and nothing is changed, where somebody
 * began a new run, or another server settled the batch.
 */
export async function settle(
  execute: Execute,
  known: StoredStream,
  assignments: readonly RawBuilder<unknown>[],
): Promise<StreamState | null> {
  const [row] = await execute<{ state: StreamState }>(sql`
    update reel_streams set ${sql.join(assignments)}
    where tenant_id = ${known.tenantId}::uuid and id = ${known.id}::uuid and run = ${known.run} and position = ${known.position}
      and pending_last is not distinct from ${known.pending?.last ?? null}::bigint
    returning state`);
  return row?.state ?? null;
}

/** Before those that are there by then: an erasure may have taken something out of them since they were read. */
export const addAttempt = (attempt: StreamAttempt): RawBuilder<unknown> => sql`
  attempts = jsonb_path_query_array(${JSON.stringify([attempt])}::jsonb || attempts, ${`$[0 to ${MAX_ATTEMPTS - 1}]`}::jsonpath)`;

export const removeStream = async (execute: Execute, tenantId: string, streamId: string): Promise<void> => {
  await execute(
    sql`delete from reel_stream_parked where tenant_id = ${tenantId}::uuid and stream_id = ${streamId}::uuid`,
  );
  await execute(sql`delete from reel_streams where tenant_id = ${tenantId}::uuid and id = ${streamId}::uuid`);
};

type StreamKey = Pick<StoredStream, 'tenantId' | 'id'>;

export async function park(
  execute: Execute,
  { tenantId, id }: StreamKey,
  entries: readonly { sequence: number; entryId: string; reason: string }[],
): Promise<void> {
  if (entries.length === 0) return;
  const at = new Date().toISOString();
  const rows = entries.map(
    ({ sequence, entryId, reason }) =>
      sql`(${tenantId}::uuid, ${id}::uuid, ${sequence}::bigint, ${entryId}::uuid, ${reason}, ${at}::timestamptz)`,
  );
  await execute(sql`
    insert into reel_stream_parked (tenant_id, stream_id, seq, entry_id, reason, parked_at) values ${sql.join(rows)}
    on conflict (tenant_id, stream_id, seq) do update
      set reason = excluded.reason, parked_at = excluded.parked_at, retry = false`);
}

/** Entries that were taken are not parked any more. */
export const unpark = (
  execute: Execute,
  { tenantId, id }: StreamKey,
  after: number,
  last: number,
  but: readonly number[] = [],
): Promise<Row[]> =>
  execute(sql`
    delete from reel_stream_parked where tenant_id = ${tenantId}::uuid and stream_id = ${id}::uuid
      and seq > ${after} and seq <= ${last} and seq <> all (${but}::bigint[])`);

interface ParkedRow extends Row {
  seq: string;
  entry_id: string;
  reason: string;
  parked_at: string;
}

export async function readParked(
  execute: Execute,
  { tenantId, id }: StreamKey,
  { first, toRetry = false }: { first: number; toRetry?: boolean },
): Promise<ParkedEntry[]> {
  const rows = await execute<ParkedRow>(sql`
    select seq, entry_id, reason, parked_at::text as parked_at from reel_stream_parked
    where tenant_id = ${tenantId}::uuid and stream_id = ${id}::uuid and (retry or not ${toRetry}::boolean)
    order by seq limit ${first}`);
  return rows.map(({ seq, entry_id, reason, parked_at }) => ({
    sequence: Number(seq),
    entryId: entry_id,
    reason,
    parkedAt: instant(parked_at),
  }));
}

export const retryParked = (execute: Execute, { tenantId, id }: StreamKey): Promise<Row[]> =>
  execute(
    sql`update reel_stream_parked set retry = true where tenant_id = ${tenantId}::uuid and stream_id = ${id}::uuid`,
  );

/** Sequences after one up to another that are parked, or whose entries were removed by retention. */
export async function readGaps(
  execute: Execute,
  { tenantId, id }: StreamKey,
  after: number,
  last: number,
): Promise<{ parked: number[]; removed: [number, number][] }> {
  const parked = await execute<{ seq: string }>(sql`
    select seq from reel_stream_parked where tenant_id = ${tenantId}::uuid and stream_id = ${id}::uuid
      and seq > ${after} and seq <= ${last} order by seq`);
  const removed = await execute<{ first_seq: string; last_seq: string }>(sql`
    select first_seq, last_seq from reel_log_removals
    where tenant_id = ${tenantId}::uuid and first_seq <= ${last} and last_seq > ${after} order by first_seq`);
  return {
    parked: parked.map(({ seq }) => Number(seq)),
    removed: removed.map(({ first_seq, last_seq }) => [
      Math.max(Number(first_seq), after + 1),
      Math.min(Number(last_seq), last),
    ]),
  };
}
