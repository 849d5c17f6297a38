import { CompiledQuery, sql } from 'kysely';
import type { Execute, PreparedStatement } from '../../database/execute.js';
import { conflict } from '../../errors.js';
import { takeTurn } from '../../time-slice.js';
import { inPieces, insertion, PreparedInsertion } from './insertion.js';
import { isSameContent } from './kept-content.js';
import { insertColumns, type PreparedEntry } from './prepare.js';

/** Entries of several tenants are written together. */
export const WRITING = 'writing';
const ENTRY_COLUMNS = insertColumns();

/** Of one prepared entry: stored now, stored before under its key, or refused: its key was used for other content, or the database takes it for invalid. */
export type Outcome = { stored: true } | { storedBefore: string } | { refused: unknown };

/**
 * Writes entries, their keys and their rows in the inbox in the caller's transaction. An entry whose idempotency key
 * is taken is left out. One outcome per entry, in order.
 */
export async function storeEntries(
  execute: Execute,
  entries: readonly PreparedEntry[],
  columns: readonly string[] = ENTRY_COLUMNS,
): Promise<Outcome[]> {
  const claims = await claimKeys(execute, entries);
  const fresh = entries.filter((entry) => !claims.has(entry));
  if (fresh.length > 0)
    await (execute.prepares && columns === ENTRY_COLUMNS
      ? insertTogether(execute, fresh)
      : insertApart(execute, fresh, columns));
  return entries.map((entry) => claims.get(entry) ?? { stored: true });
}

const TOGETHER = new PreparedInsertion(
  'reel_entries',
  [...ENTRY_COLUMNS, 'leaf_hash'],
  [
    {
      table: 'reel_log_entries',
      columns: Object.fromEntries(ENTRY_COLUMNS.map((column) => [column, column])),
    },
    { table: 'reel_log_inbox', columns: { tenant_id: 'tenant_id', entry_id: 'id', leaf_hash: 'leaf_hash' } },
  ],
);

/**
 * What storeEntries does for entries without keys, as statements that may go to the database at once; null for entries with keys,
 * or so many bytes that the driver would hold the event loop.
 */
export function insertionsOf(entries: readonly PreparedEntry[]): PreparedStatement[] | null {
  if (entries.some(({ key }) => key !== null)) return null;
  const [statement, ...others] = statementsOf(entries);
  if (!statement || others.length > 0) return null;
  return [...inPieces(statement)].map((piece) =>
    TOGETHER.statement(piece.map(({ values, leafHash }) => [...values, leafHash])),
  );
}

/** By prepared statements, each of which writes some entries with their rows in the inbox. */
async function insertTogether(execute: Execute, entries: readonly PreparedEntry[]): Promise<void> {
  for (const statement of statementsOf(entries)) {
    await takeTurn(WRITING);
    for (const piece of inPieces(statement))
      await execute(TOGETHER.statement(piece.map(({ values, leafHash }) => [...values, leafHash])));
  }
}

async function insertApart(
  execute: Execute,
  entries: readonly PreparedEntry[],
  columns: readonly string[],
): Promise<void> {
  for (const each of statementsOf(entries)) {
    await takeTurn(WRITING);
    await execute(
      insertion(
        'reel_log_entries',
        columns,
        each.map(({ values }) => values),
      ),
    );
  }
  await takeTurn(WRITING);
  await execute(
    insertion(
      'reel_log_inbox',
      ['tenant_id', 'entry_id', 'leaf_hash'],
      entries.map(({ entry, leafHash }) => [entry.tenantId, entry.id, leafHash]),
    ),
  );
}

/** SQLSTATE classes of what is wrong with a row: data exception, integrity constraint violation, program limit exceeded. */
const ROW_FAULT = /^(22|23|54)/;
/** Whether an error of the database is about a row, and not about the database. */
export const isRowFault = (error: unknown): boolean =>
  ROW_FAULT.test((error as { code?: string }).code ?? '');

/**
 * As storeEntries, each on its own: what the database finds wrong with an entry is that entry's outcome, and the others are
 * stored. Any other error is thrown. In a transaction that an error would end, it goes back to a savepoint.
 */
export async function storeEach(execute: Execute, entries: readonly PreparedEntry[]): Promise<Outcome[]> {
  await execute(sql`savepoint reel_entries`);
  try {
    return await storeEntries(execute, entries);
  } catch (error) {
    if (!isRowFault(error)) throw error;
    await execute(sql`rollback to savepoint reel_entries`);
    if (entries.length === 1) return [{ refused: error }];
  }
  const half = Math.ceil(entries.length / 2);
  const first = await storeEach(execute, entries.slice(0, half));
  return [...first, ...(await storeEach(execute, entries.slice(half)))];
}

interface KeyRow {
  [column: string]: unknown;
  tenant_id: string;
  writer: string;
  idempotency_key: string;
  entry_id: string;
  content_hash: Buffer;
}

/** Claims the keys that are free; returns the outcome of each entry whose key was taken, even by another entry of this call. */
async function claimKeys(
  execute: Execute,
  entries: readonly PreparedEntry[],
): Promise<Map<PreparedEntry, Outcome>> {
  const holders = new Map<string, { entryId: string; contentHash: Buffer }>();
  const claims: { name: string; row: unknown[] }[] = [];
  for (const { entry, key } of entries) {
    if (!key) continue;
    const name = nameOf(entry.tenantId, key.writer, key.idempotencyKey);
    if (holders.has(name)) continue;
    holders.set(name, { entryId: entry.id, contentHash: key.contentHash });
    claims.push({ name, row: [entry.tenantId, key.writer, key.idempotencyKey, entry.id, key.contentHash] });
  }
  if (claims.length === 0) return new Map();
  // Always in one order, so that two batches with the same keys cannot deadlock.
  claims.sort((a, b) => (a.name < b.name ? -1 : 1));
  const columns = ['tenant_id', 'writer', 'idempotency_key', 'entry_id', 'content_hash'];
  const statement = insertion(
    'reel_log_keys',
    columns,
    claims.map((claim) => claim.row),
  );
  const taken = await execute<KeyRow>(
    CompiledQuery.raw(
      `${statement.sql} on conflict do nothing returning tenant_id, writer, idempotency_key`,
      [...statement.parameters],
    ),
  );
  const won = new Set(taken.map((row) => nameOf(row.tenant_id, row.writer, row.idempotency_key)));
  const lost = claims.filter((claim) => !won.has(claim.name)).map((claim) => claim.row);
  if (lost.length > 0) {
    for (const [tenantId, rows] of Map.groupBy(lost, ([tenant]) => tenant as string)) {
      const [writers, keys] = [1, 2].map((column) => rows.map((row) => row[column]));
      const held = await execute<KeyRow>(sql`
        select k.* from unnest(${writers}::text[], ${keys}::text[]) wanted(writer, idempotency_key)
        join reel_log_keys k on k.tenant_id = ${tenantId}::uuid and k.writer = wanted.writer and k.idempotency_key = wanted.idempotency_key`);
      for (const row of held)
        holders.set(nameOf(row.tenant_id, row.writer, row.idempotency_key), {
          entryId: row.entry_id,
          contentHash: row.content_hash,
        });
    }
  }
  const outcomes = new Map<PreparedEntry, Outcome>();
  for (const prepared of entries) {
    const { entry, key } = prepared;
    if (!key) continue;
    const holder = holders.get(nameOf(entry.tenantId, key.writer, key.idempotencyKey));
    if (!holder || holder.entryId === entry.id) continue;
    outcomes.set(
      prepared,
      isSameContent(entry, key.contentHash, holder.contentHash)
        ? { storedBefore: holder.entryId }
        : {
            refused: conflict(
              'idempotencyKey: expected a new key, or the content that it was used with before, got other content',
            ),
          },
    );
  }
  return outcomes;
}

/** Approximate bytes of one statement, as the queue counts them: the driver writes a statement in one go, and so holds the event loop. */
const STATEMENT_BYTES = 4 * 1024 * 1024;

function statementsOf(entries: readonly PreparedEntry[]): PreparedEntry[][] {
  const statements: PreparedEntry[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    if (bytes + entry.bytes > STATEMENT_BYTES) {
      statements.push([]);
      bytes = 0;
    }
    bytes += entry.bytes;
    statements.at(-1)!.push(entry);
  }
  return statements;
}

/** Unambiguous, since neither a UUID nor a writer nor a key contains NUL. */
const nameOf = (tenantId: string, writer: string, key: string) => `${tenantId}\0${writer}\0${key}`;
