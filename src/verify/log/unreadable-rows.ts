import { type RawBuilder, sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import type { FaultKind, Report } from '../fault.js';

/**
 * Whether PostgreSQL could not read what it has stored: SQLSTATE classes 22 (data exception) and XX (internal error, such
 * as a wrong page checksum), and 58P01 (undefined_file, of the status of a transaction that never was).
 */
export const isUnreadable = (error: unknown): boolean =>
  /^(22|XX|58P01)/.test((error as { code?: string }).code ?? '');

/** Rows of the log that can be searched by a number. */
interface Searchable {
  kind: FaultKind;
  what: string;
  /** Rows `t` whose number is above `from` and up to `until`. */
  rows(tenantId: string, from: number, until: number): RawBuilder<unknown>;
  /** Of the row with that number. */
  sequence(number: number): number;
}

/** Above any number that a row can have. */
const MAX_NUMBER = 2 ** 40;
/** Faults reported per kind of row. */
const MAX_REPORTED = 1_000;

const within = (column: string, from: number, until: number) =>
  sql`${sql.ref(`t.${column}`)} > ${from} and ${sql.ref(`t.${column}`)} <= ${until}`;

const SEARCHABLE: readonly Searchable[] = [
  {
    kind: 'missing',
    what: 'the row of reel_log_sequence',
    rows: (tenantId, from, until) =>
      sql`reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}`,
    sequence: (seq) => seq,
  },
  {
    kind: 'changed',
    what: 'the entry',
    rows: (tenantId, from, until) => sql`
      (select t.entry_id from reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}) s
      cross join lateral (
        select e.* from reel_log_entries e where e.tenant_id = ${tenantId}::uuid and e.id = s.entry_id limit 1) t`,
    sequence: (seq) => seq,
  },
  {
    kind: 'changed',
    what: "the entry's idempotency key",
    rows: (tenantId, from, until) => sql`
      (select t.entry_id from reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}) s
      cross join lateral (
        select k.* from reel_log_keys k where k.tenant_id = ${tenantId}::uuid and k.entry_id = s.entry_id limit 1) t`,
    sequence: (seq) => seq,
  },
  {
    kind: 'tile',
    what: 'the tile',
    rows: (tenantId, from, until) =>
      sql`reel_log_tiles t where t.tenant_id = ${tenantId}::uuid and ${within('tile_index', from - 1, until - 1)}`,
    sequence: (number) => (number - 1) * TILE_WIDTH + 1,
  },
  {
    kind: 'checkpoint',
    what: 'its row',
    rows: (tenantId, from, until) =>
      sql`reel_log_checkpoints t where t.tenant_id = ${tenantId}::uuid and ${within('tree_size', from, until)}`,
    sequence: (size) => size,
  },
  {
    kind: 'changed',
    what: 'the search index from here on',
    rows: (tenantId, from, until) =>
      sql`reel_log_search t where t.tenant_id = ${tenantId}::uuid and ${within('first_seq', from, until)}`,
    sequence: (first) => first,
  },
];

/** Tables whose rows have no number, and the kind of their faults, which are reported at sequence 1. */
const UNNUMBERED: readonly [string, FaultKind][] = [
  ['reel_log_inbox', 'changed'],
  ['reel_log_counts', 'count'],
  ['reel_log_severity_counts', 'count'],
  ['reel_log_action_counts', 'count'],
  ['reel_log_actor_counts', 'count'],
  ['reel_log_keys', 'changed'],
  ['reel_log_holds', 'changed'],
  ['reel_log_removals', 'changed'],
  ['reel_log_signing_keys', 'checkpoint'],
];

/**
 * Reports which rows cannot be read, after `error` ended the verification of a tenant's log: such a row counts as changed.
 * Each attempt is a transaction of its own, since an error aborts the one it occurs in. Errors: `error`, where it is of class 22 and
 * every row can be read.
 */
export async function reportUnreadable(
  database: ReadDatabase,
  tenantId: string,
  error: unknown,
  report: Report,
): Promise<void> {
  let faults = 0;
  const count: Report = (fault) => {
    faults += 1;
    report(fault);
  };
  const tryRead = (rows: RawBuilder<unknown>) => readError(database, tenantId, rows);
  for (const searchable of SEARCHABLE) await bisect(searchable, tenantId, tryRead, count);
  for (const [table, kind] of UNNUMBERED) {
    const own = table === 'reel_log_signing_keys' ? sql`` : sql`where t.tenant_id = ${tenantId}::uuid`;
    const problem = await tryRead(sql`${sql.table(table)} t ${own}`);
    if (problem !== null)
      count({ kind, sequence: 1, detail: `a row of ${table} cannot be read: ${problem}` });
  }
  if (faults > 0) return;
  // Every row can be read: it was the statement that could not be carried out.
  if (isDataException(error)) throw error;
  report({ kind: 'checkpoint', sequence: 1, detail: `the log cannot be read: ${messageOf(error)}` });
}

/** SQLSTATE class 22, which is of a statement as often as of what is stored. */
const isDataException = (error: unknown): boolean =>
  ((error as { code?: string }).code ?? '').startsWith('22');

async function bisect(
  { kind, what, rows, sequence }: Searchable,
  tenantId: string,
  tryRead: (rows: RawBuilder<unknown>) => Promise<string | null>,
  report: Report,
): Promise<void> {
  let left = MAX_REPORTED;
  const search = async (from: number, until: number): Promise<void> => {
    if (left === 0) return;
    const problem = await tryRead(rows(tenantId, from, until));
    if (problem === null) return;
    if (until - from > 1) {
      const middle = Math.floor((from + until) / 2);
      await search(from, middle);
      await search(middle, until);
      return;
    }
    left -= 1;
    report({ kind, sequence: sequence(until), detail: `${what} cannot be read: ${problem}` });
  };
  await search(0, MAX_NUMBER);
}

/** Tries to read every column of these rows; returns the database's message if it cannot. */
async function readError(
  database: ReadDatabase,
  tenantId: string,
  rows: RawBuilder<unknown>,
): Promise<string | null> {
  try {
    await database.read(tenantId, async (execute) => {
      // A sequential scan would meet the same unreadable row in every range.
      await execute(sql`select set_config('enable_seqscan', 'off', true)`);
      await execute(sql`select sum(length(t::text)) from ${rows}`);
    });
    return null;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return messageOf(error);
  }
}

const messageOf = (error: unknown): string => (error as Error).message.split('\n')[0]!.slice(0, 200);
